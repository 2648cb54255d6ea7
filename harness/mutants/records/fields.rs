//! Mutants of the fields that the checks of single dumps speak of.

use cpuid_fidelity::case::Accelerator;
use cpuid_fidelity::check::{msrs, vendor};
use cpuid_fidelity::cpuid::answers::Key;
use cpuid_fidelity::cpuid::dump::{Dump, PhaseDump, Reading};
use cpuid_fidelity::cpuid::table::Table;
use fidelity_protocol::entry::Control;
use fidelity_protocol::frame::Phase;

use super::dump::{Mutant, STRIDE, mutants};

/// Mutants of vCPUs other than the first.
pub fn further_vcpus(record: &Dump) -> Vec<Mutant<'_>> {
    let all = mutants(record, STRIDE).into_iter();
    let further = |what: &str| {
        let own = what.starts_with("vcpu 1") && !what.contains("completeness");
        let phase = ["reset", "msrs", "os-enabled"]
            .iter()
            .any(|phase| what.contains(&format!(", {phase}: ")));
        own && phase || what.starts_with("vcpus ") || what.ends_with("with another APIC ID")
    };
    let mut chosen: Vec<_> = all.filter(|mutant| further(&mutant.what)).collect();
    if record.vcpus.len() < 2 {
        chosen.clear();
    }
    chosen
}

/// Fields of the topology leaves that `-smp` determines.
pub const TOPOLOGY: [&str; 19] = [
    "ht",
    "max-logical-ids",
    "cache-core-ids",
    "topo-shift",
    "topo-logical-cpus",
    "topo-level",
    "topo-type",
    "topo-shift-v2",
    "topo-logical-cpus-v2",
    "topo-level-v2",
    "topo-type-v2",
    "cache-sharing-ids",
    "amd-cache-sharing-ids",
    "core-id",
    "node-id",
    "nodes-minus-1",
    "cores-minus-1",
    "apic-id-size",
    "threads-per-core-minus-1",
];

/// Fields that say whose CPU it is, beside its brand string.
pub const IDENTITY: [&str; 14] = [
    "max-leaf",
    "vendor-0",
    "vendor-1",
    "vendor-2",
    "stepping",
    "model",
    "family",
    "type",
    "ext-model",
    "ext-family",
    "max-ext-leaf",
    "ext-vendor-0",
    "ext-vendor-1",
    "ext-vendor-2",
];

/// Fields of the XSAVE leaf that add up, and the bits that follow control state.
pub const XSAVE: [&str; 6] = [
    "xsave-size-max",
    "xsave-size-enabled",
    "xstate-size",
    "xstate-supervisor",
    "osxsave",
    "ospke",
];

/// Every bit of these fields, flipped, as reset leaves it.
pub fn of_fields<'a>(table: &Table, record: &'a Dump, names: &[&str]) -> Vec<Mutant<'a>> {
    let Some(reset) = record
        .boot_processor()
        .and_then(|boot| boot.phase(Phase::Reset))
    else {
        return Vec::new();
    };
    let mut mutants = Vec::new();
    for field in names.iter().filter_map(|name| table.named(name)) {
        let speaks = |key: &&Key| key.leaf == field.leaf && field.subleaves.covers(key.subleaf);
        // What has no XSAVE state has nothing in the leaf that could add up.
        let stateless = |key: Key| {
            let state = reset.cpuid.get(&Key::new(0xD, 0));
            key.leaf == 0xD && state.is_some_and(|regs| regs[0] == 0)
        };
        // Past the last cache nothing describes a processor.
        let cacheless = |key: Key| {
            let of_caches = key.leaf == 4 || key.leaf == 0x8000_001D;
            of_caches && reset.cpuid[&key][0] & 0x1F == 0
        };
        let places = reset
            .cpuid
            .keys()
            .filter(speaks)
            .filter(|key| !stateless(**key) && !cacheless(**key));
        for key in places.copied() {
            for bit in (0..32).filter(|bit| field.mask() >> bit & 1 == 1) {
                mutants.push(flip(field.name.as_str(), key, field.register, bit));
            }
        }
    }
    mutants
}

/// The same on every vCPU, so that it is not the difference between them that is noticed.
pub fn each(dump: &mut Dump, phase: Phase, change: impl Fn(&mut PhaseDump)) {
    let vcpus = dump.vcpus.iter_mut();
    vcpus.for_each(|vcpu| change(vcpu.phases.entry(phase).or_default()));
}

/// A flipped bit as reset leaves it.
pub fn flip<'a>(name: &str, key: Key, register: u8, bit: u32) -> Mutant<'a> {
    let what = format!(
        "{name}, CPUID {:#x}.{:x} register {register} bit {bit}",
        key.leaf, key.subleaf
    );
    Mutant::new(what, move |dump: &mut Dump| {
        each(dump, Phase::Reset, |reset| {
            reset.cpuid.entry(key).or_default()[usize::from(register)] ^= 1 << bit;
        });
    })
}

