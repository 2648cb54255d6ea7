//! Migrations: a guest is dumped on both sides and compared. [`stopped`] describes those that did not arrive, [`between`] has those from
//! one machine to another.

pub mod between;
pub mod stopped;

use std::collections::BTreeSet;
use std::sync::Arc;

use rayon::prelude::*;

use self::stopped::{Stopped, stopped};
use super::engine::Engine;
use super::unmet::unmet;
use super::verdict::{Verdict, expected, judged, result};
use crate::case::Qemu;
use crate::case::Trial;
use crate::case::guest::Case;
use crate::case::migration::Migration;
use crate::case::migration::pair;
use crate::check::groups::{Models, shifted};
use crate::check::migration::{LAYER, after_plug, after_reset, asked_for, migrated, running};
use crate::check::topology::Asked;
use crate::check::{CheckId, Finding, Groups, Kind, compare, compare_with_emptied};
use crate::cpuid::assemble::assemble;
use crate::cpuid::dump::Dump;
use crate::cpuid::line::Line;
use crate::evidence::RecordedCase;
use crate::results::crossing::{By, Crossed, Crossing};
use crate::results::migration::Outcome;
use crate::results::{Row, Status, crossing, migration};
use crate::vmm::migrate::outcome::{Migrated, Stage};

/// Migrates the guests of a trial.
pub(super) fn judge(
    engine: &Engine,
    trial: &Trial,
    migration: &Migration,
    done: &(dyn Fn(&Row) + Sync),
) -> Verdict {
    let run = |case: &Case| {
        let tried = Tried {
            engine,
            trial,
            migration,
            case,
            shown: shown(case, migration),
        };
        let (result, changes) = tried.judged();
        done(&result);
        (result, changes)
    };
    let ran: Vec<_> = engine
        .bench
        .pool()
        .install(|| trial.cases.par_iter().map(run).collect());
    let mut groups = Groups::default();
    let mut whole = !trial.expectation.as_os_str().is_empty();
    for (case, (result, changes)) in trial.cases.iter().zip(&ran) {
        match changes {
            Some(changes) => groups.add(model(case), changes),
            None => whole &= result.status == Status::Pass,
        }
    }
    let all = trial
        .cases
        .iter()
        .flat_map(|case| models(case, migration))
        .collect();
    let all = Models::new(all, &engine.bench.store.sets);
    Verdict {
        results: ran.into_iter().map(|(result, _)| result).collect(),
        observed: whole.then(|| groups.render(&all)),
    }
}

/// Every model that both sides have: what `*` stands for in a file of differences.
fn models(case: &Case, migration: &Migration) -> BTreeSet<String> {
    let there: BTreeSet<&str> = migration.to.offers.compared_models().collect();
    let shared = case
        .qemu
        .offers
        .compared_models()
        .filter(|name| there.contains(name));
    shared.map(str::to_owned).collect()
}

fn model(case: &Case) -> &str {
    case.cpu.split(',').next().unwrap_or(&case.cpu)
}

/// Why a migration cannot be tried, known before anything starts: a side lacks the machine type or the model.
pub fn lacking(case: &Case, migration: &Migration) -> Option<String> {
    let machine = case.machine.split(',').next().unwrap_or(&case.machine);
    [&case.qemu, &migration.to].into_iter().find_map(|qemu| {
        let Qemu { label, offers, .. } = &**qemu;
        let machines = offers.machines.iter().map(|machine| machine.name.as_str());
        if !machines.chain(["pc", "q35"]).any(|name| name == machine) {
            return Some(format!("{label} has no machine type {machine}"));
        }
        let known = offers.models.iter().any(|known| known.name == model(case));
        (!known).then(|| format!("{label} has no CPU model {}", model(case)))
    })
}

/// What a migration tells of two releases; nothing where it stayed within one, or broke off for a reason that says nothing of either.
fn crossing(passage: &migration::Migration, changes: &[Finding]) -> Option<Crossing> {
    if passage.from.path == passage.to.path {
        return None;
    }
    Some(Crossing {
        from: passage.from.clone(),
        by: By::Migration,
        outcome: match passage.outcome? {
            Outcome::Clean => crossing::Outcome::Safe,
            Outcome::Changed => crossing::Outcome::Changes,
            Outcome::Refused | Outcome::Failed => crossing::Outcome::Refused,
        },
        lacking: None,
        changes: changes
            .iter()
            .map(|change| Crossed::new(change, ""))
            .collect(),
        command: Vec::new(),
    })
}

