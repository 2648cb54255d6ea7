//! Suites over what KVM was given, kept and offers, and over a host's processors.

use cpuid_fidelity::case::Accelerator;
use cpuid_fidelity::check::bits::Bits;
use cpuid_fidelity::check::{
    CheckId, Layer, given_and_kept, given_and_seen, host_cpus, kvm_given, kvm_supported, msrs,
    supported_by_hardware,
};
use cpuid_fidelity::cpuid::answers::Answers;
use cpuid_fidelity::cpuid::answers::Key;
use cpuid_fidelity::cpuid::dump::Dump;
use cpuid_fidelity::evidence::Evidence;
use cpuid_fidelity::host::{Found, HostLayer};
use cpuid_fidelity::vmm::kvm::table::CpuidTable;
use fidelity_protocol::frame::Phase;

use super::Tables;
use super::dump::{Mutant, STRIDE, mutants};
use super::fields::of_msrs;
use super::tally::{Suite, Tally, none};

/// Check 7, first half.
pub fn direct(tables: &Tables, name: &str, record: &Evidence) -> Vec<Tally> {
    let table = &tables.names;
    let findings = |record: &Evidence| {
        let mut changes = given_and_seen(&record.given, &record.guest, table);
        for (given, kept) in record.given.iter().zip(&record.kept) {
            changes.extend(given_and_kept(given, kept, table));
        }
        changes
    };
    let guest = |other: &Evidence| {
        let cpuid = |record: &Evidence, phase| {
            Some(record.guest.boot_processor()?.phase(phase)?.cpuid.clone())
        };
        let in_phase = |phase| {
            let (before, after) = (cpuid(record, phase)?, cpuid(other, phase)?);
            listed(kvm_given::RUN_TIME, &before, &after)
        };
        in_phase(Phase::Reset).or_else(|| in_phase(Phase::Enabled))
    };
    let rows = |tables: &[CpuidTable]| -> Answers {
        let rows = tables.first().into_iter().flat_map(|table| &table.0);
        rows.map(|row| (row.key, row.regs)).collect()
    };
    let kept =
        |other: &Evidence| listed(kvm_given::RUN_TIME, &rows(&record.kept), &rows(&other.kept));
    let flips = mutants(&record.guest, STRIDE).into_iter().filter(|mutant| {
        mutant.what.starts_with("vcpu 0, reset: CPUID")
            || mutant.what.starts_with("vcpu 0, os-enabled: CPUID")
    });
    let in_guest = flips.map(|mutant| Mutant {
        what: mutant.what.clone(),
        mutate: Box::new(move |record: &mut Evidence| (mutant.mutate)(&mut record.guest)),
    });
    let suite = |check, mutants, excused| {
        Suite {
            check,
            of: name,
            record,
            mutants,
            findings: &findings,
            excused,
        }
        .run(tables.every)
    };
    vec![
        suite(CheckId::KvmGiven.name(), in_guest.collect(), &guest),
        suite(CheckId::KvmKept.name(), of_kept(record), &kept),
    ]
}

/// Bits of the table that KVM reports as kept.
fn of_kept(record: &Evidence) -> Vec<Mutant<'_, Evidence>> {
    let rows = record.kept.first().map_or(0, |table| table.0.len());
    let mut mutants = Vec::new();
    for row in 0..rows {
        for register in 0..4 {
            // Another bit of each register of each row.
            let bit = (row * 4 + register) * 7 % 32;
            let key = record.kept[0].0[row].key;
            let what = format!(
                "kept: CPUID {:#x}.{:x} register {register} bit {bit}",
                key.leaf, key.subleaf
            );
            mutants.push(Mutant::new(what, move |record: &mut Evidence| {
                record.kept[0].0[row].regs[register] ^= 1 << bit;
            }));
        }
    }
    mutants
}

