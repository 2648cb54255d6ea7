//! `explain` on the command line: a case for each cause, in exact sentences, and its proof.

use serde_json::Value;

use super::require::{Capability, require};
use super::world::{Ended, World};

/// What `explain` comes to, and what it says of the guest without the cause.
fn explained(world: &World, arguments: &[&str]) -> (String, Option<String>) {
    let arguments = [&["explain"], arguments].concat();
    last_lines(&world.run(&arguments).expect(0))
}

#[test]
fn json_says_what_the_text_says() {
    let world = or_skip!(World::new(&[], &[]));
    let asked = ["--cpu", "Skylake-Server,-avx2", "--feature", "avx2"];
    let (verdict, proof) = explained(&world, &asked);
    let arguments = [&["explain"], &asked[..]].concat();
    let json = world.run(&[&arguments[..], &["--json"]].concat()).expect(0);
    let value: Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(value["verdict"], verdict, "{}", json.stdout);
    let expected = serde_json::json!({
        "with": "-cpu Skylake-Server",
        "present": true,
        "verdict": "the guest has it",
    });
    assert_eq!(value["proof"], expected);
    let said = "with -cpu Skylake-Server the guest has it";
    assert_eq!(proof.as_deref(), Some(said));
    assert_eq!(value["present"], false);
}

/// The verdict, and the proof behind it.
fn last_lines(ended: &Ended) -> (String, Option<String>) {
    let mut lines = ended.stdout.trim_end().lines().rev();
    let last = lines.next().unwrap_or_default();
    match last.strip_prefix("proof: ") {
        Some(proof) => (
            lines.next().unwrap_or_default().to_owned(),
            Some(proof.to_owned()),
        ),
        None => (last.to_owned(), None),
    }
}

/// Lane, `-cpu`, feature; verdict and proof.
type Row<'a> = (&'a str, &'a str, &'a str, Option<&'a str>);

