//! The prediction of `data/kvm.tsv` beside what KVM of recorded kernels offers on the AMD host of labs, whose processor is recorded as QEMU
//! 10.0's model `max` under TCG.

use std::path::Path;

use fidelity_protocol::frame::Phase;

use super::{Hardware, given};
use crate::cpuid::answers::Key;
use crate::cpuid::parse::parse_masked;
use crate::cpuid::table::Space;
use crate::expectation::store::Expected;
use crate::fleet::bits::Bits;
use crate::fleet::catalogue::Catalogue;
use crate::fleet::fixture::{catalogue, store};

/// Predicted, and not in KVM_GET_SUPPORTED_CPUID: QEMU adds the first two by itself (`kvm_arch_get_supported_cpuid` in target/i386/kvm/kvm.c);
/// MPX is no AMD processor's, and TCG shows it on one all the same.
const BEYOND: [&str; 3] = ["hypervisor", "tsc-deadline", "mpx"];
/// Offered, and not predicted: KVM emulates the MSR everywhere, and QEMU gives it to no guest of an AMD host.
const WITHHELD: [&str; 1] = ["arch-capabilities"];

/// What a dump says of its processor before its CPUID, which what KVM offers has not.
const OF_A_PROCESSOR: &str = "\
agent apic-id                   apic-id = 0
agent cpuid                     cpuid = yes
agent mode                      mode = 64
agent phases                    phases = reset
agent vcpus                     vcpus = 1
";

/// Features of CPUID that a recorded file sets.
fn recorded(file: &str, catalogue: &Catalogue) -> Bits {
    let Ok(Expected::Text(text)) = store().expectation(Path::new(file)) else {
        panic!("no {file}");
    };
    let cpuid = text.lines().filter(|line| line.starts_with("cpuid "));
    let lines: Vec<&str> = OF_A_PROCESSOR.lines().chain(cpuid).collect();
    let dump = parse_masked(&lines.join("\n")).expect("CPUID");
    let boot = dump.boot_processor().expect("a processor");
    let answers = &boot.phase(Phase::Reset).expect("its answers").cpuid;
    let is_set = |number: &usize| {
        let (space, leaf, subleaf) = catalogue.place(*number);
        let field = &catalogue.features()[*number].field;
        let regs = answers.get(&Key::new(leaf, subleaf));
        let set = regs.is_some_and(|regs| regs[usize::from(field.register)] >> field.low & 1 == 1);
        space == Space::Cpuid && set
    };
    (0..catalogue.features().len()).filter(is_set).collect()
}

/// Predicted and not offered, and the other way round.
fn mistaken(kernel: (u32, u32)) -> [Vec<String>; 2] {
    let catalogue = catalogue(&[(11, 1)]);
    let of_cpuid = |number: &usize| catalogue.place(*number).0 == Space::Cpuid;
    let all: Bits = (0..catalogue.features().len()).filter(of_cpuid).collect();
    let has = recorded("qemu-10.0/tcg/max.snap", &catalogue);
    let hardware = Hardware {
        has,
        lacks: all.without(has),
        vendor: Some("AuthenticAMD".to_owned()),
        kernel: Some(kernel),
    };
    let (gives, not) = given(&hardware, &catalogue);
    let file = format!("kernels/{}.{}/kvm.snap", kernel.0, kernel.1);
    let offers = recorded(&file, &catalogue);
    let both = (gives & offers).count();
    assert!(
        both > 70,
        "{file}: {both} features are predicted and offered"
    );
    let names = |bits: Bits, known: &[&str]| {
        let names = catalogue.names(bits & catalogue.addable);
        let names = names.into_iter().filter(|name| !known.contains(name));
        names.map(str::to_owned).collect()
    };
    [
        names((gives & all).without(offers), &BEYOND),
        names(not & offers, &WITHHELD),
    ]
}

#[test]
fn what_is_predicted_is_what_recorded_kernels_offer() {
    for kernel in [(5, 10), (6, 1), (6, 12), (7, 3)] {
        let nothing = [const { Vec::<String>::new() }; 2];
        assert_eq!(mistaken(kernel), nothing, "{kernel:?}");
    }
}
