//! One guest of each lane: `run`, a record that is read and checked again, and `explain` say the same of it.

use std::collections::BTreeSet;
use std::path::Path;

use cpuid_fidelity::check::behaviour::Facts;
use cpuid_fidelity::check::{Rules, checked};
use cpuid_fidelity::cpuid::answers::Key;
use cpuid_fidelity::cpuid::linux_rules::LinuxRules;
use cpuid_fidelity::cpuid::table::Table;
use cpuid_fidelity::evidence::Evidence;
use serde_json::Value;

use super::require::{Capability, require, root};
use super::world::World;

/// Check, kind, place and name of a finding.
type Found = BTreeSet<[String; 4]>;

/// A world whose configuration has these lines in its default profile, and no waiver.
fn world(selection: &str) -> Option<World> {
    let world = World::new(&[], &[])?;
    world.write("expectations/waivers.toml", "");
    world.configure(&format!("qemu = []\n[default]\n{selection}\n"));
    Some(world)
}

/// What the rules found in the one case of a run; lines of an expectation are no rules.
fn found_by_run(case: &Value) -> Found {
    let changes = case["changes"].as_array().expect("changes").iter();
    let field = |change: &Value, name: &str| change[name].as_str().unwrap_or_default().to_owned();
    let found = changes.map(|change| ["check", "kind", "where", "name"].map(|n| field(change, n)));
    found.filter(|[check, ..]| check != "expectation").collect()
}

/// What the rules find in a record.
fn found_by_replay(evidence: &Evidence) -> Found {
    let read = |name: &str| {
        std::fs::read_to_string(root().join("expectations").join(name)).expect("a table")
    };
    let table = Table::parse("features.tsv", &read("features.tsv")).expect("a table");
    let known = |name: &str| table.named(name).is_some();
    let linux = LinuxRules::parse("linux.tsv", &read("linux.tsv"), known).expect("rules");
    let facts = Facts::parse(&read("behaviour.tsv"), &table).expect("facts");
    let rules = Rules {
        table: &table,
        linux: Some(&linux),
        behaviour: Some(&facts),
    };
    let findings = checked(evidence, rules).expect("every layer that its checks need");
    let found = findings.iter().map(|finding| {
        [
            finding.check.to_string(),
            finding.kind.name().to_owned(),
            finding.place.to_string(),
            finding.name.clone(),
        ]
    });
    found.collect()
}

/// CPUID.01H:EDX[26], sse2, in a record.
fn has_sse2(evidence: &Evidence) -> bool {
    let mut phases = evidence.guest.vcpus[0].phases.values();
    let leaf = Key::new(1, 0);
    let regs = phases.find_map(|phase| phase.cpuid.get(&leaf));
    let regs = regs.expect("a leaf");
    regs[3] & (1 << 26) != 0
}

/// Runs the one case that `run` selects, records it, checks the record and explains a feature of it.
fn assert_agreement(world: &World, run: &[&str], kernel: Option<&Path>) {
    let kernel = kernel.map(|path| path.display().to_string());
    let kernel: Vec<&str> = kernel
        .iter()
        .flat_map(|path| ["--kernel", path.as_str()])
        .collect();
    world.run(&[run, &["--json", "run.json"]].concat());
    let mut cases = world.cases("run.json");
    // What a lane's section has without asking for it, such as what KVM offers, has no expectation here.
    cases.retain(|case| case["status"] != "SKIP");
    let [case] = &cases[..] else {
        panic!("{cases:?}")
    };
    let text = |name: &str| case[name].as_str().expect("a text").to_owned();
    let (lane, machine, cpu) = (text("lane"), text("machine"), text("cpu"));
    let guest = ["--lane", &lane, "--machine", &machine, "--cpu", &cpu];
    let guest = [&guest[..], &kernel].concat();
    let record = ["record", "--out", "record.json", "--no-host"];
    world.run(&[&record[..], &guest].concat()).expect(0);
    let evidence = Evidence::read(&world.path("record.json")).expect("a record");
    assert_eq!(found_by_replay(&evidence), found_by_run(case), "{lane}");
    let explain = ["explain", "--feature", "sse2", "--json"];
    let ended = world.run(&[&explain[..], &guest].concat()).expect(0);
    let explained: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!(explained["present"], has_sse2(&evidence), "{explained}");
    world.assert_clean();
}

#[test]
fn in_lane_definition() {
    let world = or_skip!(World::new(&["EPYC-v4"], &[]));
    world.write("expectations/waivers.toml", "");
    world.record_expectations();
    assert_agreement(&world, &["run", "--lane", "definition"], None);
}

#[test]
fn in_lane_tcg() {
    let world = or_skip!(World::new(&[], &[]));
    world.write("expectations/waivers.toml", "");
    world.select(&[], &[], &["Skylake-Server-v4"]);
    world.record_expectations();
    assert_agreement(&world, &["run", "--lane", "tcg"], None);
}

#[test]
fn in_lane_kvm() {
    or_skip!(require(Capability::Kvm));
    let world = or_skip!(world("kvm.models = [\"486-v1\"]"));
    assert_agreement(&world, &["run", "--lane", "kvm"], None);
}

#[test]
fn in_lane_kvm_direct() {
    or_skip!(require(Capability::Kvm));
    let world = or_skip!(world("kvm-direct.models = [\"486-v1\"]"));
    assert_agreement(&world, &["run", "--lane", "kvm-direct"], None);
}

#[test]
fn in_lane_libvirt() {
    or_skip!(require(Capability::UserNamespaces));
    or_skip!(require(Capability::Libvirt));
    let world = or_skip!(world("libvirt.models = [\"Nehalem\"]"));
    assert_agreement(&world, &["run", "--lane", "libvirt"], None);
}

#[test]
fn in_lane_linux() {
    let (world, kernel) = or_skip!(World::with_kernel());
    let qemu = &world.qemu;
    world.write("expectations/waivers.toml", "");
    world.configure(&format!(
        "qemu = [{qemu:?}]\nemulator = \"10.0\"\n[[kernel]]\npath = {kernel:?}\n[default.linux]\nmodels = [\"EPYC-v4\"]\n"
    ));
    world.copy_expectation("linux-6.12/EPYC-v4.snap");
    assert_agreement(&world, &["run", "--lane", "linux"], Some(&kernel));
}

#[test]
fn in_lane_lab() {
    let (world, kernel) = or_skip!(World::with_kernel());
    let qemu = &world.qemu;
    world.write("expectations/waivers.toml", "");
    world.configure(&format!(
        "qemu = [{qemu:?}]\nemulator = \"10.0\"\n[[kernel]]\npath = {kernel:?}\n[default.lab]\nkvm = [\"EPYC-Rome-v2\"]\n\
         kvm-direct = []\nmigration = []\n"
    ));
    assert_agreement(
        &world,
        &["run", "--lane", "lab", "--cpu", "EPYC-Rome-v2"],
        Some(&kernel),
    );
}
