//! Measuring QEMU's feature names: toggle a boolean property of a CPU, and see which bits move in the guest.
//!
//! Under lane `definition`, so that neither TCG nor the host filters anything. Two bases, both made from QEMU's model `base`,
//! which has no features at all: one with every leaf in range, and one with what further leaves depend on switched on. What
//! TCG cannot show in CPUID (MSR features, leaves 0x0A, 0x14 and 0x1C, KVM's and Hyper-V's own) moves nothing here, and stays
//! for KVM lanes to measure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fidelity_protocol::frame::Phase;
use rayon::prelude::*;
use serde_json::{Value, json};

use super::engine::Engine;
use crate::case::Qemu;
use crate::cpuid::bit::Bit;
use crate::cpuid::dump::Dump;
use crate::cpuid::table::{Field, Format, Space, Table};
use crate::lanes::Observed;
use crate::lanes::definition;
use crate::vmm::{monitor, qmp};

/// No feature; every basic, extended and Centaur leaf in range.
const WIDE: &str = "base,level=0x24,min-level=0x24,xlevel=0x80000026,min-xlevel=0x80000026,xlevel2=0xc0000004,min-xlevel2=0xc0000004";
/// What further leaves depend on: SVM's, XSAVE's components, AMX's, AVX10's, SGX's.
const DEEP: &str = "svm=on,xsave=on,xsaves=on,avx=on,avx512f=on,amx-tile=on,avx10=on,avx10-version=1,intel-pt=on,sgx=on";

/// What each property moves; a property that moves nothing has an empty set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// By property: the bits that follow it (set with it, clear without).
    pub moved: BTreeMap<String, BTreeSet<Bit>>,
    /// Properties whose guest could not be run, and why.
    pub broken: BTreeMap<String, String>,
    /// Properties that were not measured.
    pub left_out: BTreeSet<String>,
}

/// Measures every boolean property of the x86 CPU of `qemu`.
///
/// # Errors
/// QEMU cannot be asked for its properties, or a base does not run.
pub fn measure(engine: &Engine, qemu: &Arc<Qemu>) -> anyhow::Result<Catalogue> {
    measure_every(engine, qemu, 1)
}

/// The same with one of every `stride` properties; the others are left out.
///
/// # Errors
/// As [`measure`].
pub fn measure_every(
    engine: &Engine,
    qemu: &Arc<Qemu>,
    stride: usize,
) -> anyhow::Result<Catalogue> {
    let properties = properties(engine, qemu)?;
    let has = |name: &str| properties.iter().any(|(known, _)| known == name);
    let deep: Vec<&str> = DEEP
        .split(',')
        .filter(|word| has(word.split('=').next().unwrap_or("")))
        .collect();
    let bases = [WIDE.to_owned(), format!("{WIDE},{}", deep.join(","))];
    let mut catalogue = Catalogue::default();
    let bases: Vec<(String, Dump)> = bases
        .into_iter()
        .map(|base| match see(engine, qemu, &base) {
            Ok(observation) => Ok((base, observation.dump)),
            Err(broken) => Err(anyhow::anyhow!("base {base}: {}", broken.reason)),
        })
        .collect::<Result<_, _>>()?;
    let booleans = properties.iter().filter(|(_, kind)| kind == "bool");
    let (names, left_out) = selected(booleans.map(|(name, _)| name), stride);
    catalogue.left_out = left_out.into_iter().cloned().collect();
    let measured: Vec<(&String, Result<BTreeSet<Bit>, String>)> =
        engine.bench.pool().install(|| {
            let one = |name: &&String| moved_by(engine, qemu, &bases, name);
            names.par_iter().map(|name| (*name, one(name))).collect()
        });
    for (name, outcome) in measured {
        match outcome {
            Ok(bits) => drop(catalogue.moved.insert(name.clone(), bits)),
            Err(reason) => drop(catalogue.broken.insert(name.clone(), reason)),
        }
    }
    Ok(catalogue)
}

/// One of every `stride`, and the others.
fn selected<T>(all: impl Iterator<Item = T>, stride: usize) -> (Vec<T>, Vec<T>) {
    let (taken, left_out): (Vec<_>, Vec<_>) = all
        .enumerate()
        .partition(|(index, _)| index.is_multiple_of(stride));
    let bare = |pairs: Vec<(usize, T)>| pairs.into_iter().map(|(_, one)| one).collect();
    (bare(taken), bare(left_out))
}

