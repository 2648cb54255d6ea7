//! The cases as the page's script reads them: every text once, in one table, and everything else as numbers.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::check::Finding;
use crate::cpuid::line::Line;
use crate::report::changes::sentence;
use crate::results::Status;
use crate::results::history::{Compared, Trend};
use crate::results::{Cluster, Row};
use crate::util::printable;
use crate::util::shell::quoted;

/// Texts, each once.
#[derive(Default)]
struct Strings<'a> {
    known: HashMap<std::borrow::Cow<'a, str>, usize>,
    texts: Vec<std::borrow::Cow<'a, str>>,
}

impl<'a> Strings<'a> {
    fn index(&mut self, text: impl Into<std::borrow::Cow<'a, str>>) -> usize {
        let text = text.into();
        if let Some(index) = self.known.get(&text) {
            return *index;
        }
        let index = self.texts.len();
        self.texts.push(text.clone());
        self.known.insert(text, index);
        index
    }
}

/// Words of [`Trend`], by number; 0 is none.
const TRENDS: [&str; 5] = ["", "new", "still", "fixed", "flaky"];

/// The JSON of the page, fit to stand in a `<script>` element.
pub fn pack(rows: &[Row], causes: &[Cluster<'_>], compared: Option<&Compared>) -> String {
    let mut strings = Strings::default();
    let mut known: HashMap<&Finding, usize> = HashMap::new();
    let mut findings: Vec<Value> = Vec::new();
    let mut places: HashMap<*const Row, usize> = HashMap::new();
    let mut packed = Vec::with_capacity(rows.len());
    for (index, row) in rows.iter().enumerate() {
        places.insert(std::ptr::from_ref(row), index);
        let changes: Vec<usize> = row
            .changes
            .iter()
            .map(|finding| {
                *known.entry(finding).or_insert_with(|| {
                    let line = |line: &Option<Line>| {
                        line.as_ref().map(Line::to_string).unwrap_or_default()
                    };
                    findings.push(json!([
                        strings.index(sentence(finding)),
                        strings.index(finding.layer.name()),
                        strings.index(line(&finding.minus)),
                        strings.index(line(&finding.plus)),
                    ]));
                    findings.len() - 1
                })
            })
            .collect();
        packed.push(case(row, &changes, compared, &mut strings));
    }
    let causes: Vec<Vec<usize>> = causes
        .iter()
        .map(|cause| {
            cause
                .rows
                .iter()
                .map(|row| places[&std::ptr::from_ref::<Row>(row)])
                .collect()
        })
        .collect();
    let data = json!({
        "strings": strings.texts,
        "statuses": Status::ALL.map(Status::name),
        "trends": TRENDS,
        "findings": findings,
        "causes": causes,
        "rows": packed,
    });
    // A text must not end the element that it stands in, nor start a comment or another one.
    let data = data.to_string().replace('<', "\\u003c");
    printable::json(&data).into_owned()
}

fn case<'a>(
    row: &'a Row,
    changes: &[usize],
    compared: Option<&Compared>,
    strings: &mut Strings<'a>,
) -> Value {
    let key = row.key();
    let trend = compared.and_then(|compared| compared.trends.get(&key));
    let since = compared
        .and_then(|compared| compared.since.get(&key))
        .copied();
    let status = Status::ALL.iter().position(|status| *status == row.status);
    let command: Vec<usize> = row
        .command
        .iter()
        .map(|word| strings.index(quoted(word)))
        .collect();
    json!([
        strings.index(row.case.as_str()),
        strings.index(row.lane.name()),
        strings.index(row.qemu.label.as_str()),
        strings.index(row.machine.as_str()),
        strings.index(row.cpu.as_str()),
        status,
        row.duration_ms.round(),
        strings.index(row.reason.as_str()),
        command,
        changes,
        trend.map_or(0, |trend| number(*trend)),
        since.unwrap_or(0),
        strings.index(row.host.as_deref().unwrap_or_default()),
        flow(row, strings),
        strings.index(kernel(row)),
        // As a shell takes them.
        [
            strings.index(quoted(&row.machine)),
            strings.index(quoted(&row.cpu))
        ],
    ])
}

/// The kernel of a lab or of a Linux guest, as the case's name has it.
fn kernel(row: &Row) -> &str {
    let mut parts = row.case.split('/');
    parts
        .find(|part| part.starts_with("linux-"))
        .unwrap_or_default()
}

fn flow<'a>(row: &'a Row, strings: &mut Strings<'a>) -> Value {
    let Some(flow) = &row.flow else {
        return Value::Null;
    };
    let steps = flow.iter().map(|step| {
        let mut all = |names: &'a [String]| -> Vec<usize> {
            names
                .iter()
                .map(|name| strings.index(name.as_str()))
                .collect()
        };
        let (lost, gained) = (all(&step.lost), all(&step.gained));
        json!([
            strings.index(step.layer.as_str()),
            step.present,
            lost,
            gained
        ])
    });
    steps.collect()
}

fn number(trend: Trend) -> usize {
    match trend {
        Trend::New => 1,
        Trend::Still => 2,
        Trend::Fixed => 3,
        Trend::Flaky => 4,
    }
}
