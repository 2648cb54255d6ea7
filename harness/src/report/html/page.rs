//! The page's template, and what is put into it.

use askama::Template;

use crate::check::Layer;
use crate::results::Status;
use crate::results::history::History;
use crate::results::{Head, Row, clusters};
use crate::util::printable::line;

use super::data;
use crate::report::shown::Shown;
use crate::report::summary;

/// Most causes in the page; all cases are in its heat map.
const CAUSES: usize = 200;

#[derive(Template)]
#[template(path = "page.html", config = "harness/askama.toml")]
struct Page<'a> {
    verdict: String,
    facts: Vec<String>,
    statuses: Vec<&'static str>,
    counts: Vec<CountRow>,
    causes: Vec<CauseRow>,
    hidden: usize,
    nights: Vec<NightRow>,
    trends: String,
    foot: String,
    style: &'a str,
    data: String,
    script: &'a str,
}

struct CountRow {
    qemu: String,
    lane: String,
    cells: Vec<String>,
}

struct CauseRow {
    status: &'static str,
    text: String,
    places: String,
    count: String,
    since: String,
}

struct NightRow {
    name: String,
    cells: Vec<String>,
    bad: usize,
    all: usize,
}

/// The page of a run.
///
/// # Errors
/// The template could not be filled.
pub fn run(shown: &Shown, history: Option<&History>) -> Result<String, askama::Error> {
    let (head, rows, compared) = (shown.head(), shown.rows(), shown.compared());
    let bad = rows.iter().filter(|row| row.bad()).count();
    let mut causes = clusters(rows);
    let hidden = causes.len().saturating_sub(CAUSES);
    causes.truncate(CAUSES);
    let page = Page {
        verdict: match bad {
            0 => format!("{} cases, all as expected", rows.len()),
            bad => format!("{bad} of {} cases are not as expected", rows.len()),
        },
        facts: facts(head),
        statuses: Status::ALL.map(Status::name).to_vec(),
        counts: summary::counts(rows).into_iter().map(count_row).collect(),
        causes: causes
            .iter()
            .map(|cluster| CauseRow {
                status: cluster.status.name(),
                text: match &cluster.layer {
                    Layer::Unknown => cluster.cause.clone(),
                    layer => format!("{} (layer {layer})", cluster.cause),
                },
                places: cluster.places.join(" · "),
                count: match cluster.rows.len() {
                    1 => "1 case".to_owned(),
                    count => format!("{count} cases"),
                },
                since: compared.map_or(String::new(), |compared| {
                    let since = summary::since(compared, cluster);
                    since.trim_start_matches(", ").to_owned()
                }),
            })
            .collect(),
        hidden,
        nights: nights(shown, history),
        trends: compared.map(summary::trends).unwrap_or_default(),
        foot: format!("cpuid-fidelity {}, plan {}", head.tool, head.plan.id),
        style: include_str!("style.css"),
        data: data::pack(rows, &causes, compared),
        script: include_str!("page.js"),
    };
    page.render()
}

fn facts(head: &Head) -> Vec<String> {
    let host = &head.host;
    let all = [
        head.started.clone(),
        format!("{:.1} s", head.seconds),
        host.cpu.clone(),
        host.kernel.clone(),
        host.id.clone(),
    ];
    all.into_iter().filter(|fact| !fact.is_empty()).collect()
}

fn cells(counts: &summary::Counts) -> Vec<String> {
    let cell = |status: Status| match counts.get(&status) {
        Some(count) => count.to_string(),
        None => "·".to_owned(),
    };
    Status::ALL.map(cell).to_vec()
}

fn count_row(((qemu, lane), counts): ((String, String), summary::Counts)) -> CountRow {
    CountRow {
        qemu,
        lane,
        cells: cells(&counts),
    }
}

/// The nights before, newest first, under tonight.
fn nights(shown: &Shown, history: Option<&History>) -> Vec<NightRow> {
    let Some(history) = history else {
        return Vec::new();
    };
    let night = |(head, rows): (&Head, &[Row])| {
        let mut counts = summary::Counts::new();
        for row in rows {
            *counts.entry(row.status).or_default() += 1;
        }
        NightRow {
            name: line(&head.started).into_owned(),
            cells: cells(&counts),
            bad: rows.iter().filter(|row| row.bad()).count(),
            all: rows.len().max(1),
        }
    };
    let before = history.nights.iter().rev();
    let before = before.map(|night| (&night.head, night.rows.as_slice()));
    std::iter::once((shown.head(), shown.rows()))
        .chain(before)
        .map(night)
        .collect()
}
