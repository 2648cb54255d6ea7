//! The page's template, and what is put into it.

use askama::Template;

use crate::report::shown::Shown;
use crate::report::summary;
use crate::results::history::{Compared, History};
use crate::results::{Cluster, Head, Row, Status, clusters};

use super::cards::{Card, card};
use super::data;
use super::nights::{Night, cells, nights};
use super::since::Nights;

/// Most causes as cards; the further ones are a line each.
const CARDS: usize = 30;
/// Most causes in the page; all cases are in its heat map.
const CAUSES: usize = 200;

#[derive(Template)]
#[template(path = "page.html", config = "harness/askama.toml")]
struct Page<'a> {
    verdict: String,
    mood: &'static str,
    tally: Vec<Tally>,
    took: String,
    facts: Vec<String>,
    statuses: Vec<&'static str>,
    counts: Vec<CountRow>,
    cards: Vec<Card>,
    further: Vec<CauseLine>,
    quiet: Vec<CauseLine>,
    quiet_title: String,
    hidden: usize,
    nights: Vec<Night>,
    trends: String,
    foot: String,
    style: &'a str,
    data: String,
    script: &'a str,
}

struct Tally {
    status: &'static str,
    count: usize,
    word: &'static str,
}

struct CountRow {
    qemu: String,
    lane: String,
    cells: Vec<String>,
}

/// A cause in a line.
struct CauseLine {
    number: usize,
    status: &'static str,
    text: String,
    places: String,
    count: usize,
}

/// The script, in parts.
const SCRIPT: &str = concat!(
    include_str!("script/data.js"),
    include_str!("script/copy.js"),
    include_str!("script/case.js"),
    include_str!("script/map.js"),
    include_str!("script/page.js"),
);

/// The page of a run.
///
/// # Errors
/// The template could not be filled.
pub fn run(shown: &Shown, history: Option<&History>) -> Result<String, askama::Error> {
    let (head, rows, compared) = (shown.head(), shown.rows(), shown.compared());
    let (loud, silent) = causes(rows, compared);
    let cards: Vec<Cluster<'_>> = loud.iter().take(CARDS).cloned().collect();
    let before = Nights::new(history, &cards);
    let cards = cards.iter().enumerate();
    let cards = cards.filter_map(|(number, cause)| card(number, cause, head, compared, &before));
    let further = lines(&loud, CARDS, 0);
    let quiet = lines(&silent, 0, loud.len());
    let kept = CAUSES.saturating_sub(loud.len());
    let all: Vec<Cluster<'_>> = loud.iter().chain(&silent).take(CAUSES).cloned().collect();
    let page = Page {
        verdict: verdict(rows, &loud, compared),
        mood: mood(rows),
        tally: tally(rows),
        took: format!("{:.1} s", head.seconds),
        facts: facts(head),
        statuses: Status::ALL.map(Status::name).to_vec(),
        counts: summary::counts(rows).into_iter().map(count_row).collect(),
        cards: cards.collect(),
        further: further.into_iter().take(CAUSES - CARDS).collect(),
        quiet: quiet.into_iter().take(kept).collect(),
        quiet_title: quiet_title(rows),
        hidden: (loud.len() + silent.len()).saturating_sub(CAUSES),
        nights: nights(shown, history),
        trends: compared.map(summary::trends).unwrap_or_default(),
        foot: format!("cpuid-fidelity {}, plan {}", head.tool, head.plan.id),
        style: include_str!("style.css"),
        data: data::pack(rows, &all, compared),
        script: SCRIPT,
    };
    page.render()
}

/// The causes that somebody has to look at, new ones first; and the others.
fn causes<'a>(
    rows: &'a [Row],
    compared: Option<&Compared>,
) -> (Vec<Cluster<'a>>, Vec<Cluster<'a>>) {
    let bad = |cause: &Cluster<'_>| cause.rows.iter().any(|row| row.bad());
    let (mut loud, silent): (Vec<_>, Vec<_>) = clusters(rows).into_iter().partition(bad);
    let old = |cause: &Cluster<'_>| compared.is_some_and(|compared| compared.nights(cause) > 1);
    loud.sort_by_key(old);
    (loud, silent)
}

