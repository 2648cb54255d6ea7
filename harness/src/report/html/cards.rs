//! Causes as cards: who, what, since when, the difference, and how to see it again.

use crate::check::{Finding, Layer};
use crate::report::reproducer;
use crate::results::crossing::Binary;
use crate::results::history::Compared;
use crate::results::{Cluster, Head, Row};
use crate::util::printable::line;
use crate::util::shell::quoted;

use super::since::{LastGood, Nights, Since};

/// Most lines of a difference; the case itself has all.
const LINES: usize = 24;
/// Most cases that are named.
const NAMED: usize = 12;
/// What the places of a cause are, in their order.
const PLACES: [&str; 3] = ["models", "machine types", "runs as"];

/// A cause that somebody has to look at.
pub struct Card {
    /// Its place among the causes, which the map is narrowed by.
    pub number: usize,
    /// `FAIL`.
    pub status: &'static str,
    /// `avx2 lost at CPUID.07H.00H:EBX[5]`.
    pub title: String,
    /// `new`, `since 3 nights`; empty without earlier nights.
    pub trend: String,
    /// Who had a hand in it.
    pub who: Vec<Fact>,
    /// Which guests.
    pub what: Vec<Fact>,
    /// Since when.
    pub since: String,
    /// The option that it takes to know; empty where it is known.
    pub since_option: &'static str,
    /// The difference, a line each.
    pub lines: Vec<DiffLine>,
    /// Lines that are left out.
    pub more_lines: usize,
    /// What a case without findings says.
    pub reason: String,
    /// The case that stands for all: the one with the difference and the command.
    pub example: String,
    /// The command of ours that shows it, quoted for a shell: an argument each, or an option with its values, which stay on one line.
    pub reproduce: Vec<String>,
    /// How its result is read.
    pub reading: &'static str,
    /// How many cases.
    pub count: usize,
    /// The names of the first.
    pub cases: Vec<String>,
    /// Cases that are not named.
    pub more_cases: usize,
}

/// A name and a value, and what the value was on the last good night where that is something else.
pub struct Fact {
    /// `kernel`.
    pub name: &'static str,
    /// `6.1.0`.
    pub value: String,
    /// The value of the last good night; `None` where it is the same, or not known.
    pub was: Option<String>,
    /// Said behind it.
    pub note: &'static str,
}

/// A line of a difference.
pub struct DiffLine {
    /// `del` or `ins`, the elements of HTML.
    pub element: &'static str,
    /// With its sign.
    pub text: String,
}

impl Fact {
    fn new(name: &'static str, value: String) -> Fact {
        Fact {
            name,
            value,
            was: None,
            note: "",
        }
    }
}

/// The card of a cause.
pub fn card(
    number: usize,
    cause: &Cluster<'_>,
    head: &Head,
    compared: Option<&Compared>,
    nights: &Nights<'_>,
) -> Option<Card> {
    let example = cause.rows.first()?;
    let since = nights.since(cause);
    let all: Vec<DiffLine> = diff(&cause.findings);
    let more_lines = all.len().saturating_sub(LINES);
    Some(Card {
        number,
        status: cause.status.name(),
        title: cause.cause.clone(),
        trend: compared.map_or(String::new(), |compared| trend(compared.nights(cause))),
        who: who(cause, head, since.last_good),
        what: what(cause),
        since: spoken(&since, head, nights),
        since_option: if nights.is_empty() {
            "(--history DIR)"
        } else {
            ""
        },
        lines: all.into_iter().take(LINES).collect(),
        more_lines,
        reason: if cause.findings.is_empty() {
            example.reason.clone()
        } else {
            String::new()
        },
        example: example.case.clone(),
        reproduce: phrases(&example.reproduce),
        reading: reproducer::reading(cause.status),
        count: cause.rows.len(),
        cases: cause
            .rows
            .iter()
            .take(NAMED)
            .map(|row| row.case.clone())
            .collect(),
        more_cases: cause.rows.len().saturating_sub(NAMED),
    })
}

fn trend(nights: usize) -> String {
    match nights {
        0 => String::new(),
        1 => "new".to_owned(),
        nights => format!("{nights} nights"),
    }
}

fn diff(findings: &[&Finding]) -> Vec<DiffLine> {
    let lines = findings.iter().flat_map(|finding| {
        let text = finding.diff();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    });
    let marked = lines.map(|text| DiffLine {
        element: if text.starts_with('+') { "ins" } else { "del" },
        text,
    });
    marked.collect()
}

