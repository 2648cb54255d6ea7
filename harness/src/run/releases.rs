//! Two releases: the same machine type and model booted on both, and what is different held against a file.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::engine::Engine;
use super::unmet::unmet;
use super::verdict::{LAYER, Verdict, broken, judged, result};
use crate::case::Trial;
use crate::case::guest::Case;
use crate::case::pair::Pair;
use crate::check::groups::{Models, shifted};
use crate::check::releases::{Cells, Scope};
use crate::check::{Finding, Releases, Shift, compare, compare_with_emptied};
use crate::cpuid::line::{Line, Place};
use crate::expectation::store::{Expected, Store};
use crate::lanes::{Broken, Observation};
use crate::results::crossing::{Binary, By, Crossed, Crossing, Outcome};
use crate::results::{Row, Status};

/// What a pair is expected to change: files, each of which holds on top of those before.
#[derive(Debug, Default)]
struct Expectations {
    /// Files of the way from the older release to the newer one; of a topology those of one vCPU, too.
    before: Vec<Releases>,
    /// The trial's own file, where there is one.
    own: Option<Releases>,
    /// Whether a file of its own is wanted: there is no other way from one release to the other.
    wanted: bool,
}

/// Runs a trial.
pub(super) fn judge(
    engine: &Engine,
    trial: &Trial,
    pair: &Pair,
    done: &(dyn Fn(&Row) + Sync),
) -> Verdict {
    let scope = Scope {
        machines: pair.machines().map(str::to_owned).collect(),
        models: Models::new(
            pair.models().map(str::to_owned).collect(),
            &engine.bench.store.sets,
        ),
    };
    let expectations = Expectations::read(&engine.bench.store, trial, pair, &scope);
    let run = |case: &Case| {
        let ran = match &expectations {
            Ok(expectations) => judge_case(engine, trial, pair, case, expectations),
            Err(problem) => Ran::from(result(trial, case, Status::Error, problem)),
        };
        done(&ran.result);
        ran
    };
    let ran: Vec<Ran> = engine
        .bench
        .pool()
        .install(|| trial.cases.par_iter().map(run).collect());
    let observed = expectations
        .ok()
        .filter(|expectations| expectations.wanted)
        .and_then(|expectations| observed(&ran, &expectations, &scope));
    Verdict {
        results: ran.into_iter().map(|ran| ran.result).collect(),
        observed,
    }
}

/// A case that was run, with what its file would say of it.
struct Ran {
    result: Row,
    shifts: Option<BTreeSet<Shift>>,
}

impl From<Row> for Ran {
    fn from(result: Row) -> Ran {
        Ran {
            result,
            shifts: None,
        }
    }
}

fn judge_case(
    engine: &Engine,
    trial: &Trial,
    pair: &Pair,
    case: &Case,
    expectations: &Expectations,
) -> Ran {
    if let Some((label, reason)) = pair.lacks(case) {
        let mut skipped = result(trial, case, Status::Skip, &reason);
        skipped.crossing = Some(Crossing {
            lacking: Some(label),
            ..crossing(pair, Outcome::Refused, Vec::new(), &[])
        });
        return skipped.into();
    }
    if engine.bench.cancelled() {
        return result(trial, case, Status::Miss, "cancelled before it ran").into();
    }
    let earlier = pair.before(case);
    let seen = [&earlier, case].map(|case| engine.boot(case, &engine.bench.options));
    match seen {
        [Ok(old), Ok(new)] => compared(engine, trial, pair, case, expectations, &old, &new),
        [old, new] => {
            let sides = [(&pair.old, old), (&pair.new, new)];
            let mut sides = sides.into_iter();
            let unseen = sides.find_map(|(qemu, seen)| Some((qemu, seen.err()?)));
            let Some((qemu, unseen)) = unseen else {
                return result(trial, case, Status::Error, "no guest").into();
            };
            let reason = format!("{}: {}", qemu.label, unseen.reason);
            let unseen = Broken { reason, ..unseen };
            let mut failed = broken(trial, case, &unseen).ran(unseen.elapsed, &unseen.command);
            failed.crossing = Some(crossing(pair, Outcome::Unknown, Vec::new(), &[]));
            failed.into()
        }
    }
}

fn compared(
    engine: &Engine,
    trial: &Trial,
    pair: &Pair,
    case: &Case,
    expectations: &Expectations,
    old: &Observation,
    new: &Observation,
) -> Ran {
    let before = expectations.before(&old.lines, case);
    let mut unexpected = compare(&expectations.applied(&before, case), &new.lines, LAYER);
    for (case, seen) in [(&pair.before(case), old), (case, new)] {
        unexpected.extend(unmet(engine, case, &seen.lines));
    }
    let own = compare_with_emptied(&before, &new.lines, LAYER);
    let all = compare(&old.lines, &new.lines, LAYER);
    let crossed = |change: &Finding| Crossed::new(change, expectations.title(change, case));
    let outcome = if all.is_empty() {
        Outcome::Safe
    } else {
        Outcome::Changes
    };
    let mut judged = judged(engine, trial, case, unexpected)
        .ran(old.elapsed + new.elapsed, &new.command)
        .saw(&new.lines);
    if judged.status == Status::Fail && expectations.wanted && expectations.own.is_none() {
        judged.reason = format!("no expectation {}", trial.expectation.display());
    }
    judged.crossing = Some(crossing(
        pair,
        outcome,
        all.iter().map(crossed).collect(),
        &old.command,
    ));
    Ran {
        result: judged,
        shifts: Some(own.iter().flat_map(Shift::halves).collect()),
    }
}

