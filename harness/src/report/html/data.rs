//! The cases as the page's script reads them: every text once, in one table, and everything else as numbers.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::check::Finding;
use crate::cpuid::line::Line;
use crate::report::changes::sentence;
use crate::results::history::{Compared, Trend};
use crate::results::{Cluster, Row, Status};
use crate::util::printable;

use super::strings::{Commands, Strings};

/// Words of [`Trend`], by number; 0 is none.
const TRENDS: [&str; 5] = ["", "new", "still", "fixed", "flaky"];

/// What is packed so far, each thing once.
#[derive(Default)]
struct Packed<'a> {
    strings: Strings<'a>,
    commands: Commands,
    known: HashMap<&'a Finding, usize>,
    findings: Vec<Value>,
    known_flows: HashMap<String, usize>,
    flows: Vec<Value>,
}

/// The JSON of the page, fit to stand in a `<script>` element.
pub fn pack(rows: &[Row], causes: &[Cluster<'_>], compared: Option<&Compared>) -> String {
    let mut packed = Packed::default();
    let cases: Vec<Value> = rows.iter().map(|row| packed.case(row, compared)).collect();
    let data = json!({
        "strings": packed.strings.texts(),
        "statuses": Status::ALL.map(Status::name),
        "trends": TRENDS,
        "findings": packed.findings,
        "flows": packed.flows,
        "commands": packed.commands.first(),
        "causes": numbers(rows, causes),
        "rows": cases,
    });
    // A text must not end the element that it stands in, nor start a comment or another one.
    let data = data.to_string().replace('<', "\\u003c");
    printable::json(&data).into_owned()
}

/// The cases of each cause, by number.
fn numbers(rows: &[Row], causes: &[Cluster<'_>]) -> Vec<Vec<usize>> {
    let places = rows.iter().enumerate();
    let places: HashMap<*const Row, usize> = places
        .map(|(index, row)| (std::ptr::from_ref(row), index))
        .collect();
    let number = |row: &&Row| places.get(&std::ptr::from_ref::<Row>(row)).copied();
    let cases = |cause: &Cluster<'_>| cause.rows.iter().filter_map(number).collect();
    causes.iter().map(cases).collect()
}

impl<'a> Packed<'a> {
    fn case(&mut self, row: &'a Row, compared: Option<&Compared>) -> Value {
        let key = row.key();
        let trend = compared.and_then(|compared| compared.trends.get(&key));
        let since = compared
            .and_then(|compared| compared.since.get(&key))
            .copied();
        let status = Status::ALL.iter().position(|status| *status == row.status);
        let changes: Vec<usize> = row
            .changes
            .iter()
            .map(|change| self.finding(change))
            .collect();
        let group = format!("{} {}", row.lane, row.qemu.label);
        let (strings, commands) = (&mut self.strings, &mut self.commands);
        let command = commands.pack(&group, &row.command, strings);
        let reproduce = commands.pack(&format!("reproduce {group}"), &row.reproduce, strings);
        let flow = self.flow(row);
        let strings = &mut self.strings;
        json!([
            name(row).map_or(json!(0), |name| json!([strings.index(name)])),
            strings.index(row.lane.name()),
            strings.index(row.qemu.label.as_str()),
            strings.index(row.machine.as_str()),
            strings.index(row.cpu.as_str()),
            status,
            row.duration_ms.round() as u64,
            strings.index(row.reason.as_str()),
            command,
            changes,
            trend.map_or(0, |trend| number(*trend)),
            since.unwrap_or(0),
            strings.index(row.host.as_deref().unwrap_or_default()),
            flow,
            strings.index(kernel(row)),
            reproduce,
        ])
    }

    fn finding(&mut self, finding: &'a Finding) -> usize {
        if let Some(number) = self.known.get(finding) {
            return *number;
        }
        let line = |line: &Option<Line>| line.as_ref().map(Line::to_string).unwrap_or_default();
        let strings = &mut self.strings;
        self.findings.push(json!([
            strings.index(sentence(finding)),
            strings.index(finding.layer.name()),
            strings.index(line(&finding.minus)),
            strings.index(line(&finding.plus)),
        ]));
        self.known.insert(finding, self.findings.len() - 1);
        self.findings.len() - 1
    }

    /// The number of the features through the layers, from 1; 0 where they were not asked.
    fn flow(&mut self, row: &'a Row) -> usize {
        let Some(flow) = &row.flow else {
            return 0;
        };
        let strings = &mut self.strings;
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
        let steps: Value = steps.collect();
        let next = self.flows.len() + 1;
        let number = *self.known_flows.entry(steps.to_string()).or_insert(next);
        if number == next {
            self.flows.push(steps);
        }
        number
    }
}

/// The case's name, where lane, QEMU, machine type and model do not make it.
fn name(row: &Row) -> Option<&str> {
    let made = format!(
        "{}/{}/{}/{}",
        row.lane, row.qemu.label, row.machine, row.cpu
    );
    (row.case != made).then_some(row.case.as_str())
}

/// The kernel of a lab or of a Linux guest, as the case's name has it.
fn kernel(row: &Row) -> &str {
    let mut parts = row.case.split('/');
    parts
        .find(|part| part.starts_with("linux-"))
        .unwrap_or_default()
}

fn number(trend: Trend) -> usize {
    match trend {
        Trend::New => 1,
        Trend::Still => 2,
        Trend::Fixed => 3,
        Trend::Flaky => 4,
    }
}
