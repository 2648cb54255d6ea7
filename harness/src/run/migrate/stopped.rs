//! A migration that did not arrive: who stopped it, in which stage, and what that says of QEMU.
//!
//! Refused before start and failed in the stream are answers about two QEMUs. A QEMU that crashes, hangs or is killed is none: that is
//! an ERROR, as everywhere.

use std::time::Duration;

use crate::evidence::warnings::Warnings;
use crate::results::{Status, migration::Outcome};
use crate::util::process::Ending;
use crate::vmm::failure::{is_refusal_by_enforce, without_tcg_warnings};
use crate::vmm::guest::Boot;
use crate::vmm::migrate::outcome::{End, Migrated, Side, Stage};

/// How one ended that did not end well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// FAIL where the destination does not take what it should; PASS where `enforce` did what it was asked for; ERROR else.
    pub status: Status,
    /// `None` where that says nothing of the QEMUs.
    pub outcome: Option<Outcome>,
    /// One message: what happened, and QEMU's message.
    pub reason: String,
    /// QEMU's message alone.
    pub message: String,
}

impl Stopped {
    /// The test broke.
    pub fn broke(reason: String) -> Stopped {
        Stopped {
            status: Status::Error,
            outcome: None,
            reason,
            message: String::new(),
        }
    }
}

/// What became of a migration that stopped before its end; `cpu` is its `-cpu` argument, `timeout` what each stage was given.
pub fn stopped(ran: &Migrated, cpu: &str, timeout: Duration) -> Stopped {
    if ended(ran).any(|(_, end)| end.ending == Ending::Cancelled) {
        return Stopped {
            status: Status::Miss,
            ..Stopped::broke("cancelled".to_owned())
        };
    }
    match ran.stage {
        Stage::Start | Stage::Begin => refused(ran, cpu),
        Stage::Dump => Stopped::broke(guest_broke(Side::Source, ran, timeout)),
        Stage::Save => Stopped::broke(unsaved(ran)),
        Stage::Stream | Stage::Resume => failed(ran),
        Stage::Plug if !ran.message.is_empty() => Stopped::broke(format!(
            "failed to plug in a vCPU on the destination: {}",
            ran.message
        )),
        _ => Stopped::broke(guest_broke(Side::Destination, ran, timeout)),
    }
}

fn ended(ran: &Migrated) -> impl Iterator<Item = (Side, &End)> {
    let source = ran.source.iter().map(|end| (Side::Source, end));
    source.chain(ran.destination.iter().map(|end| (Side::Destination, end)))
}

/// Nothing has begun: a command line that a QEMU does not take, or a migration that one will not begin.
fn refused(ran: &Migrated, cpu: &str) -> Stopped {
    let own: Vec<_> = ended(ran)
        .filter(|(side, _)| ran.sides.contains(side))
        .collect();
    let refusal = |end: &End| matches!(end.ending, Ending::Exited(status) if status != 0);
    if ran.message.is_empty() && !own.iter().all(|(_, end)| refusal(end)) {
        let ends: Vec<_> = own.iter().map(|(side, end)| describe(*side, end)).collect();
        let ends = ends.join(", and ");
        return Stopped::broke(format!("before the migration began {ends}"));
    }
    let by = |side: Side, message: &str| format!("by the {}: {message}", side.name());
    let refusals: Vec<String> = match ran.message.as_str() {
        "" => own
            .iter()
            .map(|(side, end)| by(*side, &message(&end.stderr)))
            .collect(),
        text => ran.sides.iter().map(|side| by(*side, text)).collect(),
    };
    // Whoever asks for `enforce` asks for exactly this; any other refusal keeps the question from being answered.
    let asked = cpu
        .split(',')
        .any(|option| option == "enforce" || option == "enforce=on");
    let enforced = own
        .iter()
        .all(|(_, end)| is_refusal_by_enforce(&end.stderr));
    let message = refusals.join("; ");
    Stopped {
        status: if asked && enforced && ran.message.is_empty() {
            Status::Pass
        } else {
            Status::Error
        },
        outcome: Some(Outcome::Refused),
        reason: format!("refused before start {message}"),
        message,
    }
}