fn assert_rows(world: &World, lane: &[&str], rows: &[Row<'_>]) {
    for (cpu, feature, verdict, proof) in rows {
        let asked = [lane, &["--cpu", cpu, "--feature", feature]].concat();
        let found = explained(world, &asked);
        let expected = ((*verdict).to_owned(), proof.map(str::to_owned));
        assert_eq!(found, expected, "{cpu} {feature}");
    }
}

#[test]
fn under_tcg_every_cause_is_named_and_undone() {
    let world = or_skip!(World::new(&[], &[]));
    let filtered = "filtered by QEMU: TCG does not support it";
    let forced = "with x-force-features=on (lane definition) the guest has it";
    let rows = [
        ("Skylake-Server", "avx512f", filtered, Some(forced)),
        (
            "Skylake-Server,-avx2",
            "avx2",
            "turned off by the flag -avx2",
            Some("with -cpu Skylake-Server the guest has it"),
        ),
        (
            "Skylake-Server,+npt",
            "npt",
            "depends on svm, which is not there",
            Some("with -cpu Skylake-Server,+npt,svm=on the guest has it"),
        ),
        (
            "EPYC-v1",
            "ibpb",
            "not in the model version EPYC-v1: EPYC-v2 is the first that has it",
            Some(
                "with -cpu EPYC-v2 the guest still has not got it: filtered by QEMU: TCG does not support it",
            ),
        ),
        (
            "EPYC,level=4",
            "smap",
            "beyond the last leaf: CPUID.00H:EAX is 4H",
            Some("with -cpu EPYC,level=4,level=0x7 the guest has it"),
        ),
        (
            "EPYC",
            "kvmclock",
            "only KVM has it: --lane kvm or lab",
            None,
        ),
        (
            "EPYC,hv-relaxed=on",
            "hv-relaxed",
            "only KVM has it: --lane kvm or lab",
            None,
        ),
    ];
    assert_rows(&world, &["--lane", "tcg"], &rows);
}

#[test]
fn tcg_has_no_feature_msrs() {
    let world = or_skip!(World::new(&[], &[]));
    let none = "TCG has no feature MSRs: --lane kvm or lab";
    let rows = [
        ("Cascadelake-Server-v5", "rdctl-no", none, None),
        ("Cascadelake-Server-v5", "vmx-ept", none, None),
    ];
    assert_rows(&world, &["--lane", "tcg"], &rows);
}

#[test]
fn a_conflict_stands_in_qemus_words() {
    let qemu = or_skip!(require(Capability::QemuRelease("11.1")));
    let world = or_skip!(World::new(&[], &[]));
    let qemu = qemu.display().to_string();
    let cpu = ["--cpu", "max,+apxf", "--feature", "mpx"];
    let asked = [&["--lane", "tcg", "--qemu", &qemu], &cpu[..]].concat();
    let found = explained(&world, &asked);
    let proof = Some("with -cpu max the guest has it".to_owned());
    assert_eq!(found, ("QEMU: conflicts with APX".to_owned(), proof));
}

#[test]
fn under_kvm_the_defaults_count_and_the_flags_do() {
    or_skip!(require(Capability::Kvm));
    let world = or_skip!(World::new(&[], &[]));
    let found = |cpu: &str, feature: &str| {
        let asked = ["--lane", "kvm", "--cpu", cpu, "--feature", feature];
        explained(&world, &asked).0
    };
    assert_eq!(
        found("EPYC,-x2apic", "x2apic"),
        "turned off by the flag -x2apic"
    );
    assert_eq!(
        found("EPYC,kvm=off", "kvmclock"),
        "turned off by the flag kvm=off"
    );
    assert_eq!(
        found("EPYC-Genoa", "perfmon-v2"),
        "not in the model version EPYC-Genoa-v1: EPYC-Genoa-v2 is the first that has it"
    );
}

#[test]
fn what_lane_definition_cannot_show_is_unknown_there() {
    let world = or_skip!(World::new(&[], &[]));
    let cannot = "unknown: lane definition cannot show it: TCG has not got its leaf";
    let rows = [("EPYC-Genoa-v2", "perfmon-v2", cannot, None)];
    assert_rows(&world, &["--lane", "definition"], &rows);
}

#[test]
fn in_a_lab_hyper_v_moves_leaves_and_flags_are_to_blame() {
    let (world, kernel) = or_skip!(World::with_kernel());
    let kernel = kernel.to_string_lossy();
    let off = |flag: &str| format!("turned off by the flag {flag}");
    let (eoi, kvm, avx2) = (off("kvm-pv-eoi=off"), off("kvm=off"), off("-avx2"));
    let moved = "the guest has it, at 40000101H (Hyper-V moves KVM's leaves)";
    let rows = [
        ("EPYC,hv-relaxed=on", "kvmclock", moved, None),
        (
            "EPYC,hv-relaxed=on,kvm-pv-eoi=off",
            "kvm-pv-eoi",
            &eoi,
            Some(
                "with -cpu EPYC,hv-relaxed=on the guest has it, at 40000101H (Hyper-V moves KVM's leaves)",
            ),
        ),
        (
            "host,kvm=off",
            "kvm-steal-time",
            &kvm,
            Some("with -cpu host the guest has it"),
        ),
        (
            "host,-avx2",
            "avx2",
            &avx2,
            Some("with -cpu host the guest has it"),
        ),
        (
            "EPYC",
            "hv-relaxed",
            "off unless a flag asks for it: hv-relaxed=on",
            Some("with -cpu EPYC,hv-relaxed=on the guest has it"),
        ),
        (
            "EPYC",
            "svm",
            "left off by QEMU's defaults under KVM: svm=on asks for it",
            Some("with -cpu EPYC,svm=on the guest has it"),
        ),
    ];
    assert_rows(&world, &["--lane", "lab", "--kernel", &kernel], &rows);
}

#[test]
fn in_a_lab_kvm_is_asked_for_hyper_vs_features() {
    let (world, kernel) = or_skip!(World::with_kernel());
    let kernel = kernel.to_string_lossy();
    let lab = [
        "explain",
        "--lane",
        "lab",
        "--kernel",
        &kernel,
        "--no-proof",
    ];
    let asked = ["--cpu", "EPYC,hv-relaxed=on", "--feature", "hv-relaxed"];
    let ended = world.run(&[&lab[..], &asked].concat()).expect(0);
    ended.prints("KVM            present  KVM_GET_SUPPORTED_HV_CPUID CPUID.40000004H.00H:EAX[5]");
    ended.prints("hardware       unknown  a leaf of the hypervisor: no processor has it");
    ended.prints("\nthe guest has it\n");
}

#[test]
fn a_module_option_is_undone_with_another_host() {
    let (world, kernel) = or_skip!(World::with_kernel());
    let kernel = kernel.to_string_lossy();
    let lab = ["--lane", "lab", "--kernel", &kernel];
    let more = [
        "--module-param",
        "kvm_amd.nested=0",
        "--cpu",
        "EPYC-Rome-v2,svm=on",
        "--feature",
        "svm",
    ];
    let (verdict, proof) = explained(&world, &[&lab[..], &more].concat());
    assert_eq!(
        verdict,
        "filtered by QEMU: KVM does not support it (disabled by the module option kvm_amd.nested=0)"
    );
    let proof = proof.expect("a proof");
    assert_eq!(
        proof,
        "with a host without kvm_amd.nested=0 the guest has it"
    );
}

#[test]
fn a_qemu_that_dies_says_so_once_and_first_what_ended_it() {
    let world = or_skip!(World::new(&[], &[]));
    let asked = [
        "explain",
        "--lane",
        "tcg",
        "--cpu",
        "host",
        "--feature",
        "avx2",
    ];
    let ended = world.run(&asked).expect(3);
    ended.prints("\nunknown: the guest did not run\n");
    let ended_it = "qemu-system-x86_64: CPU model 'host' requires KVM or HVF\n";
    ended.prints(&format!(
        "ERROR QEMU exited with status 1; the agent reported nothing; stderr: {ended_it}"
    ));
    let both = format!("{}{}", ended.stdout, ended.stderr);
    assert_eq!(both.matches("requires KVM or HVF").count(), 1, "{both}");
}

#[test]
fn numbers_are_explained_by_what_sets_them() {
    let world = or_skip!(World::new(&[], &[]));
    let rows = [
        ("EPYC", "family", "23: as EPYC-v1 has it", None),
        (
            "EPYC,family=25",
            "family",
            "25: set by the flag family=25",
            None,
        ),
        (
            "EPYC,phys-bits=42",
            "phys-bits",
            "42: set by the flag phys-bits=42",
            None,
        ),
        (
            "EPYC",
            "phys-bits",
            "40: QEMU's own default: no layer sets it",
            None,
        ),
        (
            "EPYC,level=7",
            "level",
            "0x7: set by the flag level=7",
            None,
        ),
    ];
    assert_rows(&world, &["--lane", "tcg"], &rows);
}

#[test]
fn without_proof_the_guest_is_not_booted_again() {
    let world = or_skip!(World::new(&[], &[]));
    let cpu = [
        "--cpu",
        "Skylake-Server,-avx2",
        "--feature",
        "avx2",
        "--no-proof",
    ];
    let found = explained(&world, &[&["--lane", "tcg"], &cpu[..]].concat());
    assert_eq!(found, ("turned off by the flag -avx2".to_owned(), None));
}
