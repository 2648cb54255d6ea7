//! A guest that was saved on one machine and comes to another: what becomes of it there.

use super::stopped::stopped;
use super::whole;
use crate::case::Case;
use crate::check::Finding;
use crate::check::migration::{migrated, running};
use crate::results::migration::Outcome;
use crate::run::engine::Engine;
use crate::vmm::migrate::{Migrated, Saved, Stage};

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// `None` where it broke off for a reason that says nothing of the machines.
    pub outcome: Option<Outcome>,
    /// What changed for the guest, or why it did not arrive.
    pub details: Vec<String>,
}

impl Moved {
    fn broke(reason: String) -> Moved {
        Moved {
            outcome: None,
            details: vec![reason],
        }
    }
}

/// Restores it as `to`, which is the guest on its new machine, and compares what it sees with what it saw.
pub fn moved(engine: &Engine, to: &Case, saved: &Saved) -> Moved {
    if saved.stream.is_empty() {
        return ended(engine, to, &saved.migrated);
    }
    match engine.bench.restore(to, saved) {
        Err(reason) => Moved::broke(reason),
        Ok(arrived) => ended(engine, to, &saved.continued(arrived)),
    }
}

fn ended(engine: &Engine, to: &Case, ran: &Migrated) -> Moved {
    if ran.stage != Stage::Done {
        let stopped = stopped(ran, &to.cpu, engine.bench.options.timeout);
        return Moved {
            outcome: stopped.outcome,
            details: vec![stopped.reason],
        };
    }
    let store = &engine.bench.store;
    let sides = [
        (&ran.before, "on the source"),
        (&ran.after, "on the destination"),
    ];
    let lines = sides.map(|(slots, place)| {
        let dump = whole(slots, place).map_err(|stopped| stopped.reason)?;
        Ok(running(&dump, &store.table, &store.volatile))
    });
    match lines {
        [Ok(before), Ok(after)] => compared(&migrated(&before, &after)),
        [Err(reason), _] | [_, Err(reason)] => Moved::broke(reason),
    }
}

fn compared(changes: &[Finding]) -> Moved {
    let text = |change: &Finding| {
        let Finding {
            name,
            place,
            expected,
            actual,
            ..
        } = change;
        let kind = change.kind.name();
        format!("{kind} {name} {place}: {expected} → {actual}")
    };
    Moved {
        outcome: Some(if changes.is_empty() {
            Outcome::Clean
        } else {
            Outcome::Changed
        }),
        details: changes.iter().map(text).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{CheckId, Kind, Layer};

    #[test]
    fn a_guest_whose_cpu_changed_on_its_way_is_no_clean_one() {
        assert_eq!(compared(&[]).outcome, Some(Outcome::Clean));
        let change = Finding::new(
            CheckId::Migration,
            Kind::Lost,
            "avx2",
            "avx2",
            "",
            Layer::Qemu,
        );
        let changed = compared(&[change]);
        assert_eq!(changed.outcome, Some(Outcome::Changed));
        assert_eq!(changed.details, ["lost avx2 : avx2 → "]);
    }
}
