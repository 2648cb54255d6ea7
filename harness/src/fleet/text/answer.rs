//! The answer, other answers, and why it is no more.

use super::extent::{Extent, count, some};
use super::lines::{Section, cut};
use crate::fleet::forms::Form;
use crate::fleet::page::{
    Page, PageAnswer, PageBlocked, PageBlocker, PageChoice, PageHosts, PageRemedy,
};

/// Models and remedies that a screen shows.
const ON_SCREEN: usize = 3;

/// The answer.
pub(super) fn head(page: &Page, extent: Extent) -> Section {
    let hosts = count(page.hosts(), "host");
    let classes = count(page.classes.len(), "class");
    let heading = format!(
        "{hosts} in {classes}, QEMU {}, {}",
        page.release, page.machine
    );
    let mut lines = match &page.answer {
        None => vec![format!("  no answer: {}", page.no_answer)],
        Some(answer) => given(answer),
    };
    if !page.rests_on.is_empty() {
        lines.push(rests_on(page));
    }
    if let Some(answer) = page.answer.as_ref().filter(|_| extent == Extent::Screen) {
        lines.push(cut(&in_short(answer)));
    }
    if extent == Extent::Screen {
        lines.push(pointer(page.answer.is_some()));
    }
    (heading, lines)
}

fn given(answer: &PageAnswer) -> Vec<String> {
    let best = &answer.best;
    let gains = format!(
        "  a guest gains {}, {} features; every host gives every one of them",
        best.level,
        best.features.len()
    );
    vec![format!("-cpu {}", best.cpu), gains]
}

fn rests_on(page: &Page) -> String {
    let basis = page
        .rests_on
        .iter()
        .map(|basis| format!("{} of {}", basis.basis, count(basis.hosts, "host")));
    format!("  rests on {}", basis.collect::<Vec<_>>().join(", "))
}

/// Where the rest is.
fn pointer(has_answer: bool) -> String {
    let forms: Vec<&str> = Form::ALL.iter().map(|form| form.name()).collect();
    let forms = if has_answer {
        format!("--format {} prints it as they take it; ", forms.join("|"))
    } else {
        String::new()
    };
    format!("  {forms}-v prints all")
}

/// Other answers in one line.
fn in_short(answer: &PageAnswer) -> String {
    let plain = answer.plain.iter();
    let plain = plain.map(|choice| format!("{} without a flag ({})", choice.model, choice.level));
    let others = answer
        .alternatives
        .iter()
        .take(ON_SCREEN)
        .map(|choice| format!("{} ({}, {})", choice.model, choice.level, flags(choice)));
    format!(
        "  or {}",
        plain.chain(others).collect::<Vec<_>>().join(", ")
    )
}

fn flags(choice: &PageChoice) -> String {
    count(choice.plus.len() + choice.minus.len(), "flag")
}

/// Other answers, each with what it lacks.
pub(super) fn alternatives(answer: &PageAnswer) -> Vec<String> {
    let lacks = |choice: &PageChoice| {
        let own = answer.best.features.iter();
        let lost: Vec<String> = own
            .filter(|name| !choice.features.contains(name))
            .cloned()
            .collect();
        if lost.is_empty() {
            String::new()
        } else {
            format!("; lacks {}", some(&lost, 12))
        }
    };
    let line = |choice: &PageChoice| {
        let (model, level) = (&choice.model, &choice.level);
        format!("  {model}: {level}, {}{}", flags(choice), lacks(choice))
    };
    answer
        .plain
        .iter()
        .chain(&answer.alternatives)
        .map(line)
        .collect()
}

/// Models that would give more, and what blocks each.
pub(super) fn blocked(page: &Page, extent: Extent) -> Vec<String> {
    let shown = page.blocked.iter().take(extent.most(ON_SCREEN));
    shown
        .map(|blocked| match extent {
            Extent::All => in_full(blocked),
            Extent::Screen => cut(&folded(blocked, page.hosts())),
        })
        .collect()
}

fn in_full(blocked: &PageBlocked) -> String {
    let on = |hosts: &PageHosts, how: &str| {
        let label = format!("{how} {}", hosts.label);
        (hosts.hosts > 0).then_some(label)
    };
    let line = |by: &PageBlocker| {
        let lacking = on(&by.lacking, "not on");
        let hosts: Vec<String> = [lacking, on(&by.unknown, "unknown on")]
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
    let by: Vec<String> = blocked.by.iter().map(line).collect();
    format!("  {}: {}", blocked.model, by.join(", "))
}

/// A model in a line: the hosts that block most, and a few of the bits.
fn folded(blocked: &PageBlocked, all: usize) -> String {
    let who = |hosts: &PageHosts| match hosts.hosts {
        1 => hosts.label.clone(),
        number => count(number, "host"),
    };
    let line = |by: &PageBlocker| {
        let (lacking, unknown) = (by.lacking.hosts > 0, by.unknown.hosts > 0);
        let hosts = match (lacking, unknown) {
            (true, _) if by.lacking.hosts == all && all > 1 => "on no host".to_owned(),
            (true, _) => format!("not on {}", who(&by.lacking)),
            (false, true) => format!("unknown on {}", who(&by.unknown)),
            (false, false) => "not in common".to_owned(),
        };
        format!("{} ({hosts})", some(&by.features, 2))
    };
    let by: Vec<String> = blocked.by.iter().map(line).collect();
    format!("  {}: {}", blocked.model, by.join(", "))
}

/// What would give more.
pub(super) fn remedies(page: &Page, answer: &PageAnswer, extent: Extent) -> Vec<String> {
    let shown = page.remedies.iter().take(extent.most(ON_SCREEN));
    let line = |own: &PageRemedy| remedy(own, answer, extent);
    match extent {
        Extent::All => shown.map(line).collect(),
        Extent::Screen => shown.map(|own| cut(&line(own))).collect(),
    }
}

fn remedy(own: &PageRemedy, answer: &PageAnswer, extent: Extent) -> String {
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
    let gains = some(&own.gains, extent.features());
    format!("  {}: +{gains}{then}", own.remedy)
}
