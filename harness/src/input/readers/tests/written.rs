//! What is written is read back equal.

use std::collections::BTreeMap;

use fidelity_protocol::frame::Phase;
use proptest::prelude::*;

use super::support::only;
use crate::cpuid::answers::{Answers, Key};
use crate::cpuid::dump::{Dump, PhaseDump, Reading, Vcpu};
use crate::input::{Format, writers};

fn regs() -> impl Strategy<Value = [u32; 4]> {
    prop_oneof![Just([0; 4]), any::<[u32; 4]>()]
}

fn answers() -> impl Strategy<Value = Answers> {
    let leaf = prop_oneof![
        0u32..0x20,
        0x4000_0000u32..0x4000_0010,
        0x8000_0000u32..0x8000_0030,
        any::<u32>()
    ];
    let key = (leaf, 0u32..0x21).prop_map(|(leaf, subleaf)| Key::new(leaf, subleaf));
    prop::collection::btree_map(key, regs(), 1..40)
}

fn msrs() -> impl Strategy<Value = BTreeMap<u32, Reading>> {
    let reading = prop_oneof![
        any::<u64>().prop_map(Reading::Value),
        Just(Reading::Fault(13))
    ];
    prop::collection::btree_map(any::<u32>(), reading, 0..6)
}

fn vcpu() -> impl Strategy<Value = Vcpu> {
    (answers(), msrs()).prop_map(|(cpuid, msrs)| {
        let complete = PhaseDump {
            complete: true,
            ..PhaseDump::default()
        };
        let reset = PhaseDump {
            cpuid,
            ..complete.clone()
        };
        let msrs = PhaseDump { msrs, ..complete };
        Vcpu {
            apic_id: 0,
            phases: [(Phase::Reset, reset), (Phase::Msrs, msrs)].into(),
        }
    })
}

fn dump() -> impl Strategy<Value = Dump> {
    prop::collection::vec(vcpu(), 1..5).prop_map(|vcpus| Dump {
        mode: 64,
        has_cpuid: true,
        vcpus,
    })
}

fn written(dump: &Dump) -> Vec<&Answers> {
    let phases = dump.vcpus.iter().map(|vcpu| &vcpu.phases[&Phase::Reset]);
    phases.map(|phase| &phase.cpuid).collect()
}

proptest! {
    #[test]
    fn cpuid_r(dump in dump()) {
        let input = only(writers::raw(&dump));
        prop_assert_eq!(input.format, Format::Etallen);
        let read: Vec<&Answers> = input.cpus.iter().map(|cpu| &cpu.answers).collect();
        prop_assert_eq!(read, written(&dump));
    }

    #[test]
    fn instlatx64(dump in dump()) {
        let input = only(writers::instlatx64(&dump));
        prop_assert_eq!(input.format, Format::InstLatx64);
        let read: Vec<&Answers> = input.cpus.iter().map(|cpu| &cpu.answers).collect();
        prop_assert_eq!(read, written(&dump));
        for (cpu, vcpu) in input.cpus.iter().zip(&dump.vcpus) {
            prop_assert_eq!(&cpu.msrs, &vcpu.phases[&Phase::Msrs].msrs);
        }
    }

    #[test]
    fn kcpuid_but_for_zeroes(dump in dump()) {
        let mut expected = written(&dump)[0].clone();
        expected.retain(|_, regs| *regs != [0; 4]);
        prop_assume!(!expected.is_empty());
        let input = only(writers::kcpuid(&dump));
        prop_assert_eq!(input.format, Format::Kcpuid);
        prop_assert_eq!(&input.cpus[0].answers, &expected);
    }

    #[test]
    fn cpudata(dump in dump(), title in "[ -~]{0,40}") {
        let input = only(writers::comment(&title) + &writers::cpudata(&dump));
        prop_assert_eq!(input.format, Format::Cpudata);
        let own = |text: &str| text.replace([' ', '-'], "");
        prop_assert_eq!(own(&input.title.unwrap_or_default()), own(&title));
        prop_assert_eq!(&input.cpus[0].answers, written(&dump)[0]);
        let mut expected = dump.vcpus[0].phases[&Phase::Msrs].msrs.clone();
        expected.retain(|_, reading| matches!(reading, Reading::Value(_)));
        prop_assert_eq!(&input.cpus[0].msrs, &expected);
        prop_assert_eq!(input.cpus.len(), 1);
    }

    #[test]
    fn json(dump in dump()) {
        let read: Dump = serde_json::from_str(&writers::json(&dump)).expect("a dump");
        prop_assert_eq!(read, dump);
    }
}