fn crossing(pair: &Pair, outcome: Outcome, changes: Vec<Crossed>, command: &[String]) -> Crossing {
    Crossing {
        from: Binary::from_qemu(&pair.old),
        by: By::Boot,
        outcome,
        lacking: None,
        changes,
        command: command.to_vec(),
    }
}

/// The text of the trial's own file, as it would be if this run were right. None where a guest could not be observed.
fn observed(ran: &[Ran], expectations: &Expectations, scope: &Scope) -> Option<String> {
    let (mut cells, mut seen) = (Cells::default(), BTreeMap::<Shift, Cells>::new());
    for Ran { result, shifts } in ran {
        if result.status == Status::Skip {
            continue;
        }
        for shift in shifts.as_ref()? {
            let cells = seen.entry(shift.clone()).or_default();
            cells.insert(&result.machine, &result.cpu);
        }
        cells.insert(&result.machine, &result.cpu);
    }
    let own = expectations.own.clone().unwrap_or_default();
    Some(own.updated(&cells, &seen).render(scope))
}

impl Expectations {
    fn read(store: &Store, trial: &Trial, pair: &Pair, scope: &Scope) -> Result<Self, String> {
        let read = |path: &Path| -> Result<Option<Releases>, String> {
            match store.expectation(path).map_err(|error| error.to_string())? {
                Expected::Text(text) => Releases::parse(&text, scope)
                    .map(Some)
                    .map_err(|error| format!("{}: {error}", path.display())),
                Expected::Missing | Expected::NewRelease => Ok(None),
            }
        };
        let own = read(&trial.expectation)?;
        let plain = plain(&trial.expectation);
        let mut before = Vec::new();
        let topology = plain != trial.expectation;
        let steps = if own.is_some() && !topology {
            Vec::new()
        } else {
            steps(store, &plain, pair)
        };
        for step in &steps {
            before.extend(read(step)?);
        }
        Ok(Expectations {
            wanted: topology || steps.is_empty(),
            before,
            own,
        })
    }

    /// The lines of the older release with all changes made to them but those of the trial's own file.
    fn before(&self, lines: &[Line], case: &Case) -> Vec<Line> {
        let apply = |lines: Vec<Line>, file: &Releases| {
            let shifts = everywhere(&file.changes(&case.machine, &case.cpu), &lines);
            shifted(&lines, &shifts.iter().collect())
        };
        self.before.iter().fold(lines.to_vec(), apply)
    }

    fn applied(&self, before: &[Line], case: &Case) -> Vec<Line> {
        let shifts = self
            .own
            .as_ref()
            .map(|own| own.changes(&case.machine, &case.cpu));
        shifted(before, &shifts.unwrap_or_default())
    }

    /// The title of the group that a change belongs to; of a way with several steps the first that has it.
    fn title(&self, change: &Finding, case: &Case) -> &str {
        let files = || self.own.iter().chain(&self.before);
        let mut shifts = Shift::halves(change);
        let held =
            |shift: &Shift| files().find_map(|file| file.group_of(shift, &case.machine, &case.cpu));
        // What holds for the boot processor holds for further ones (`everywhere`).
        let group = shifts.find_map(|shift| held(&shift).or_else(|| held(&shift.on_vcpu(0)?)));
        group.map_or("", |group| group.title())
    }
}

/// Changes of the boot processor, and of each further one that has a line at the same place.
fn everywhere(shifts: &BTreeSet<&Shift>, lines: &[Line]) -> BTreeSet<Shift> {
    let further: BTreeSet<&Place> = lines
        .iter()
        .filter(|line| line.place.vcpu > 0)
        .map(|line| &line.place)
        .collect();
    let vcpus: BTreeSet<usize> = further.iter().map(|place| place.vcpu).collect();
    let there = |shift: &Shift| {
        let line = shift.line();
        line.is_some_and(|line| further.contains(&line.place))
    };
    let mut all: BTreeSet<Shift> = shifts.iter().map(|shift| (*shift).clone()).collect();
    for vcpu in vcpus {
        let same = shifts.iter().filter_map(|shift| shift.on_vcpu(vcpu));
        all.extend(same.filter(there));
    }
    all
}

/// The file of one vCPU, of a topology's file.
fn plain(path: &Path) -> PathBuf {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    match name.split_once('+') {
        Some((plain, _)) => path.with_file_name(format!("{plain}.snap")),
        None => path.to_owned(),
    }
}

/// The files of the shortest way from one release to the other: what no file tells of 7.2 and 11.1, those of 7.2 and 10.0 and of 10.0 and
/// 11.1 tell together.
fn steps(store: &Store, path: &Path, pair: &Pair) -> Vec<PathBuf> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let pairs = store.pairs(folder);
    let (start, end) = pair.nodes();
    let mut ways: VecDeque<(String, Vec<PathBuf>)> = [(start, Vec::new())].into();
    let mut been = BTreeSet::new();
    while let Some((at, way)) = ways.pop_front() {
        if at == end {
            return way;
        }
        if !been.insert(at.clone()) {
            continue;
        }
        for (old, new) in pairs.iter().filter(|(old, _)| *old == at) {
            let file = folder.join(format!("{old}..{new}.snap"));
            let way = way.iter().cloned().chain([file]).collect();
            ways.push_back((new.clone(), way));
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests;
