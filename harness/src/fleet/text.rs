//! A report as text and as Markdown.

use super::change::Since;
use super::page::{Page, PageAnswer, PageBlocked, PageChoice, PageHosts, PagePool, PageRemedy};
use crate::util::printable;

/// Columns of the text.
const WIDTH: usize = 100;
/// Models, remedies and remarks that the text shows of each kind.
const SHOWN: usize = 5;

/// A part of the report: its heading, and its lines.
type Section = (String, Vec<String>);

/// For a terminal.
pub fn text(page: &Page) -> String {
    let mut out = String::new();
    for (heading, lines) in sections(page) {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&format!("{}\n", printable::line(&heading)));
        for line in lines {
            out.push_str(&wrapped(&printable::line(&line)));
        }
    }
    out
}

/// For an issue, or a page of an operator's.
pub fn markdown(page: &Page) -> String {
    let mut out = String::new();
    for (at, (heading, lines)) in sections(page).into_iter().enumerate() {
        let level = if at == 0 { "#" } else { "##" };
        out.push_str(&format!("{level} {}\n\n", escaped(&heading)));
        for line in &lines {
            out.push_str(&match line.strip_prefix("-cpu ") {
                Some(cpu) => format!("```\n-cpu {}\n```\n", printable::line(cpu)),
                None => format!("- {}\n", escaped(line.trim())),
            });
        }
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out + "\n"
}

/// Without what Markdown would take for its own.
fn escaped(text: &str) -> String {
    let text = printable::line(text);
    let own = |letter: char| "\\`*_{}[]<>#|!&".contains(letter);
    text.chars()
        .flat_map(|letter| own(letter).then_some('\\').into_iter().chain([letter]))
        .collect()
}

fn sections(page: &Page) -> Vec<Section> {
    let mut all = vec![head(page)];
    if let Some(change) = &page.since {
        all.push(("since then".to_owned(), since(change)));
    }
    if let Some(answer) = &page.answer {
        all.push(("alternatives".to_owned(), alternatives(answer)));
        let lines = page.blocked.iter().take(SHOWN).flat_map(blocked).collect();
        all.push(("why not more".to_owned(), lines));
        let lines = page
            .remedies
            .iter()
            .take(SHOWN)
            .map(|own| remedy(own, answer))
            .collect();
        all.push(("what would give more".to_owned(), lines));
    }
    let lines = page
        .pools
        .iter()
        .flat_map(|pools| partition(pools))
        .collect();
    all.push(("pools, in each of which guests move".to_owned(), lines));
    let lines = page.vendors.iter().flat_map(vendor).collect();
    all.push(("an answer for each vendor".to_owned(), lines));
    all.push(("proof".to_owned(), proof(page)));
    all.push(("emulated hosts".to_owned(), lab(page)));
    all.push(("hosts".to_owned(), classes(page)));
    all.push(("to know".to_owned(), remarks(page)));
    all.retain(|(_, lines)| !lines.is_empty());
    all
}

fn head(page: &Page) -> Section {
    let hosts = count(page.hosts(), "host");
    let classes = count(page.classes.len(), "class");
    let heading = format!(
        "{hosts} in {classes}, QEMU {}, {}",
        page.release, page.machine
    );
    let rests: Vec<String> = page
        .rests_on
        .iter()
        .map(|basis| format!("{} of {}", basis.basis, count(basis.hosts, "host")))
        .collect();
    let mut lines = Vec::new();
    match &page.answer {
        None => lines.push(format!("  no answer: {}", page.no_answer)),
        Some(answer) => {
            let best = &answer.best;
            lines.push(format!("-cpu {}", best.cpu));
            lines.push(format!(
                "  a guest gains {}, {} features; every host gives every one of them",
                best.level,
                best.features.len()
            ));
        }
    }
    if !rests.is_empty() {
        lines.push(format!("  rests on {}", rests.join(", ")));
    }
    (heading, lines)
}

fn count(number: usize, what: &str) -> String {
    match (number, what) {
        (1, what) => format!("1 {what}"),
        (number, "class") => format!("{number} classes"),
        (number, what) => format!("{number} {what}s"),
    }
}

fn alternatives(answer: &PageAnswer) -> Vec<String> {
    let lost = |choice: &PageChoice| -> Vec<String> {
        answer
            .best
            .features
            .iter()
            .filter(|name| !choice.features.contains(name))
            .cloned()
            .collect()
    };
    let line = |choice: &PageChoice| {
        let flags = choice.plus.len() + choice.minus.len();
        let lost = lost(choice);
        let lacks = if lost.is_empty() {
            String::new()
        } else {
            format!("; lacks {}", some(&lost, 12))
        };
        format!(
            "  {}: {}, {}{lacks}",
            choice.model,
            choice.level,
            count(flags, "flag")
        )
    };
    answer
        .plain
        .iter()
        .chain(&answer.alternatives)
        .map(line)
        .collect()
}

/// So many names, and how many more there are.
fn some(names: &[String], most: usize) -> String {
    if names.len() <= most + 1 {
        return names.join(" ");
    }
    format!(
        "{} and {} more",
        names[..most].join(" "),
        names.len() - most
    )
}

fn blocked(blocked: &PageBlocked) -> Vec<String> {
    let on = |hosts: &PageHosts, how: &str| {
        let label = format!("{how} {}", hosts.label);
        (hosts.hosts > 0).then_some(label)
    };
    let line = |by: &super::page::PageBlocker| {
        let hosts: Vec<String> = [on(&by.lacking, "not on"), on(&by.unknown, "unknown on")]
            .into_iter()
            .flatten()
            .collect();
        let hosts = if hosts.is_empty() {
            "XSAVE differs, or what it needs is not common".to_owned()
        } else {
            hosts.join("; ")
        };
        format!("{} ({hosts})", some(&by.features, 12))
    };
    let by: Vec<String> = blocked.by.iter().take(3).map(line).collect();
    vec![format!("  {}: {}", blocked.model, by.join(", "))]
}

fn remedy(own: &PageRemedy, answer: &PageAnswer) -> String {
    let model = own.cpu.split(',').next().unwrap_or_default();
    let mut then = Vec::new();
    if model != answer.best.model {
        then.push(model.to_owned());
    }
    if own.level != answer.best.level {
        then.push(own.level.clone());
    }
    let then = if then.is_empty() {
        String::new()
    } else {
        format!(" → {}", then.join(", "))
    };
    format!("  {}: +{}{then}", own.remedy, some(&own.gains, 12))
}

fn partition(pools: &[PagePool]) -> Vec<String> {
    let line = |pool: &PagePool| {
        let model = pool.cpu.split(',').next().unwrap_or_default();
        let gains = if pool.gains.is_empty() {
            String::new()
        } else {
            format!(", +{}", some(&pool.gains, 8))
        };
        format!(
            "    {}: {model}, {}{gains}",
            some(&pool.hosts, 4),
            pool.level
        )
    };
    std::iter::once(format!("  {}", count(pools.len(), "pool")))
        .chain(pools.iter().map(line))
        .collect()
}

fn vendor(pool: &PagePool) -> [String; 2] {
    let lost = some(&pool.gains, 12);
    [
        format!(
            "  {}, {}: {}; a guest that had to run on all loses {lost}",
            pool.vendor,
            some(&pool.hosts, 4),
            pool.level
        ),
        format!("-cpu {}", pool.cpu),
    ]
}

fn proof(page: &Page) -> Vec<String> {
    let Some(proof) = &page.proof else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    let predicted = if proof.predicted > 0 {
        format!(" (a prediction for {})", count(proof.predicted, "host"))
    } else {
        String::new()
    };
    if proof.holds {
        lines.push(format!(
            "  with enforce nothing is filtered on any host, and guests see the same in {} registers and MSR features{predicted}",
            proof.compared
        ));
    }
    for (hosts, features) in &proof.filtered {
        lines.push(format!(
            "  FAIL {}: QEMU would filter {}",
            hosts.label,
            features.join(" ")
        ));
    }
    for (hosts, keys) in &proof.differing {
        lines.push(format!(
            "  FAIL {}: a guest would see something else in {}",
            hosts.label,
            keys.join(" ")
        ));
    }
    if let Some(booted) = &proof.booted {
        let qemu = &booted.qemu;
        if !booted.failure.is_empty() {
            lines.push(format!(
                "  FAIL booted here under {qemu}: {}",
                booted.failure
            ));
        } else if booted.differing.is_empty() {
            lines.push(format!("  booted here under {qemu} with its features forced: the guest shows what the answer says"));
        } else {
            lines.push(format!(
                "  FAIL booted here under {qemu}: the guest differs from the answer in {}",
                booted.differing.join(" ")
            ));
        }
    }
    if proof.layout_unknown > 0 {
        lines.push(format!(
            "  of {} nobody knows where XSAVE keeps its components: taken to be as on the others",
            count(proof.layout_unknown, "host")
        ));
    }
    lines
}

fn lab(page: &Page) -> Vec<String> {
    let Some(lab) = &page.lab else {
        return Vec::new();
    };
    let more = lab.more.as_deref().unwrap_or("-");
    let width = lab
        .rows
        .iter()
        .map(|row| row.host.chars().count())
        .max()
        .unwrap_or_default();
    let mut lines = vec![format!(
        "  {:<width$}  starts under enforce  sees the same  with +{more}",
        "host"
    )];
    for row in &lab.rows {
        let starts = if row.failure.is_empty() { "yes" } else { "NO" };
        let same = match (row.failure.is_empty(), row.differing.is_empty()) {
            (true, true) => "yes",
            (true, false) => "NO",
            (false, _) => "-",
        };
        let more = match row.more_refused {
            Some(true) => "refused",
            Some(false) => "starts",
            None => "-",
        };
        lines.push(format!(
            "  {:<width$}  {starts:<20}  {same:<13}  {more}",
            row.host
        ));
    }
    for row in &lab.rows {
        if !row.failure.is_empty() {
            lines.push(format!("  FAIL {}: {}", row.host, row.failure));
        }
        lines.extend(
            row.differing
                .iter()
                .take(SHOWN)
                .map(|line| format!("  FAIL {}: {line}", row.host)),
        );
    }
    if lab.more.is_some() {
        lines.push(if lab.is_tight() {
            format!("  tight: +{more} fails on at least one host")
        } else {
            format!("  FAIL +{more} starts on every host: the answer is not all that they give")
        });
    }
    lines
}

fn classes(page: &Page) -> Vec<String> {
    let line = |class: &super::page::PageClass| {
        let brand = if class.brand.is_empty() {
            class.vendor.clone()
        } else {
            class.brand.clone()
        };
        let kernel = class
            .kernel
            .release
            .as_ref()
            .map(|release| format!(", Linux {release}"))
            .unwrap_or_default();
        let unknown = match class.unknown.len() {
            0 => String::new(),
            number => format!("; {number} features unknown"),
        };
        let hosts = some(&class.hosts, 3);
        format!(
            "  {hosts}: {brand}{kernel}; {}; {} features that no guest gets{unknown}",
            class.basis,
            class.unused.len()
        )
    };
    let mut lines: Vec<String> = page.classes.iter().take(SHOWN * 2).map(line).collect();
    if page.classes.len() > SHOWN * 2 {
        lines.push(format!(
            "  and {} more classes (--json has all)",
            page.classes.len() - SHOWN * 2
        ));
    }
    lines
}

fn remarks(page: &Page) -> Vec<String> {
    let line = |remark: &super::page::PageRemark| {
        let mark = if remark.finding { "FAIL " } else { "" };
        format!("  {mark}{}: {}", remark.hosts.label, remark.text)
    };
    let mut lines: Vec<String> = page.remarks.iter().take(SHOWN * 2).map(line).collect();
    let refused = page
        .refused
        .iter()
        .take(SHOWN * 2)
        .map(|reason| format!("  left out: {reason}"));
    lines.extend(refused);
    lines
}

fn since(change: &Since) -> Vec<String> {
    let mut lines = Vec::new();
    if change.then == change.now {
        lines.push("  the answer is as it was".to_owned());
    } else {
        lines.push(format!("  CHANGED the answer was {}", change.then));
    }
    for (what, names) in [
        ("guests lose", &change.lost),
        ("guests gain", &change.gained),
    ] {
        if !names.is_empty() {
            lines.push(format!("  {what} {}", names.join(" ")));
        }
    }
    for own in &change.hosts {
        let hosts = some(&own.hosts, 4);
        let with = if own.with.is_empty() {
            String::new()
        } else {
            format!(" ({})", own.with.join("; "))
        };
        if !own.lost.is_empty() {
            lines.push(format!("  LOST {hosts}: {}{with}", some(&own.lost, 16)));
        }
        if !own.needed.is_empty() {
            lines.push(format!(
                "    guests of the earlier answer neither start nor arrive there: {}",
                some(&own.needed, 16)
            ));
        }
        if !own.gained.is_empty() {
            lines.push(format!("  gained {hosts}: {}{with}", some(&own.gained, 16)));
        }
    }
    for (what, hosts) in [("new", &change.come), ("gone", &change.gone)] {
        if !hosts.is_empty() {
            lines.push(format!("  {what}: {}", some(hosts, 8)));
        }
    }
    lines
}

/// A line broken between words, the rest of it indented; a `-cpu` argument is never broken.
fn wrapped(line: &str) -> String {
    if line.starts_with("-cpu ") || line.chars().count() <= WIDTH {
        return format!("{line}\n");
    }
    let indent = line.len() - line.trim_start().len();
    let mut out = " ".repeat(indent);
    let mut column = indent;
    for (at, word) in line.split_whitespace().enumerate() {
        let length = word.chars().count();
        if at > 0 && column + 1 + length > WIDTH {
            out.push_str(&format!("\n{}", " ".repeat(indent + 4)));
            column = indent + 4;
        } else if at > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_broken_between_words_and_an_argument_is_not() {
        let long = format!("  a: {}", ["feature"; 20].join(" "));
        let broken = wrapped(&long);
        assert!(broken.lines().all(|line| line.len() <= WIDTH), "{broken}");
        assert_eq!(
            broken
                .lines()
                .nth(1)
                .map(|line| line.starts_with("      feature")),
            Some(true)
        );
        let argument = format!("-cpu EPYC,{}", ["+avx2"; 40].join(","));
        assert_eq!(wrapped(&argument), format!("{argument}\n"));
    }

    #[test]
    fn a_name_makes_no_markup() {
        assert_eq!(escaped("<b>*a*</b>"), "\\<b\\>\\*a\\*\\</b\\>");
        assert_eq!(escaped("a\u{1b}[31m"), "a\\\\u\\{1b\\}\\[31m");
    }
}