/// Check 7, second half: flags that KVM offers and nobody has.
pub fn supported(tables: &Tables, name: &str, record: &Evidence, host: &HostLayer) -> Tally {
    let findings = |record: &Evidence| {
        let supported = record.given.first();
        supported.map_or_else(Vec::new, |supported| {
            supported_by_hardware(supported, host, &tables.names)
        })
    };
    let rows = |record: &Evidence| -> Option<Answers> {
        let rows = record.given.first()?.0.iter();
        Some(rows.map(|row| (row.key, row.regs)).collect())
    };
    let excused = |other: &Evidence| listed(kvm_supported::EMULATED, &rows(record)?, &rows(other)?);
    let mut mutants = Vec::new();
    let hardware = host.cpus.first().and_then(|cpu| cpu.cpuid.value());
    for (leaf, subleaf, register) in kvm_supported::WORDS {
        let key = Key::new(leaf, subleaf);
        let real = hardware.and_then(|cpuid| cpuid.answers.get(&key)).copied();
        let row = record.given[0].0.iter().position(|row| row.key == key);
        let (Some(row), register) = (row, register as usize) else {
            continue;
        };
        let offered = record.given[0].0[row].regs[register] | real.unwrap_or_default()[register];
        for bit in (0..32).filter(|bit| offered >> bit & 1 == 0) {
            let what =
                format!("offered: CPUID {leaf:#x}.{subleaf:x} register {register} bit {bit}");
            mutants.push(Mutant::new(what, move |record: &mut Evidence| {
                record.given[0].0[row].regs[register] |= 1 << bit;
            }));
        }
    }
    Suite {
        check: CheckId::KvmSupported.name(),
        of: name,
        record,
        mutants,
        findings: &findings,
        excused: &excused,
    }
    .run(tables.every)
}

/// Check 6 where an MSR that is not announced must fault: under KVM.
pub fn announced(tables: &Tables, name: &str, record: &Dump) -> Tally {
    let findings = |dump: &Dump| msrs::msrs(dump, Accelerator::Kvm, Layer::Kvm, &tables.names);
    Suite {
        check: "msrs",
        of: name,
        record,
        mutants: of_msrs(&tables.names, record, Accelerator::Kvm),
        findings: &findings,
        excused: &none,
    }
    .run(tables.every)
}

/// The processors of a host, one of which is another.
pub fn host_processors(tables: &Tables, host: &HostLayer) -> Tally {
    let findings = |host: &HostLayer| host_cpus::differences(host, &tables.names);
    let whole = |host: &HostLayer| host.cpus.get(1)?.whole_cpuid(host.cpus.first()?);
    let excused = |other: &HostLayer| listed(host_cpus::PER_CPU, &whole(host)?, &whole(other)?);
    let answers = whole(host).unwrap_or_default();
    let mut mutants = Vec::new();
    for (turn, key) in answers.keys().copied().enumerate() {
        for register in 0..4 {
            let bit = (turn * 4 + register) * 5 % 32;
            let what = format!(
                "second processor: CPUID {:#x}.{:x} register {register} bit {bit}",
                key.leaf, key.subleaf
            );
            let mut regs = answers[&key];
            regs[register] ^= 1 << bit;
            mutants.push(Mutant::new(what, move |host: &mut HostLayer| {
                if let Some(cpu) = host.cpus.get_mut(1)
                    && let Found::Value(cpuid) = &mut cpu.cpuid
                {
                    cpuid.answers.insert(key, regs);
                }
            }));
        }
    }
    Suite {
        check: CheckId::HostCpus.name(),
        of: "kvm-pvm/host",
        record: host,
        mutants,
        findings: &findings,
        excused: &excused,
    }
    .run(tables.every)
}

/// The reason of the row of `table` that all that differs is in.
fn listed(table: &[Bits], before: &Answers, after: &Answers) -> Option<String> {
    let mut reason = None;
    for (key, regs) in after {
        let old = before.get(key).copied().unwrap_or_default();
        for (register, (now, then)) in (0..).zip(regs.iter().zip(old)) {
            let moved = now ^ then;
            if moved == 0 {
                continue;
            }
            let covers = |row: &&Bits| {
                row.leaf == key.leaf
                    && row.register == register
                    && row.subleaf.is_none_or(|subleaf| subleaf == key.subleaf)
                    && row.mask & moved == moved
            };
            reason = Some(table.iter().find(covers)?.reason.to_owned());
        }
    }
    reason
}
