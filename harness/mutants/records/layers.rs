//! Suites over what QEMU reports of a CPU.

use cpuid_fidelity::check::checked;
use cpuid_fidelity::cpuid::bit::Bit;
use cpuid_fidelity::cpuid::dump::Dump;
use cpuid_fidelity::cpuid::table::Format;
use cpuid_fidelity::evidence::Evidence;
use cpuid_fidelity::evidence::warnings::Warned;
use fidelity_protocol::frame::Phase;

use super::Tables;
use super::dump::Mutant;
use super::tally::{Suite, Tally, none};

/// Checks 2 and 3: what QEMU reports of the CPU.
pub fn agreement(tables: &Tables, name: &str, record: &Evidence) -> Vec<Tally> {
    let findings = |record: &Evidence| checked(record, tables.rules()).unwrap_or_default();
    let suite = |check, mutants| {
        Suite {
            check,
            of: name,
            record,
            mutants,
            findings: &findings,
            excused: &none,
        }
        .run(tables.every)
    };
    vec![
        suite("feature-words", of_words(tables, record)),
        suite("filtered-features", of_filtered(tables, record)),
        suite("warnings", of_warnings(record)),
        suite("unavailable-features", of_unavailable(record)),
        suite(
            "enforce",
            vec![Mutant::new("enforce", |record: &mut Evidence| {
                if let Some(qemu) = &mut record.qemu {
                    qemu.enforce_refuses = qemu.enforce_refuses.map(|refuses| !refuses);
                }
            })],
        ),
        suite(
            "unread",
            vec![Mutant::new(
                "a line of a new form",
                |record: &mut Evidence| {
                    if let Some(qemu) = &mut record.qemu {
                        qemu.warnings.unknown.push("qemu: something new".to_owned());
                    }
                },
            )],
        ),
    ]
}

/// Whether a bit is a feature, named or not, in a leaf that the guest has.
fn in_guest(tables: &Tables, record: &Evidence, bit: Bit) -> bool {
    let leaf = |dump: &Dump| dump.boot_processor()?.cpuid(bit.key.leaf, bit.key.subleaf);
    let flag = bit
        .field(&tables.names)
        .is_none_or(|field| field.format == Format::Flag);
    flag && leaf(&record.guest).is_some()
}

fn of_words<'a>(tables: &Tables, record: &'a Evidence) -> Vec<Mutant<'a, Evidence>> {
    let words = record.qemu.iter().flat_map(|qemu| qemu.words.keys());
    let mut mutants = Vec::new();
    for word in words.copied() {
        let bits = word.bits(u32::MAX);
        for bit in bits.filter(|bit| in_guest(tables, record, *bit)) {
            let place = format!("{bit} {}", bit.name(&tables.names));
            let mask = 1 << bit.bit;
            mutants.push(Mutant::new(
                format!("word: {place}"),
                move |record: &mut Evidence| {
                    let qemu = record.qemu.as_mut();
                    if let Some(value) = qemu.and_then(|qemu| qemu.words.get_mut(&word)) {
                        *value ^= mask;
                    }
                },
            ));
            mutants.push(Mutant::new(
                format!("guest: {place}"),
                move |record: &mut Evidence| {
                    let reset = record.guest.vcpus[0].phases.get_mut(&Phase::Reset);
                    let regs = reset.and_then(|reset| reset.cpuid.get_mut(&word.key));
                    if let Some(regs) = regs {
                        regs[usize::from(word.register)] ^= mask;
                    }
                },
            ));
        }
    }
    mutants
}

/// Bits that somebody has, the definition, the guest or the filter: of others QMP has nothing to say.
fn of_filtered<'a>(tables: &Tables, record: &'a Evidence) -> Vec<Mutant<'a, Evidence>> {
    let words = record.qemu.iter().flat_map(|qemu| &qemu.filtered);
    let has = |dump: Option<&Dump>, bit: Bit| {
        let regs =
            dump.and_then(|dump| dump.boot_processor()?.cpuid(bit.key.leaf, bit.key.subleaf));
        regs.is_some_and(|regs| bit.is_set(regs))
    };
    let mut mutants = Vec::new();
    for (word, value) in words {
        let (word, value) = (*word, *value);
        for bit in word.bits(u32::MAX) {
            let filtered = value >> bit.bit & 1 == 1;
            let there =
                filtered || has(Some(&record.guest), bit) || has(record.definition.as_ref(), bit);
            if !there || !in_guest(tables, record, bit) {
                continue;
            }
            let mask = 1 << bit.bit;
            let what = format!("filtered: {bit} {}", bit.name(&tables.names));
            mutants.push(Mutant::new(what, move |record: &mut Evidence| {
                let qemu = record.qemu.as_mut();
                if let Some(value) = qemu.and_then(|qemu| qemu.filtered.get_mut(&word)) {
                    *value ^= mask;
                }
            }));
        }
    }
    mutants
}

fn of_warnings(record: &Evidence) -> Vec<Mutant<'_, Evidence>> {
    let Some(qemu) = &record.qemu else {
        return Vec::new();
    };
    let mut mutants = Vec::new();
    for warned in &qemu.warnings.features {
        let (gone, moved) = (warned.clone(), warned.clone());
        mutants.push(Mutant::new(
            format!("no warning of {}", warned.name),
            move |record: &mut Evidence| {
                if let Some(qemu) = &mut record.qemu {
                    qemu.warnings.features.remove(&gone);
                }
            },
        ));
        let beside = (warned.bit + 1) % 32;
        let warned_of = |other: &Warned| {
            let place = |one: &Warned| (one.leaf, one.subleaf, one.register);
            place(other) == place(warned) && other.bit == beside
        };
        if qemu.warnings.features.iter().any(warned_of) {
            continue;
        }
        mutants.push(Mutant::new(
            format!("a warning of the bit beside {}", warned.name),
            move |record: &mut Evidence| {
                if let Some(qemu) = &mut record.qemu {
                    let mut other = moved.clone();
                    other.bit = beside;
                    qemu.warnings.features.insert(other);
                }
            },
        ));
    }
    mutants
}

fn of_unavailable(record: &Evidence) -> Vec<Mutant<'_, Evidence>> {
    let names = record
        .qemu
        .iter()
        .flat_map(|qemu| &qemu.unavailable)
        .flatten();
    let mut mutants: Vec<Mutant<'_, Evidence>> = Vec::new();
    for name in names {
        mutants.push(Mutant::new(
            format!("{name} is not unavailable"),
            move |record: &mut Evidence| {
                if let Some(names) = record
                    .qemu
                    .as_mut()
                    .and_then(|qemu| qemu.unavailable.as_mut())
                {
                    names.retain(|other| other != name);
                }
            },
        ));
    }
    for name in ["sse2", "lahf-lm", "something-new"] {
        mutants.push(Mutant::new(
            format!("{name} is unavailable too"),
            move |record: &mut Evidence| {
                if let Some(names) = record
                    .qemu
                    .as_mut()
                    .and_then(|qemu| qemu.unavailable.as_mut())
                {
                    names.push(name.to_owned());
                }
            },
        ));
    }
    mutants
}