/// The layer, then all that can have changed: QEMU's package, the kernel, the microcode.
fn who(cause: &Cluster<'_>, head: &Head, good: Option<LastGood<'_>>) -> Vec<Fact> {
    let layer = match &cause.layer {
        Layer::Unknown => "not known".to_owned(),
        layer => layer.to_string(),
    };
    let mut facts = vec![Fact::new("layer", layer)];
    facts.extend(qemus(&cause.rows, good));
    facts.extend(host(cause, head, good));
    facts
}

/// The binaries, each once; the first is compared with the last good night's, which is one of the same cases.
fn qemus(rows: &[&Row], good: Option<LastGood<'_>>) -> Vec<Fact> {
    let mut binaries: Vec<&Binary> = rows.iter().map(|row| &row.qemu).collect();
    binaries.dedup();
    binaries.sort();
    binaries.dedup();
    let shown = binaries
        .iter()
        .take(3)
        .filter(|binary| !binary.version.is_empty());
    let facts = shown.map(|binary| Fact {
        was: good
            .map(|good| &good.row.qemu)
            .filter(|before| line(&before.label) == binary.label)
            .map(named)
            .filter(|before| *before != named(binary)),
        ..Fact::new("QEMU", named(binary))
    });
    facts.collect()
}

/// `11.1.3 (Debian 1:11.1.3+ds-1~bpo13+1), /usr/bin/qemu-system-x86_64`.
fn named(binary: &Binary) -> String {
    let package = match binary.package.as_str() {
        "" => String::new(),
        package => format!(" ({package})"),
    };
    line(&format!("{}{package}, {}", binary.version, binary.path)).into_owned()
}

fn host(cause: &Cluster<'_>, head: &Head, good: Option<LastGood<'_>>) -> Vec<Fact> {
    let independent = cause.rows.iter().all(|row| row.host.is_none());
    let note = if independent {
        "no part in this lane"
    } else {
        ""
    };
    let before = good.map(|good| &good.head.host);
    let fact = |name, now: &str, before: Option<&String>| Fact {
        was: before
            .map(|before| line(before).into_owned())
            .filter(|before| before != now && !independent),
        note,
        ..Fact::new(name, now.to_owned())
    };
    let facts = [
        fact(
            "host kernel",
            &head.host.kernel,
            before.map(|host| &host.kernel),
        ),
        fact(
            "microcode",
            &head.host.microcode,
            before.map(|host| &host.microcode),
        ),
    ];
    facts
        .into_iter()
        .filter(|fact| !fact.value.is_empty())
        .collect()
}

fn what(cause: &Cluster<'_>) -> Vec<Fact> {
    let named = PLACES.iter().copied().chain(std::iter::repeat("also"));
    let facts = cause.places.iter().zip(named);
    let facts = facts.map(|(place, name)| Fact::new(name, place.clone()));
    facts.filter(|fact| !fact.value.is_empty()).collect()
}

/// Arguments, quoted for a shell, each option together with what follows it. A `-` alone is a value.
fn phrases(arguments: &[String]) -> Vec<String> {
    let is_option = |argument: &str| argument.len() > 1 && argument.starts_with('-');
    let mut phrases: Vec<String> = Vec::new();
    for argument in arguments {
        let word = quoted(argument);
        let last = phrases.last_mut().filter(|last| is_option(last));
        match last.filter(|_| !is_option(argument)) {
            Some(option) => option.extend([" ", &word]),
            None => phrases.push(word.into_owned()),
        }
    }
    phrases
}

/// `2026-11-22 (3 nights); last good 2026-11-21`.
fn spoken(since: &Since<'_>, head: &Head, nights: &Nights<'_>) -> String {
    if nights.is_empty() {
        return "not known: no earlier nights".to_owned();
    }
    let first = day(&since.first.unwrap_or(head).started);
    let count = match since.nights {
        1 => "tonight for the first time".to_owned(),
        nights => format!("{nights} nights"),
    };
    let good = match since.last_good {
        Some(good) => format!("last good {}", day(&good.head.started)),
        None => "no earlier night ran it and was good".to_owned(),
    };
    format!("{first} ({count}); {good}")
}

/// The day of a time as RFC 3339 has it; any other text as it is.
pub fn day(started: &str) -> String {
    let day = started.split('T').next().unwrap_or(started);
    line(day).into_owned()
}