/// Name and type of every property of the x86 CPU.
fn properties(engine: &Engine, qemu: &Qemu) -> anyhow::Result<Vec<(String, String)>> {
    let list = monitor::command_with(
        "qom-list-properties",
        json!({ "typename": "max-x86_64-cpu" }),
    );
    let answers = qmp::ask(
        &qemu.path,
        "none",
        &[list],
        engine.bench.options.timeout,
        engine.bench.cancel(),
    )?;
    let pair = |property: &Value| {
        Some((
            property["name"].as_str()?.to_owned(),
            property["type"].as_str()?.to_owned(),
        ))
    };
    let mut pairs: Vec<_> = answers[0]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(pair)
        .collect();
    pairs.sort();
    Ok(pairs)
}

/// The bits that follow the property on the first base where any does.
fn moved_by(
    engine: &Engine,
    qemu: &Arc<Qemu>,
    bases: &[(String, Dump)],
    name: &str,
) -> Result<BTreeSet<Bit>, String> {
    for (base, before) in bases {
        // On the deep base the property may be on already; then it is switched off.
        let on = !base.contains(&format!(",{name}=on"));
        let state = if on { "on" } else { "off" };
        let after =
            see(engine, qemu, &format!("{base},{name}={state}")).map_err(|broken| broken.reason)?;
        let (with, without) = if on {
            (&after.dump, before)
        } else {
            (before, &after.dump)
        };
        let bits = following(with, without);
        if !bits.is_empty() {
            return Ok(bits);
        }
    }
    Ok(BTreeSet::new())
}

fn see(engine: &Engine, qemu: &Arc<Qemu>, cpu: &str) -> Observed {
    let machine = qemu.newest_machine().unwrap_or("q35");
    let case = definition::case(qemu, machine, cpu);
    let mut options = engine.bench.options.clone();
    // Names are about what QEMU sets, before an OS changes anything; the fewer phases, the sooner it is over.
    options.phases.retain(|phase| *phase == Phase::Reset);
    engine.boot(&case, &options)
}

/// Bits set in `with` and clear in `without`.
fn following(with: &Dump, without: &Dump) -> BTreeSet<Bit> {
    let mut bits = BTreeSet::new();
    let reset = |dump: &Dump| {
        let boot = dump
            .boot_processor()
            .and_then(|vcpu| vcpu.phase(Phase::Reset));
        boot.map(|phase| phase.cpuid.clone()).unwrap_or_default()
    };
    let without = reset(without);
    for (key, regs) in reset(with) {
        let before = without.get(&key).copied().unwrap_or_default();
        for (register, (now, then)) in (0u8..).zip(regs.iter().zip(before)) {
            let new = now & !then;
            let set = (0..32).filter(|bit| new >> bit & 1 == 1);
            bits.extend(set.map(|bit| Bit { key, register, bit }));
        }
    }
    bits
}

/// Every way in which the table and the measurement contradict each other, a sentence each.
///
/// A property that moves exactly one bit must have that bit's name (or be its `qemu:` alias). One that moves several must be
/// named by one of them: the others are what QEMU lets follow (XSAVE components and sizes, AMD's copies of leaf 1). A name
/// that was measured once and is a property of this release must be seen to move its bit again, unless it was left out.
pub fn disagreements(catalogue: &Catalogue, table: &Table, release: (u32, u32)) -> Vec<String> {
    let mut wrong = Vec::new();
    for (property, bits) in &catalogue.moved {
        let named = |bit: &&Bit| {
            bit.field(table)
                .is_some_and(|field| is_called(field, property))
        };
        // A property that moves numbers alone (x-force-cpuid-0x1f: a whole topology leaf) is a switch, not a feature.
        let feature = |bit: &&Bit| {
            bit.field(table)
                .is_none_or(|field| field.format == Format::Flag)
        };
        if let Some(first) = bits.iter().find(feature)
            && !bits.iter().any(|bit| named(&bit))
        {
            let there = first
                .field(table)
                .map_or("no name", |field| field.name.as_str());
            let more = bits.len() - 1;
            wrong.push(format!(
                "{property} moves {first} (and {more} more), which the table calls {there}"
            ));
        }
    }
    for field in table.fields().iter().filter(|field| field.measured) {
        let expected = field.qemu.is_some_and(|releases| releases.holds(release));
        if expected && !catalogue.left_out.contains(&field.name) && !seen(catalogue, field) {
            let what = catalogue
                .broken
                .get(&field.name)
                .map_or("moves another bit, or none", String::as_str);
            wrong.push(format!(
                "{} was measured once; in this release it {what}",
                field.name
            ));
        }
    }
    wrong
}

