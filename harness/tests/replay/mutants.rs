//! Every way in which a guest could differ from a record is noticed: mutants of the records, all of which must be killed.

use std::collections::BTreeSet;

use cpuid_fidelity::check::{Layer, compare};
use cpuid_fidelity::cpuid::dump::Dump;
use cpuid_fidelity::cpuid::render::render;
use cpuid_fidelity::cpuid::table::Table;
use cpuid_fidelity::cpuid::volatile::Volatile;
use rayon::prelude::*;

use super::record_mutants::dump::{Mutant, STRIDE, mutants};
use super::record_mutants::{Tables, suites, survivors};
use super::{record, records, table, volatile};

/// Every how manieth bit is flipped in a few small records.
const DENSE: usize = 3;

/// How many mutants there are, and those that a comparison finds equal to the record, in one direction or the other.
fn survivors<'m>(
    record: &Dump,
    mutants: &'m [Mutant<'_>],
    table: &Table,
    masks: &Volatile,
) -> (usize, Vec<&'m Mutant<'m>>) {
    let original = render(record, table, masks);
    let noticed = |changes: Vec<_>| !changes.is_empty();
    let killed = |dump: Dump| {
        let lines = render(&dump, table, masks);
        noticed(compare(&original, &lines, Layer::Unknown))
            && noticed(compare(&lines, &original, Layer::Unknown))
    };
    let tried = mutants
        .par_iter()
        .filter_map(|mutant| Some((mutant, killed(mutant.apply(record)?))));
    let tried: Vec<(&Mutant<'_>, bool)> = tried.collect();
    let alive = tried
        .iter()
        .filter(|(_, killed)| !killed)
        .map(|(mutant, _)| *mutant);
    (tried.len(), alive.collect())
}

#[test]
fn every_mutant_of_every_record_is_noticed() {
    let table = table();
    let (mut all, mut alive) = (0, Vec::new());
    for (name, record) in records() {
        let mutants = mutants(&record, STRIDE);
        let (count, survivors) = survivors(&record, &mutants, &table, &Volatile::default());
        all += count;
        alive.extend(
            survivors
                .iter()
                .map(|mutant| format!("{name}: {}", mutant.what)),
        );
    }
    println!("killed {} of {all} mutants", all - alive.len());
    assert!(
        alive.is_empty(),
        "killed {} of {all}, survivors:\n{}",
        all - alive.len(),
        alive.join("\n")
    );
    assert!(all > 5000, "{all} mutants are too few to mean anything");
}

/// Masks hide what they are for and nothing else.
#[test]
fn only_mutants_of_volatile_fields_survive_the_masks() {
    let table = table();
    let masks = volatile(&table);
    let mut hidden = BTreeSet::new();
    for name in ["486", "coreduo-smp2"] {
        let record = record(name);
        let mutants = mutants(&record, DENSE);
        let original = render(&record, &table, &Volatile::default());
        for mutant in survivors(&record, &mutants, &table, &masks).1 {
            let lines = render(
                &mutant.apply(&record).expect("a mutant"),
                &table,
                &Volatile::default(),
            );
            for change in compare(&original, &lines, Layer::Unknown) {
                let volatile = masks.placeholder(&change.name).is_some();
                // On a further vCPU a register that became 0 has one line for all of its fields.
                assert!(
                    volatile || change.name == "zero",
                    "{name}: {} is hidden, though it changed {}",
                    mutant.what,
                    change.name
                );
                hidden.insert(change.name);
            }
        }
    }
    assert!(hidden.contains("initial-apic-id"), "{hidden:?}");
}

/// Every how manieth mutant of each suite of `make mutants` is run here. Coprime to 32, 4 and 3: all bits and registers have their turn.
const SELECTED: usize = 13;

#[test]
fn a_selection_of_the_mutants_is_noticed_by_their_checks_or_explained() {
    let expectations = super::require::root().join("expectations");
    let tables = Tables::read(&expectations, SELECTED).expect("the tables");
    let mut tallies = suites::run(&tables).expect("the records");
    survivors::explain(&mut tallies).expect("survivors.toml");
    let unexplained = tallies.iter().flat_map(|tally| {
        let survivors = tally.survivors.iter();
        let survivors = survivors.filter(|survivor| survivor.reason.is_none());
        survivors.map(|survivor| format!("{}: {}", tally.check, survivor.what))
    });
    assert_eq!(unexplained.collect::<Vec<_>>(), Vec::<String>::new());
    let total: usize = tallies.iter().map(|tally| tally.total).sum();
    assert!(total > 1500, "{total} mutants are too few to mean anything");
}
