#[path = "tests/kernel.rs"]
mod kernel;

use super::*;
use crate::case::Lane;
use crate::case::flags;
use crate::case::flags::Flag;
use crate::cpuid::answers::Key;
use crate::cpuid::bit::Bit;
use crate::explain::cause::Cause;
use crate::explain::evidence::{Claim, Filtered, HostEvidence};
use crate::explain::place::At;
use crate::explain::{loss, verdict};

fn yes() -> Claim {
    Claim::new(State::Present, "set")
}

fn no() -> Claim {
    Claim::new(State::Absent, "clear")
}

fn cpuid(leaf: u32) -> At {
    At::Cpuid(Bit {
        key: Key::new(leaf, 0),
        register: 3,
        bit: 0,
    })
}

/// Every layer has it.
fn whole() -> Evidence {
    let host = HostEvidence {
        hardware: yes(),
        kernel: yes(),
        kvm: yes(),
        parameter: None,
        kvm_parameter: None,
        option: None,
        emulated: false,
    };
    Evidence {
        lane: Lane::KVM,
        run_as: Lane::KVM.run_as(),
        machine: "pc-q35-3.1".to_owned(),
        model: "EPYC".to_owned(),
        at: cpuid(0x8000_000A),
        host: Some(host),
        known: yes(),
        since: None,
        versions: vec![("EPYC-v1".to_owned(), yes()), ("EPYC-v2".to_owned(), yes())],
        resolved: "EPYC-v1".to_owned(),
        on_machine: yes(),
        under_kvm: Some(yes()),
        flag: None,
        with_flags: yes(),
        taken_by: None,
        asks_for: Some("svm=on,npt=on".to_owned()),
        needs: None,
        dependent: false,
        conflict: None,
        not_migratable: false,
        libvirt: None,
        given: Some(yes()),
        filtered: Filtered::No,
        moved: false,
        level: None,
        owner: None,
        guest: yes(),
        kernel: None,
    }
}

#[test]
fn what_libvirt_takes_is_its_doing() {
    let found = qemu(|evidence| {
        let policy = "forbid".to_owned();
        evidence.libvirt = Some((no(), Some(Cause::LibvirtPolicy { policy })));
        evidence.given = Some(no());
    });
    assert_eq!(found, "taken by libvirt: policy forbid in the XML");
}

/// The host's layers from one on have not got it, and QEMU filters it.
fn host(change: impl FnOnce(&mut HostEvidence)) -> String {
    let mut evidence = whole();
    change(evidence.host.as_mut().expect("a host"));
    evidence.given = Some(no());
    evidence.filtered = Filtered::Unsupported;
    evidence.guest = no();
    verdict(&layers(&evidence))
}

/// QEMU's layers have not got what `change` takes from one of them, nor has the guest.
fn qemu(change: impl FnOnce(&mut Evidence)) -> String {
    let mut evidence = whole();
    evidence.lane = Lane::TCG;
    evidence.run_as = Lane::TCG.run_as();
    evidence.host = None;
    evidence.under_kvm = None;
    evidence.guest = no();
    change(&mut evidence);
    verdict(&layers(&evidence))
}

fn from_flags_on(evidence: &mut Evidence) {
    evidence.with_flags = no();
    evidence.given = Some(no());
}

fn from_machine_on(evidence: &mut Evidence) {
    evidence.on_machine = no();
    from_flags_on(evidence);
}

fn flag(text: &str) -> Option<Flag> {
    flags::flags(&format!("EPYC,{text}")).pop()
}

const FILTERED: &str = "filtered by QEMU: KVM does not support it";

#[test]
fn a_feature_that_every_layer_has_is_there() {
    let rows = layers(&whole());
    assert_eq!(verdict(&rows), "the guest has it");
    assert!(rows.iter().all(|row| row.cause.is_none()), "{rows:?}");
    assert_eq!(rows.len(), 11);
}

#[test]
fn not_in_hardware() {
    let found = host(|host| (host.hardware, host.kernel, host.kvm) = (no(), no(), no()));
    assert_eq!(found, format!("{FILTERED} (not in hardware)"));
}

