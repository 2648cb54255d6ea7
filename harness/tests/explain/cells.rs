//! One cell: a feature of a guest, as `explain` has it and as the guest's own lines have it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use cpuid_fidelity::case::Case;
use cpuid_fidelity::cpuid::line::Register;
use cpuid_fidelity::cpuid::table::{Field, Format};
use cpuid_fidelity::explain::sources::Sources;
use cpuid_fidelity::explain::{Cause, LayerRow, State, loss};
use cpuid_fidelity::run::Engine;
use cpuid_fidelity::run::explain::{explain, gather, prove};

use super::guests::{Guest, bench};

/// What was judged.
#[derive(Default)]
pub struct Tally {
    cells: AtomicUsize,
    present: AtomicUsize,
    unknown: AtomicUsize,
    proofs: AtomicUsize,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        let (cells, present) = (number(&self.cells), number(&self.present));
        let (unknown, proofs) = (number(&self.unknown), number(&self.proofs));
        let lost = cells - present - unknown;
        write!(
            f,
            "{cells} cells: {present} present, {lost} lost with a cause, {unknown} unknown; {proofs} causes undone"
        )
    }
}

/// All features of one guest; what is wrong, a line each.
pub fn judge(guest: &Guest, tally: &Tally) -> Result<(), String> {
    let Some((bench, case)) = bench().and_then(|bench| Some((bench, guest.case(bench)?))) else {
        return Ok(());
    };
    let engine = &bench.engine;
    let sources = gather(engine, &case);
    if let Some(unseen) = sources.unseen.as_ref().filter(|_| guest.can_run()) {
        return Err(format!("the guest did not run: {}", unseen.reason));
    }
    let shown = shown(&sources);
    let table = &engine.bench.store.table;
    let flags = table
        .fields()
        .iter()
        .filter(|field| field.format == Format::Flag);
    let mut wrong = Vec::new();
    let mut samples: BTreeMap<(u8, String), (&Field, String)> = BTreeMap::new();
    for field in flags {
        let (rows, verdict) = explain(engine, &sources, field);
        let cell = Cell {
            sources: &sources,
            field,
            rows: &rows,
            verdict: &verdict,
        };
        wrong.extend(
            cell.contradiction(&shown)
                .map(|what| format!("{}: {what}", field.name)),
        );
        tally.count(&rows, &verdict);
        if let Some(loss) = loss(&rows) {
            samples.entry(kind(loss.cause)).or_insert((field, verdict));
        }
    }
    for (field, verdict) in samples.values().take(guest.proofs()) {
        wrong.extend(refuted(engine, &case, &sources, field, verdict, tally));
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("\n"))
    }
}

/// Which causes count as one: those of a flag are one each, and come first; what most features of a guest have comes last.
fn kind(cause: &Cause) -> (u8, String) {
    let name = serde_json::to_value(cause).unwrap_or_default()["kind"].to_string();
    match cause {
        Cause::TurnedOffByFlag { flag } => (0, flag.clone()),
        Cause::NotInModel { .. } | Cause::Filtered { .. } => (2, name),
        _ => (1, name),
    }
}

/// Names of the lines in which the guest shows something.
fn shown(sources: &Sources) -> BTreeSet<&str> {
    let of_guest = [Register::Cpuid, Register::Os, Register::Msr];
    let lines = sources.lines.iter();
    let own =
        lines.filter(|line| of_guest.contains(&line.place.register) && line.value().is_none());
    own.map(|line| line.name()).collect()
}

struct Cell<'a> {
    sources: &'a Sources,
    field: &'a Field,
    rows: &'a [LayerRow],
    verdict: &'a str,
}

impl Cell<'_> {
    /// What contradicts what the guest shows.
    fn contradiction(&self, shown: &BTreeSet<&str>) -> Option<String> {
        let state = self.rows.last().map(|row| row.state)?;
        let verdict = self.verdict;
        if self.sources.unseen.is_some() {
            let unknown = state == State::Unknown && verdict.starts_with("unknown: ");
            return (!unknown).then(|| format!("the guest did not run, and: {verdict}"));
        }
        let name = self.field.name.as_str();
        let moved = format!("{name}.100");
        let there = shown.contains(name) || shown.contains(moved.as_str());
        let lost = loss(self.rows).map(|loss| loss.cause);
        match (there, state, lost) {
            (true, State::Present, None) if verdict.starts_with("the guest has it") => None,
            (false, State::Absent, None) if verdict.starts_with("unknown: ") => None,
            (false, State::Absent, Some(cause)) => self.foreign_flag(cause),
            _ => Some(format!("shown: {there}, explained: {state:?}, {verdict}")),
        }
    }

    /// A flag that is blamed and that nobody gave.
    fn foreign_flag(&self, cause: &Cause) -> Option<String> {
        let Cause::TurnedOffByFlag { flag } = cause else {
            return None;
        };
        let given = self
            .sources
            .guest
            .cpu
            .split(',')
            .skip(1)
            .any(|own| own == flag);
        (!given).then(|| format!("the flag {flag} was not given"))
    }
}

/// A cause that is taken away and leaves everything as it was is none.
fn refuted(
    engine: &Engine,
    case: &Case,
    sources: &Sources,
    field: &Field,
    verdict: &str,
    tally: &Tally,
) -> Option<String> {
    let proof = prove(engine, case, sources, field)?;
    tally.proofs.fetch_add(1, Ordering::Relaxed);
    let same = proof.state != State::Present && proof.verdict == verdict;
    same.then(|| format!("{}: {verdict}, and {}", field.name, proof.describe()))
}

impl Tally {
    /// Whether features were present, and others lost.
    pub fn shows_both(&self) -> bool {
        let number = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        let (cells, present, unknown) = (
            number(&self.cells),
            number(&self.present),
            number(&self.unknown),
        );
        present > 0 && cells > present + unknown
    }

    fn count(&self, rows: &[LayerRow], verdict: &str) {
        self.cells.fetch_add(1, Ordering::Relaxed);
        if rows.last().is_some_and(|row| row.state == State::Present) {
            self.present.fetch_add(1, Ordering::Relaxed);
        } else if verdict.starts_with("unknown: ") {
            self.unknown.fetch_add(1, Ordering::Relaxed);
        }
    }
}