/// The file did not take it, or the source died over it: nothing about the destination.
fn unsaved(ran: &Migrated) -> String {
    match (ran.message.as_str(), &ran.source) {
        ("", Some(end)) => format!("while saving {}", describe(Side::Source, end)),
        (message, _) => format!("the source failed to save the guest: {message}"),
    }
}

/// The stream broke, or the destination did not take it.
fn failed(ran: &Migrated) -> Stopped {
    let died = ended(ran).find(|(_, end)| matches!(end.ending, Ending::Signalled(_)));
    if let Some((side, end)) = died {
        return Stopped {
            outcome: Some(Outcome::Failed),
            message: message(&end.stderr),
            ..Stopped::broke(format!("in the stream {}", describe(side, end)))
        };
    }
    let broken = |end: &End| matches!(end.ending, Ending::Closed | Ending::Garbled);
    if let Some((side, end)) = ended(ran).find(|(_, end)| broken(end)) {
        return Stopped::broke(format!("in the stream {}", describe(side, end)));
    }
    let late =
        |(side, end): &(Side, &End)| ran.sides.contains(side) && end.ending == Ending::TimedOut;
    if ran.message.is_empty() && ended(ran).any(|end| late(&end)) {
        let what = match ran.stage {
            Stage::Resume => "the destination took the stream and never became running",
            _ => "the stream never ended",
        };
        return Stopped::broke(what.to_owned());
    }
    let refused = ran
        .destination
        .as_ref()
        .filter(|end| matches!(end.ending, Ending::Exited(_)));
    // What the source says is most often that the other has hung up.
    let of_destination = refused
        .map(|end| message(&end.stderr))
        .filter(|text| !text.is_empty());
    let own = Some(ran.message.clone()).filter(|text| !text.is_empty());
    let silent = || {
        refused.map_or_else(
            || "no reason given".to_owned(),
            |end| describe(Side::Destination, end),
        )
    };
    let message = of_destination.or(own).unwrap_or_else(silent);
    Stopped {
        status: Status::Fail,
        outcome: Some(Outcome::Failed),
        reason: format!("failed in the stream: {message}"),
        message,
    }
}

/// The guest itself broke on one side, as it might without any migration.
fn guest_broke(side: Side, ran: &Migrated, timeout: Duration) -> String {
    let (end, slots) = match side {
        Side::Source => (&ran.source, &ran.before),
        Side::Destination => (&ran.destination, &ran.after),
    };
    let Some(End { ending, stderr }) = end.clone() else {
        return format!("the {} is gone", side.name());
    };
    let boot = Boot {
        command: Vec::new(),
        ending,
        stderr,
        elapsed: Duration::ZERO,
        view: None,
        slots: slots.clone(),
        console: None,
    };
    let when = match ran.stage {
        Stage::Plug => "after the hot-plug ",
        Stage::Reset => "after the reset ",
        _ => "",
    };
    let why = match ran.message.as_str() {
        "" => boot.failure(None, timeout).message,
        message => message.to_owned(),
    };
    format!("{when}on the {}: {why}", side.name())
}

/// How a QEMU ended, with its message.
fn describe(side: Side, end: &End) -> String {
    let how = end.ending;
    match message(&end.stderr) {
        text if text.is_empty() => format!("the {} {how}", side.name()),
        text => format!("the {} {how}; stderr: {text}", side.name()),
    }
}

/// What QEMU printed, without its warnings where it printed more; with `enforce`, the features that it warned of.
fn message(stderr: &str) -> String {
    let text = without_tcg_warnings(stderr);
    let errors: Vec<&str> = text
        .lines()
        .filter(|line| !line.contains("warning: "))
        .collect();
    let plain = if errors.is_empty() {
        text.clone()
    } else {
        errors.join("\n")
    };
    if !is_refusal_by_enforce(&plain) {
        return plain;
    }
    let warnings = Warnings::read(stderr);
    let names = warnings
        .features
        .iter()
        .map(|feature| feature.name.as_str());
    let names: Vec<&str> = names.filter(|name| !name.is_empty()).collect();
    format!("{plain}: {}", names.join(", "))
}

#[cfg(test)]
#[path = "stopped_tests.rs"]
mod tests;