#[test]
fn disabled_on_the_kernel_command_line() {
    let found = host(|host| {
        (host.kernel, host.kvm) = (no(), no());
        host.parameter = Some("clearcpuid=npt".to_owned());
    });
    let why = "disabled on the host kernel's command line by clearcpuid=npt";
    assert_eq!(found, format!("{FILTERED} ({why})"));
}

#[test]
fn what_kvm_makes_is_not_wanting_in_hardware() {
    let found = host(|host| {
        (host.hardware, host.kernel, host.kvm) = (no(), no(), no());
        host.kvm_parameter = Some("mitigations=off".to_owned());
    });
    let why = "disabled on the host kernel's command line by mitigations=off";
    assert_eq!(found, format!("{FILTERED} ({why})"));
}

#[test]
fn left_out_by_the_host_kernel() {
    let found = host(|host| (host.kernel, host.kvm) = (no(), no()));
    assert_eq!(found, format!("{FILTERED} (left out by the host's kernel)"));
}

#[test]
fn disabled_by_a_module_option() {
    let found = host(|host| {
        host.kvm = no();
        host.option = Some("kvm_amd.npt=0".to_owned());
    });
    let why = "disabled by the module option kvm_amd.npt=0";
    assert_eq!(found, format!("{FILTERED} ({why})"));
}

#[test]
fn not_known_to_kvm() {
    let found = host(|host| host.kvm = no());
    assert_eq!(found, format!("{FILTERED} (KVM does not know it)"));
}

#[test]
fn only_emulated_by_kvm() {
    let found = host(|host| {
        host.kvm = no();
        host.emulated = true;
    });
    assert_eq!(found, format!("{FILTERED} (only emulated by KVM)"));
    let mut evidence = whole();
    evidence.host.as_mut().expect("a host").hardware = no();
    let rows = layers(&evidence);
    assert_eq!(rows[2].cause, Some(Cause::OnlyEmulatedByKvm));
    assert_eq!(verdict(&rows), "the guest has it");
}

#[test]
fn not_known_to_qemu() {
    let unknown = |evidence: &mut Evidence| {
        from_machine_on(evidence);
        evidence.known = no();
        evidence.versions = vec![("EPYC-v1".to_owned(), no())];
    };
    assert_eq!(qemu(unknown), "QEMU does not know it");
    let found = qemu(|evidence| {
        unknown(evidence);
        evidence.since = Some("11.1".to_owned());
    });
    assert_eq!(found, "this QEMU does not know it: QEMU 11.1 does");
}

#[test]
fn not_in_the_model() {
    let found = qemu(|evidence| {
        from_machine_on(evidence);
        evidence.versions = vec![("EPYC-v1".to_owned(), no())];
    });
    assert_eq!(found, "not in the model EPYC");
}

#[test]
fn not_in_this_version_of_the_model() {
    let found = qemu(|evidence| {
        from_machine_on(evidence);
        evidence.versions[0].1 = no();
    });
    assert_eq!(
        found,
        "not in the model version EPYC-v1: EPYC-v2 is the first that has it"
    );
}

#[test]
fn removed_by_the_machine_type() {
    assert_eq!(
        qemu(from_machine_on),
        "removed by the machine type pc-q35-3.1"
    );
}

#[test]
fn turned_off_by_a_flag() {
    for text in ["-npt", "npt=off", "-svm"] {
        let found = qemu(|evidence| {
            from_flags_on(evidence);
            evidence.taken_by = flag(text);
        });
        assert_eq!(found, format!("turned off by the flag {text}"));
    }
}

#[test]
fn a_flag_that_turns_off_what_is_not_there_is_not_to_blame() {
    let found = qemu(|evidence| {
        from_machine_on(evidence);
        evidence.flag = flag("-npt");
    });
    assert_eq!(found, "removed by the machine type pc-q35-3.1");
}

