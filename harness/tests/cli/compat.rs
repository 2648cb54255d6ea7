//! Releases against one another, models and machine types: here one binary against a wrapper of it, so that one QEMU suffices.

use serde_json::{Value, json};

use super::require::{Capability, require};
use super::world::World;

const MODEL: &str = "Skylake-Server-v4";
const LOST: &str = "-cpuid 0x00000007.00 ebx[ 5]     avx2";

/// A world whose QEMU lost one feature of one model.
fn poorer() -> Option<World> {
    let mut world = World::new(&[], &[])?;
    world.add_arguments(&format!("-global {MODEL}-x86_64-cpu.avx2=off"));
    Some(world)
}

/// The arguments that compare the real QEMU with the one of the world, over two models on the newest machine type.
fn arguments(world: &World) -> Vec<String> {
    let paths = [&world.real, &world.qemu].map(|path| path.display().to_string());
    let [old, new] = paths;
    let machine = world.machines()[0].clone();
    let arguments = [
        "run",
        "--compat",
        &old,
        &new,
        "--machine",
        &machine,
        "--cpu",
        "Skylake-Server-v[45]",
        "--json",
        "run.json",
        "--matrix",
        "matrix.json",
    ];
    arguments.map(str::to_owned).to_vec()
}

fn run(world: &World) -> super::world::Ended {
    let arguments = arguments(world);
    world.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

fn matrix(world: &World) -> Vec<Value> {
    let text = std::fs::read_to_string(world.path("matrix.json")).expect("a matrix");
    let whole: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(whole["matrix"], "cpuid-fidelity");
    whole["cells"].as_array().expect("cells").clone()
}

/// Writes the expectations of the pair.
fn expect(world: &World, content: &str) -> String {
    let offers = &world.offers().offers;
    let (major, minor) = offers.release();
    let name = format!("releases/{}..{major}.{minor}.x.snap", offers.version);
    std::fs::create_dir_all(world.path("expectations/releases")).expect("a folder");
    world.write(
        &format!("expectations/{name}"),
        &format!("---\nsource: a test\n---\n{content}\n"),
    );
    name
}

#[test]
fn one_feature_lost_is_one_group_that_nobody_expects() {
    let world = or_skip!(poorer());
    let ended = run(&world).expect(1);
    ended.prints("FAIL avx2 lost at CPUID.07H.00H:EBX[5] (layer qemu): Skylake-Server-v4 · ");
    ended.prints("1 group of changes\n  not expected\n    lost avx2\n    Skylake-Server-v4 · ");
    let cases = world.cases("run.json");
    let outcome = |model: &str| {
        let mut cases = cases.iter();
        let case = cases.find(|case| case["cpu"] == model).expect("a case");
        (case["status"].clone(), case["crossing"]["outcome"].clone())
    };
    assert_eq!(outcome(MODEL), (json!("FAIL"), json!("changes")));
    assert_eq!(outcome("Skylake-Server-v5"), (json!("PASS"), json!("safe")));
    let cells = matrix(&world);
    let ways: Vec<_> = cells
        .iter()
        .filter(|cell| cell["cpu"] == MODEL)
        .map(|cell| cell["changes"][0]["kind"].clone())
        .collect();
    // There and back.
    assert_eq!(cells.len(), 4);
    assert!(
        ways.contains(&json!("lost")) && ways.contains(&json!("gained")),
        "{ways:?}"
    );
    world.assert_clean();
}

#[test]
fn a_reviewed_group_passes_and_is_told_by_its_title() {
    let mut world = or_skip!(poorer());
    let content = format!(
        "# intended: a test takes avx2 away\n{} | {MODEL} | *",
        LOST.replacen('-', "", 1).replace("avx2", "-avx2")
    );
    expect(&world, &content);
    run(&world)
        .expect(0)
        .prints("  intended: a test takes avx2 away\n    lost avx2\n");
    // What is expected and does not happen is a finding as well.
    world.qemu = world.real.clone();
    run(&world)
        .expect(1)
        .prints("FAIL avx2 gained at CPUID.07H.00H:EBX[5]");
}

#[test]
fn a_group_that_nobody_reviewed_holds_nothing() {
    let world = or_skip!(poorer());
    let line = LOST.replacen('-', "", 1).replace("avx2", "-avx2");
    let name = expect(&world, &format!("# avx2 is gone\n{line} | {MODEL} | *"));
    run(&world)
        .expect(3)
        .prints(&format!("{name}: line 5: this group has not been reviewed"));
}

#[test]
fn a_guest_that_dies_is_an_error_that_names_its_side() {
    let mut world = or_skip!(World::new(&[], &[]));
    world.replace_guests("echo went away >&2; exit 7");
    let ended = run(&world).expect(3);
    ended.prints(": QEMU exited with status 7; the agent reported nothing; stderr: went away");
    let cases = world.cases("run.json");
    assert_eq!(cases[0]["crossing"]["outcome"], "unknown");
    world.assert_clean();
}

#[test]
fn what_cannot_be_compared_is_told() {
    let world = or_skip!(World::new(&[], &[]));
    let real = world.real.display().to_string();
    let machine = world.machines()[0].clone();
    for (arguments, status, message) in [
        (vec!["--compat", &real], 2, "2 values required"),
        (
            vec!["--compat", "1.0", &real],
            2,
            "no QEMU 1.0 here, there are ",
        ),
        (
            vec!["--compat", &real, "/nowhere/qemu"],
            3,
            "/nowhere/qemu: No such file",
        ),
        (vec!["--smp", "4"], 2, "--compat"),
        (
            vec![
                "--compat",
                &real,
                &real,
                "--cpu",
                "Z*",
                "--machine",
                &machine,
            ],
            2,
            "no machine type and CPU model matches",
        ),
        (
            vec!["--compat", &real, &real, "--lane", "kvm-direct"],
            2,
            "compared in lanes definition, tcg, kvm, lab, not in kvm-direct",
        ),
        (
            vec!["--compat", &real, &real, "--matrix", "tmp"],
            2,
            "failed to write tmp: ",
        ),
    ] {
        let arguments: Vec<&str> = ["run"].into_iter().chain(arguments).collect();
        world.run(&arguments).expect(status).prints(message);
    }
}

#[test]
fn versions_of_a_model_are_told_step_by_step() {
    let world = or_skip!(World::new(&[], &[]));
    let ended = world
        .run(&["diff", "Skylake-Server-v1", "Skylake-Server-v3"])
        .expect(1);
    ended.prints(
        "\nSkylake-Server-v1 → Skylake-Server-v2\n  lost clflushopt at CPUID.07H.00H:EBX[23]\n",
    );
    ended.prints("\nSkylake-Server-v2 → Skylake-Server-v3\n  lost hle at CPUID.07H.00H:EBX[4]\n");
    let ended = world
        .run(&["diff", "Skylake-Server", "Skylake-Server-v1"])
        .expect(0);
    ended.prints("Skylake-Server stands for Skylake-Server-v1 on ");
    world.assert_clean();
}

#[test]
fn what_a_machine_type_changes_comes_with_its_compat_property() {
    // The first release whose QEMU reports compat properties is 9.1; a world takes the newest there is.
    or_skip!(require(Capability::QemuRelease("10.0")));
    let world = or_skip!(World::new(&[], &[]));
    let machines = world.machines();
    let newest = machines[0].clone();
    let ended = world
        .run(&["diff", "pc-q35-8.2", &newest, "--cpu", "EPYC-v1"])
        .expect(1);
    ended.prints("# x86_64-cpu.x-amd-topoext-features-only=");
    ended.prints("cpuid 0x8000001d.03 edx[ 2]     +amd-cache-complex-indexing | EPYC-v1\n");
    world
        .run(&["diff", &newest, &newest, "--cpu", "EPYC-v1"])
        .expect(0)
        .prints("no differences");
}

#[test]
fn names_of_nothing_and_of_two_kinds_are_told() {
    let world = or_skip!(World::new(&[], &[]));
    let newest = world.machines()[0].clone();
    for (a, b, message) in [
        ("EPYC-v1", newest.as_str(), "are not of one kind"),
        (
            "EPYC-v1",
            "EPIC-v1",
            "failed to read EPIC-v1: no such file, and qemu-",
        ),
        (
            "nothing.txt",
            "EPYC-v1",
            "failed to read nothing.txt: no such file",
        ),
    ] {
        world.run(&["diff", a, b]).expect(2).prints(message);
    }
    world
        .run(&["diff", "EPYC-v1", "EPYC-v2", "--lane", "lab"])
        .expect(2)
        .prints("lanes definition, tcg and kvm");
    world
        .run(&["diff", "EPYC-v1", "EPYC-v2", "--machine", "pc-q35-0.1"])
        .expect(2)
        .prints("has no machine type “pc-q35-0.1”");
}
