use super::*;
use crate::check::compare;
use crate::cpuid::parse;
use crate::host::Found;
use crate::host::kernel::Module;

const TABLE: &str = include_str!("../../../../expectations/features.tsv");

/// A host whose module has this parameter, and whose kernel this argument.
fn host(module: &str, parameter: &str, value: &str, argument: &str) -> HostLayer {
    let own: Module = [(parameter.to_owned(), Found::Value(value.to_owned()))].into();
    let mut host = HostLayer::default();
    host.kernel.modules = [(module.to_owned(), own)].into();
    host.kernel.command_line = Found::Value(vec![argument.to_owned()]);
    host
}

/// What stands between these lines, and why.
fn compared(
    expected: &str,
    seen: &str,
    kvm: &KvmLayer,
    host: &HostLayer,
) -> (Vec<String>, Vec<String>) {
    let table = Table::parse("features.tsv", TABLE).expect("a table");
    let lines = |text: &str| parse::lines(text).expect("lines");
    let mut changes = compare(&lines(expected), &lines(seen), LAYER);
    fold_absent_msrs(&mut changes, kvm);
    let causes = attribute(&mut changes, host, &table);
    let layers = changes
        .iter()
        .map(|change| format!("{} {}", change.name, change.layer));
    (layers.collect(), causes)
}

fn offering(msrs: &[u32]) -> KvmLayer {
    let values = msrs.iter().map(|index| (*index, Found::Value(0)));
    KvmLayer {
        feature_msrs: Found::Value(values.collect()),
        ..KvmLayer::default()
    }
}

#[test]
fn msrs_that_are_not_offered_are_one_finding_each_and_one_statement() {
    let expected = "cpuid 0x00000001.00 ecx[ 5]     vmx\n\
                    msr   0x00000480        [30: 0] vmx-revision-id = 0x11e57ed0\n\
                    msr   0x00000480        [55]    vmx-true-ctls\n\
                    msr   0x0000048b        [33]    vmx-ept\n\
                    msr   0x0000048b        [37]    vmx-vpid\n";
    let host = host("kvm_intel", "nested", "N", "quiet");
    let (changes, causes) = compared(expected, "", &offering(&[0x10A]), &host);
    assert_eq!(changes, ["vmx kvm", "msr-480h kvm", "msr-48bh kvm"]);
    let why = "2 VMX MSRs and vmx: disabled by the module option kvm_intel.nested=N";
    assert_eq!(causes, [why]);
}

#[test]
fn an_msr_that_is_offered_loses_its_bits_one_by_one() {
    let expected =
        "msr   0x0000048b        [33]    vmx-ept\nmsr   0x0000048b        [37]    vmx-vpid\n";
    let seen = "msr   0x0000048b        [37]    vmx-vpid\n";
    let host = host("kvm_intel", "ept", "N", "quiet");
    let (changes, causes) = compared(expected, seen, &offering(&[0x48B]), &host);
    assert_eq!(changes, ["vmx-ept kvm"]);
    assert_eq!(
        causes,
        ["vmx-ept: disabled by the module option kvm_intel.ept=N"]
    );
}

#[test]
fn of_many_features_the_first_are_named() {
    let names = [
        "vmx-ept",
        "vmx-ept-execonly",
        "vmx-page-walk-4",
        "vmx-ept-wb",
        "vmx-ept-2mb",
        "vmx-ept-1gb",
        "vmx-invept",
        "vmx-eptad",
        "vmx-pml",
        "vmx-invept-all-context",
    ];
    let changes: Vec<Finding> = names.map(gone).into();
    let of: Vec<&Finding> = changes.iter().collect();
    assert_eq!(
        super::names(&of),
        "vmx-ept, vmx-ept-1gb, vmx-ept-2mb, vmx-ept-execonly, vmx-ept-wb, vmx-eptad, vmx-invept, vmx-invept-all-context and 2 more"
    );
}

fn gone(name: &str) -> Finding {
    let line = parse::lines("msr   0x0000048b        [33]    vmx-ept\n").expect("lines");
    Finding {
        minus: line.into_iter().next(),
        ..Finding::new(CheckId::Expectation, Kind::Lost, name, name, "", LAYER)
    }
}

#[test]
fn what_kvm_makes_itself_is_taken_by_the_command_line() {
    let expected = "msr   0x0000010a        [ 3]    skip-l1dfl-vmentry\nmsr   0x0000010a        [ 6]    pschange-mc-no\n";
    let seen = "msr   0x0000010a        [ 6]    pschange-mc-no\n";
    let host = host("kvm_intel", "ept", "Y", "mitigations=off");
    let (_, causes) = compared(expected, seen, &offering(&[0x10A]), &host);
    let why = "skip-l1dfl-vmentry: disabled on the host kernel's command line by mitigations=off";
    assert_eq!(causes, [why]);
}

#[test]
fn what_an_option_gives_that_labs_turn_off_is_said() {
    let seen = "msr   0x0000048d        [39]    vmx-posted-intr\n";
    let host = host("kvm_intel", "enable_apicv", "Y", "quiet");
    let (_, causes) = compared("", seen, &offering(&[0x48D]), &host);
    let why = "vmx-posted-intr: offered with the module option kvm_intel.enable_apicv=Y";
    assert_eq!(causes, [why]);
}