#[test]
fn depends_on_another_feature() {
    let found = qemu(|evidence| {
        from_flags_on(evidence);
        evidence.flag = flag("+npt");
        evidence.needs = Some("svm".to_owned());
        evidence.filtered = Filtered::ForAnotherReason;
    });
    assert_eq!(found, "depends on svm, which is not there");
    // The model has it, and would show it with svm.
    let dependent = |is_dependent| {
        qemu(|evidence| {
            from_machine_on(evidence);
            evidence.versions = vec![("EPYC-v1".to_owned(), no())];
            evidence.needs = Some("svm".to_owned());
            evidence.dependent = is_dependent;
        })
    };
    assert_eq!(dependent(true), "depends on svm, which is not there");
    assert_eq!(dependent(false), "not in the model EPYC");
    // What it needs was filtered.
    let filtered = qemu(|evidence| evidence.owner = Some("svm".to_owned()));
    assert_eq!(filtered, "depends on svm, which is not there");
}

#[test]
fn conflicts_with_another_feature() {
    let at = [from_flags_on, |evidence: &mut Evidence| {
        evidence.given = Some(no())
    }];
    for change in at {
        let found = qemu(|evidence| {
            change(evidence);
            evidence.taken_by = flag("+apxf");
            evidence.conflict = Some("APX".to_owned());
            evidence.filtered = Filtered::ForAnotherReason;
        });
        assert_eq!(found, "QEMU: conflicts with APX");
    }
}

#[test]
fn what_qemu_filters_for_a_reason_that_is_not_known_is_unknown() {
    let found = qemu(|evidence| {
        evidence.given = Some(no());
        evidence.filtered = Filtered::ForAnotherReason;
    });
    assert_eq!(
        found,
        "unknown: the guest has not got it, and no layer shows why"
    );
}

#[test]
fn tcg_has_no_feature_msrs() {
    let found = qemu(|evidence| {
        evidence.at = At::Msr(0x10A, 0);
        evidence.given = Some(Claim::unknown("no words"));
    });
    assert_eq!(found, "TCG has no feature MSRs: --lane kvm or lab");
}

#[test]
fn a_hypervisors_features_are_only_under_kvm_and_only_if_asked_for() {
    let asked = |evidence: &mut Evidence| {
        evidence.at = cpuid(0x4000_0004);
        evidence.given = Some(Claim::unknown("no words"));
    };
    assert_eq!(qemu(asked), "only KVM has it: --lane kvm or lab");
    let mut evidence = whole();
    evidence.at = cpuid(0x4000_0004);
    evidence.versions = vec![("EPYC-v1".to_owned(), no())];
    from_machine_on(&mut evidence);
    (evidence.under_kvm, evidence.guest) = (Some(no()), no());
    evidence.asks_for = Some("hv-relaxed=on".to_owned());
    let found = verdict(&layers(&evidence));
    assert_eq!(found, "off unless a flag asks for it: hv-relaxed=on");
}

#[test]
fn what_host_lacks_with_what_it_depends_on() {
    let mut evidence = whole();
    evidence.at = At::Msr(0x10A, 0);
    evidence.versions.clear();
    from_machine_on(&mut evidence);
    evidence.on_machine = Claim::unknown("host has no definition of its own");
    (evidence.under_kvm, evidence.guest) = (Some(no()), no());
    evidence.needs = Some("arch-capabilities".to_owned());
    assert_eq!(
        verdict(&layers(&evidence)),
        "depends on arch-capabilities, which is not there"
    );
}

#[test]
fn beyond_the_last_leaf() {
    let found = qemu(|evidence| evidence.level = Some((0x8000_0000, 0x8000_0004)));
    assert_eq!(
        found,
        "beyond the last leaf: CPUID.80000000H:EAX is 80000004H"
    );
}

#[test]
fn what_kvm_alone_was_given_is_a_definition_that_tcg_showed() {
    let mut evidence = whole();
    evidence.run_as = Lane::KVM_DIRECT.run_as();
    (evidence.given, evidence.guest) = (Some(no()), no());
    let found = verdict(&layers(&evidence));
    assert_eq!(found, "not in the recorded definition that KVM was given");
}