/// The causes behind the first `skipped`; `offset` is the number of the first of all.
fn lines(causes: &[Cluster<'_>], skipped: usize, offset: usize) -> Vec<CauseLine> {
    let numbered = causes.iter().enumerate().skip(skipped);
    let line = |(number, cause): (usize, &Cluster<'_>)| CauseLine {
        number: number + offset,
        status: cause.status.name(),
        text: cause.cause.clone(),
        places: cause.places.join(" · "),
        count: cause.rows.len(),
    };
    numbered.map(line).collect()
}

/// `13 of 1519 cases are not as expected: 2 causes, 1 of them new`.
fn verdict(rows: &[Row], loud: &[Cluster<'_>], compared: Option<&Compared>) -> String {
    let count = |wanted: Status| rows.iter().filter(|row| row.status == wanted).count();
    let bad = rows.iter().filter(|row| row.bad()).count();
    let ran = rows.len() - count(Status::Skip);
    if ran == 0 {
        return "Nothing was compared".to_owned();
    }
    if bad == 0 {
        return format!("{ran} cases, all as expected");
    }
    let new = compared.map_or(0, |compared| {
        loud.iter()
            .filter(|cause| compared.nights(cause) == 1)
            .count()
    });
    let causes = match loud.len() {
        1 => "1 cause".to_owned(),
        causes => format!("{causes} causes"),
    };
    let new = match new {
        0 => String::new(),
        new if new == loud.len() => ", new tonight".to_owned(),
        new => format!(", {new} of them new tonight"),
    };
    let are = if rows.len() == 1 {
        "case is"
    } else {
        "cases are"
    };
    format!(
        "{bad} of {} {are} not as expected: {causes}{new}",
        rows.len()
    )
}

/// The colour of the verdict.
fn mood(rows: &[Row]) -> &'static str {
    let bad = rows.iter().any(Row::bad);
    let ran = rows.iter().any(|row| row.status != Status::Skip);
    match (bad, ran) {
        (true, _) => "bad",
        (false, true) => "good",
        (false, false) => "none",
    }
}

fn tally(rows: &[Row]) -> Vec<Tally> {
    let order = [
        (Status::Fail, "failed"),
        (Status::Error, "could not be run"),
        (Status::Miss, "missing"),
        (Status::Waived, "waived"),
        (Status::Skip, "skipped"),
        (Status::Pass, "passed"),
    ];
    let count = |(status, word): (Status, &'static str)| Tally {
        status: status.name(),
        count: rows.iter().filter(|row| row.status == status).count(),
        word,
    };
    order
        .into_iter()
        .map(count)
        .filter(|tally| tally.count > 0)
        .collect()
}

fn quiet_title(rows: &[Row]) -> String {
    let quiet = tally(rows).into_iter();
    let quiet = quiet.filter(|tally| ["WAIVED", "SKIP"].contains(&tally.status));
    let words: Vec<String> = quiet
        .map(|tally| format!("{} {}", tally.count, tally.word))
        .collect();
    words.join(", ")
}

fn facts(head: &Head) -> Vec<String> {
    let host = &head.host;
    let of = |what: &str, value: &str| match value {
        "" => String::new(),
        value => format!("{what}{value}"),
    };
    let all = [
        head.started.clone(),
        host.cpu.clone(),
        of("kernel ", &host.kernel),
        of("microcode ", &host.microcode),
    ];
    all.into_iter().filter(|fact| !fact.is_empty()).collect()
}

fn count_row(((qemu, lane), counts): ((String, String), summary::Counts)) -> CountRow {
    CountRow {
        qemu,
        lane,
        cells: cells(&counts),
    }
}