/// Leaves within the limits dropped, leaves beyond them added, and what lies beyond flipped.
pub fn of_limits(record: &Dump) -> Vec<Mutant<'_>> {
    let Some(boot) = record.boot_processor() else {
        return Vec::new();
    };
    let mut mutants = Vec::new();
    let reset = boot
        .phase(Phase::Reset)
        .into_iter()
        .flat_map(|phase| phase.cpuid.keys());
    for key in reset.copied().filter(|key| key.subleaf == 0) {
        mutants.push(Mutant::new(
            format!("CPUID {:#x} dropped", key.leaf),
            move |dump: &mut Dump| {
                each(dump, Phase::Reset, |reset| {
                    reset.cpuid.remove(&key);
                });
            },
        ));
    }
    for leaf in [0x3F, 0x4000_00FF, 0x8000_0FFF] {
        let key = Key::new(leaf, 0);
        mutants.push(Mutant::new(
            format!("CPUID {leaf:#x} is there"),
            move |dump: &mut Dump| {
                each(dump, Phase::Reset, |reset| {
                    reset.cpuid.insert(key, [1, 0, 0, 0]);
                });
            },
        ));
    }
    let probes = boot
        .phase(Phase::Probes)
        .into_iter()
        .flat_map(|phase| phase.cpuid.keys());
    for key in probes.copied() {
        for register in 0..4 {
            let what = format!(
                "probe {:#x}.{:x} register {register}",
                key.leaf, key.subleaf
            );
            mutants.push(Mutant::new(what, move |dump: &mut Dump| {
                let probes = dump.vcpus[0].phases.entry(Phase::Probes).or_default();
                probes.cpuid.entry(key).or_default()[register] ^= 1 << 17;
            }));
        }
    }
    mutants
}

/// Control registers that did not take what CPUID offers.
pub fn of_control(record: &Dump) -> Vec<Mutant<'_>> {
    let enabled = record
        .boot_processor()
        .and_then(|boot| boot.phase(Phase::Enabled));
    let wanted = |control: Control| {
        let wanted = enabled?.control.get(&control)?;
        (*wanted != Reading::Value(0)).then_some(())
    };
    let pairs = [
        (Control::WantedCr4, Control::Cr4),
        (Control::WantedXcr0, Control::Xcr0),
    ];
    let mut mutants = Vec::new();
    // Of a phase that the guest did not survive nothing is due.
    let whole = enabled.is_some_and(|phase| phase.complete);
    let asked_for = pairs
        .into_iter()
        .filter(|(asked, _)| whole && wanted(*asked).is_some());
    for (_, control) in asked_for {
        for reading in [Reading::Value(0), Reading::Fault(13)] {
            let what = format!("os-enabled {} is {reading:x?}", control.name());
            mutants.push(Mutant::new(what, move |dump: &mut Dump| {
                each(dump, Phase::Enabled, |enabled| {
                    enabled.control.insert(control, reading);
                });
            }));
        }
    }
    mutants
}

/// Value ↔ #GP, of the MSRs of which a rule demands one.
pub fn of_msrs<'a>(table: &Table, record: &'a Dump, accelerator: Accelerator) -> Vec<Mutant<'a>> {
    let phase = record
        .boot_processor()
        .and_then(|boot| boot.phase(Phase::Msrs));
    let readings = phase.into_iter().flat_map(|phase| &phase.msrs);
    let swapped = readings.filter_map(|(index, reading)| {
        let readable = msrs::due(record, *index, accelerator, table)?;
        let other = match reading {
            Reading::Value(_) if readable => Reading::Fault(13),
            Reading::Fault(_) if !readable => Reading::Value(0),
            // It is not as it should be already.
            _ => return None,
        };
        let index = *index;
        let what = format!("MSR {index:#x} is {other:x?}");
        Some(Mutant::new(what, move |dump: &mut Dump| {
            each(dump, Phase::Msrs, |msrs| {
                msrs.msrs.insert(index, other);
            });
        }))
    });
    swapped.collect()
}

/// Features that no processor of the vendor has, in leaves that the guest has.
pub fn of_vendor<'a>(table: &Table, record: &'a Dump) -> Vec<Mutant<'a>> {
    let Some(boot) = record.boot_processor() else {
        return Vec::new();
    };
    let [_, b, c, d] = boot.cpuid(0, 0).unwrap_or_default();
    let bytes: Vec<u8> = [b, d, c].into_iter().flat_map(u32::to_le_bytes).collect();
    let name = String::from_utf8_lossy(&bytes).into_owned();
    let foreign = vendor::foreign(&name).filter_map(|feature| table.named(feature));
    let clear = foreign.filter_map(|field| {
        let subleaf = (0..64).find(|subleaf| field.subleaves.covers(*subleaf))?;
        let key = Key::new(field.leaf, subleaf);
        let regs = boot.cpuid(field.leaf, subleaf)?;
        let set = u64::from(regs[usize::from(field.register)]) & field.mask() != 0;
        let bit = u32::from(field.low);
        (!set).then(|| flip(&field.name, key, field.register, bit))
    });
    clear.collect()
}