/// A case that is being migrated.
struct Tried<'a> {
    engine: &'a Engine,
    trial: &'a Trial,
    migration: &'a Migration,
    case: &'a Case,
    /// The case as results and waivers name it.
    shown: Case,
}

/// With the pair in the place of the QEMU.
fn shown(case: &Case, migration: &Migration) -> Case {
    let qemu = Qemu {
        path: case.qemu.path.clone(),
        label: pair(&case.qemu, &migration.to),
        offers: Arc::clone(&case.qemu.offers),
    };
    Case {
        qemu: Arc::new(qemu),
        ..case.clone()
    }
}

/// What was seen.
struct Seen {
    before: Vec<Line>,
    after: Vec<Line>,
    /// What changed with the migration.
    changes: Vec<Finding>,
    /// What is wrong beside it: vCPUs that nobody asked for, one that is no twin, a reset that is none.
    later: Vec<Finding>,
}

impl Tried<'_> {
    /// The result, and where the guest was seen on both sides what changed with the migration.
    fn judged(&self) -> (Row, Option<Vec<Finding>>) {
        if let Some(reason) = lacking(self.case, self.migration) {
            return (
                self.finished(
                    result(self.trial, &self.shown, Status::Skip, &reason),
                    self.passage(),
                ),
                None,
            );
        }
        let ran = match self.engine.bench.migrate(self.case, self.migration) {
            Err(problem) => {
                let result = result(self.trial, &self.shown, Status::Error, &problem.to_string());
                return (self.finished(result, self.passage()), None);
            }
            Ok(ran) => ran,
        };
        let mut passage = self.passage();
        if let Some(statistics) = ran.statistics {
            passage.total_ms = Some(statistics.total_ms);
            passage.downtime_ms = Some(statistics.downtime_ms);
            passage.ram_bytes = Some(statistics.ram_bytes);
        }
        let seen = match ran.stage {
            Stage::Done => self.seen(&ran),
            _ => Err(stopped(
                &ran,
                &self.case.cpu,
                self.engine.bench.options.timeout,
            )),
        };
        let (result, changes, recorded) = match seen {
            Ok(seen) => {
                let clean = seen.changes.is_empty() && seen.later.is_empty();
                passage.outcome = Some(if clean {
                    Outcome::Clean
                } else {
                    Outcome::Changed
                });
                // A leaf that is emptied differs from one that is gone: a file says which.
                let recorded = compare_with_emptied(&seen.before, &seen.after, LAYER);
                let result = self.compared(&seen).saw(&seen.after);
                (result, seen.changes, Some(recorded))
            }
            Err(stopped) => {
                passage.outcome = stopped.outcome;
                passage.sides = ran
                    .sides
                    .iter()
                    .map(|side| side.name().to_owned())
                    .collect();
                passage.message.clone_from(&stopped.message);
                (self.broken_off(&stopped), Vec::new(), None)
            }
        };
        let result = result.ran(ran.elapsed, &self.again());
        let crossing = crossing(&passage, &changes);
        let result = self.finished(result, passage);
        (Row { crossing, ..result }, recorded)
    }

    fn passage(&self) -> migration::Migration {
        migration::Migration::planned(&self.case.qemu, self.migration)
    }

    fn finished(&self, result: Row, passage: migration::Migration) -> Row {
        Row {
            migration: Some(passage),
            ..result
        }
    }

    fn seen(&self, ran: &Migrated) -> Result<Seen, Stopped> {
        let store = &self.engine.bench.store;
        let lines = |dump: &Dump| running(dump, &store.table, &store.volatile);
        let before = whole(&ran.before, "on the source")?;
        let after = whole(&ran.after, "on the destination")?;
        let mut later = self.not_as_asked([&before, &after]);
        if let Some(slots) = &ran.plugged {
            let plugged = whole(slots, "after the hot-plug")?;
            let count = self.case.smp.vcpus() + 1;
            later.extend(after_plug(
                &after,
                &plugged,
                count,
                &store.table,
                &store.volatile,
            ));
        }
        if let Some(slots) = &ran.reset {
            let reset = whole(slots, "after the reset")?;
            let here = self.engine.observe(&self.migration.destination(self.case));
            let fresh = here.as_ref().as_ref().map_err(|broken| {
                let stopped =
                    Stopped::broke(format!("started on the destination: {}", broken.reason));
                if broken.is_cancelled() {
                    Stopped {
                        status: Status::Miss,
                        ..stopped
                    }
                } else {
                    stopped
                }
            })?;
            later.extend(after_reset(
                &fresh.dump,
                &reset,
                &store.table,
                &store.volatile,
            ));
        }
        let (before, after) = (lines(&before), lines(&after));
        later.extend(unmet(self.engine, self.case, &before));
        Ok(Seen {
            changes: migrated(&before, &after),
            before,
            after,
            later,
        })
    }

    /// Where vCPUs and topology are not what `-smp` asks for: on the source, and on the destination what is not so on the source already.
    fn not_as_asked(&self, [before, after]: [&Dump; 2]) -> Vec<Finding> {
        let destination = self.migration.destination(self.case);
        let table = &self.engine.bench.store.table;
        let of = |case: &Case, dump: &Dump, side: &str| {
            let asked = Asked::of_case(&RecordedCase::from(case));
            asked.map_or_else(Vec::new, |asked| asked_for(dump, asked, side, table))
        };
        let mut found = of(self.case, before, "on the source");
        let known: BTreeSet<_> = found
            .iter()
            .map(|one| (one.place.clone(), one.name.clone()))
            .collect();
        let there = of(&destination, after, "on the destination").into_iter();
        found.extend(there.filter(|one| !known.contains(&(one.place.clone(), one.name.clone()))));
        found
    }

    /// Compares the change with the expectation where there is one; without one every difference is a finding.
    fn compared(&self, seen: &Seen) -> Row {
        let (engine, trial, case) = (self.engine, self.trial, self.case);
        let mut result = if trial.expectation.as_os_str().is_empty() {
            let changes = seen.changes.iter().chain(&seen.later).cloned();
            judged(engine, trial, &self.shown, changes.collect())
        } else {
            expected(engine, trial, &self.shown, |expected| {
                let all = Models::new(models(case, self.migration), &engine.bench.store.sets);
                let groups = Groups::parse(expected, &all).map_err(|error| error.to_string())?;
                let expected = shifted(&seen.before, &groups.changes(model(case)));
                let mut changes = compare(&expected, &seen.after, LAYER);
                changes.extend(seen.later.iter().cloned());
                Ok(changes)
            })
        };
        if result.status == Status::Fail && result.reason.is_empty() {
            result.reason = "completed with a changed CPU".to_owned();
        }
        result
    }

    fn broken_off(&self, stopped: &Stopped) -> Row {
        let Stopped { status, reason, .. } = stopped;
        if *status != Status::Fail {
            return result(self.trial, &self.shown, *status, reason);
        }
        let kind = Kind::Lost;
        let change = Finding::new(
            CheckId::Migration,
            kind,
            "migration",
            "completed",
            &stopped.message,
            LAYER,
        );
        let mut result = judged(self.engine, self.trial, &self.shown, vec![change]);
        if result.status == Status::Fail {
            result.reason.clone_from(reason);
        }
        result
    }

    /// What does it again.
    fn again(&self) -> Vec<String> {
        let Migration { to, journey } = self.migration;
        let (case, path) = (self.case, |qemu: &Qemu| qemu.path.display().to_string());
        let lane = case.lane.name();
        let words = [
            "cpuid-fidelity",
            "migrate",
            "--from",
            &path(&case.qemu),
            "--to",
            &path(to),
        ];
        let more = [
            "--machine",
            &case.machine,
            "--cpu",
            &case.cpu,
            "--smp",
            case.smp.as_str(),
            "--lane",
            lane,
        ];
        let mut line: Vec<String> = words.into_iter().chain(more).map(str::to_owned).collect();
        let host = case.host.iter();
        line.extend(host.flat_map(|host| host.kernel.arguments()));
        if journey.way == crate::case::migration::Way::File {
            line.push(match &journey.file {
                Some(file) => format!("--save={}", file.display()),
                None => "--save".to_owned(),
            });
        }
        line.extend(journey.plug.then(|| "--plug".to_owned()));
        line.extend(journey.reset.then(|| "--reset".to_owned()));
        line
    }
}

fn whole(slots: &[crate::vmm::memory::Slot], place: &str) -> Result<Dump, Stopped> {
    let assembled = assemble(slots.iter().map(|slot| slot.frames.as_slice()));
    match assembled.error {
        None => Ok(assembled.dump),
        Some(error) => Err(Stopped {
            status: Status::Error,
            outcome: None,
            reason: format!("{place} the dump is not whole: {error}"),
            message: String::new(),
        }),
    }
}