#[test]
fn hyper_v_moves_kvms_leaves() {
    let mut evidence = whole();
    evidence.at = cpuid(0x4000_0001);
    evidence.moved = true;
    let rows = layers(&evidence);
    assert_eq!(
        verdict(&rows),
        "the guest has it, at 40000101H (Hyper-V moves KVM's leaves)"
    );
    assert!(loss(&rows).is_none());
    evidence.at = cpuid(0x4000_0101);
    (evidence.moved, evidence.guest) = (false, no());
    assert_eq!(
        verdict(&layers(&evidence)),
        "KVM's leaves are not moved: Hyper-V is not there"
    );
}

#[test]
fn what_kvm_offers_is_not_lost_in_hardware() {
    let mut evidence = whole();
    evidence.host.as_mut().expect("a host").hardware = no();
    evidence.versions.clear();
    from_machine_on(&mut evidence);
    evidence.on_machine = Claim::unknown("host has no definition of its own");
    (evidence.under_kvm, evidence.guest) = (Some(no()), no());
    assert_eq!(
        verdict(&layers(&evidence)),
        "unknown: the guest has not got it, and no layer shows why"
    );
}

#[test]
fn not_migratable() {
    let found = qemu(|evidence| {
        from_machine_on(evidence);
        evidence.versions = Vec::new();
        evidence.not_migratable = true;
    });
    assert_eq!(found, "not migratable: migratable=off would give it");
}

#[test]
fn filtered_by_qemu() {
    let found = qemu(|evidence| {
        evidence.given = Some(no());
        evidence.filtered = Filtered::Unsupported;
    });
    assert_eq!(found, "filtered by QEMU: TCG does not support it");
}

#[test]
fn withheld_without_a_reason() {
    let why = "withheld by QEMU, which was given it and says nothing";
    assert_eq!(qemu(|_| ()), why);
    assert_eq!(qemu(|evidence| evidence.given = Some(no())), why);
    assert_eq!(qemu(from_flags_on), why);
    let mut evidence = whole();
    evidence.guest = no();
    assert_eq!(
        verdict(&layers(&evidence)),
        "withheld by QEMU or KVM, which was given it and says nothing"
    );
    evidence.run_as = Lane::KVM_DIRECT.run_as();
    assert_eq!(
        verdict(&layers(&evidence)),
        "withheld by KVM, which was given it and says nothing"
    );
}

#[test]
fn shown_though_nobody_gave_it() {
    let mut evidence = whole();
    from_machine_on(&mut evidence);
    assert_eq!(
        verdict(&layers(&evidence)),
        "the guest has it: shown by QEMU or KVM, which was not given it"
    );
}

#[test]
fn a_guest_that_could_not_be_run_leaves_it_open() {
    let found = qemu(|evidence| evidence.guest = Claim::unknown("timed out"));
    assert_eq!(found, "unknown: timed out");
}

#[test]
fn a_cause_reads_back_from_json() {
    let cause = Cause::NotInModelVersion {
        version: "EPYC-v1".to_owned(),
        since: "EPYC-v2".to_owned(),
    };
    let text = serde_json::to_string(&cause).expect("a text");
    assert_eq!(
        text,
        r#"{"kind":"not-in-model-version","version":"EPYC-v1","since":"EPYC-v2"}"#
    );
    assert_eq!(
        serde_json::from_str::<Cause>(&text).expect("a cause"),
        cause
    );
}

#[test]
fn left_off_by_default_under_kvm() {
    let mut evidence = whole();
    from_flags_on(&mut evidence);
    (evidence.under_kvm, evidence.guest) = (Some(no()), no());
    let host = evidence.host.as_mut().expect("a host");
    host.kvm = no();
    host.option = Some("kvm_amd.nested=0".to_owned());
    assert_eq!(
        verdict(&layers(&evidence)),
        "left off by QEMU's defaults under KVM: svm=on,npt=on asks for it (disabled by the module option kvm_amd.nested=0)"
    );
}