/// Whether the property of the field's name moves the field's bit.
pub fn seen(catalogue: &Catalogue, field: &Field) -> bool {
    let bits = catalogue.moved.get(&field.name);
    field.space == Space::Cpuid
        && bits.is_some_and(|bits| bits.iter().any(|bit| covers(field, *bit)))
}

fn is_called(field: &Field, property: &str) -> bool {
    field.name == property || field.aliases_of("qemu").any(|alias| alias == property)
}

fn covers(field: &Field, bit: Bit) -> bool {
    field.leaf == bit.key.leaf
        && field.subleaves.covers(bit.key.subleaf)
        && field.register == bit.register
        && (field.low..=field.high).contains(&bit.bit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpuid::answers::Key;

    const TABLE: &str = "cpuid\t0x00000007\t00\tebx\t5\tavx2\tflag\t5.2\tmeasured\t-\n\
                         cpuid\t0x00000007\t00\tebx\t3\tbmi1\tflag\t5.2\tpublic\tqemu:bmi-one\n";

    fn found(moved: &[(&str, &[u8])]) -> Vec<String> {
        let table = Table::parse("features.tsv", TABLE).expect("a table");
        let bit = |bit: &u8| Bit {
            key: Key::new(7, 0),
            register: 1,
            bit: *bit,
        };
        let moved = moved
            .iter()
            .map(|(name, bits)| ((*name).to_owned(), bits.iter().map(bit).collect()));
        let catalogue = Catalogue {
            moved: moved.collect(),
            ..Catalogue::default()
        };
        disagreements(&catalogue, &table, (10, 0))
    }

    #[test]
    fn a_property_that_is_left_out_is_not_missed_and_one_that_is_gone_is() {
        let table = Table::parse("features.tsv", TABLE).expect("a table");
        let (taken, left_out) = selected(["a", "avx2", "b", "bmi1"].into_iter(), 2);
        assert_eq!(
            (taken, &left_out[..]),
            (vec!["a", "b"], &["avx2", "bmi1"][..])
        );
        let mut catalogue = Catalogue {
            left_out: left_out.into_iter().map(str::to_owned).collect(),
            ..Catalogue::default()
        };
        assert_eq!(disagreements(&catalogue, &table, (10, 0)), [""; 0]);
        catalogue.left_out.remove("avx2");
        assert_eq!(
            disagreements(&catalogue, &table, (10, 0)),
            ["avx2 was measured once; in this release it moves another bit, or none"]
        );
    }

    #[test]
    fn a_table_that_agrees_is_silent() {
        assert!(
            found(&[
                ("avx2", &[5]),
                ("bmi1", &[3]),
                ("bmi-one", &[3]),
                ("check", &[])
            ])
            .is_empty()
        );
    }

    #[test]
    fn a_wrong_name_is_reported() {
        let wrong = found(&[("avx2", &[5]), ("adx", &[3])]);
        assert_eq!(
            wrong,
            ["adx moves CPUID.07H.00H:EBX[3] (and 0 more), which the table calls bmi1"]
        );
    }

    #[test]
    fn an_unnamed_bit_is_reported() {
        let wrong = found(&[("avx2", &[5]), ("adx", &[19])]);
        assert_eq!(
            wrong,
            ["adx moves CPUID.07H.00H:EBX[19] (and 0 more), which the table calls no name"]
        );
    }

    #[test]
    fn a_measured_name_that_moves_nothing_any_more_is_reported() {
        let wrong = found(&[("avx2", &[])]);
        assert_eq!(
            wrong,
            ["avx2 was measured once; in this release it moves another bit, or none"]
        );
    }
}
