//! A guest that is not as its model's reviewed definition fails, however the run is narrowed, wherever it is started and whatever release the
//! QEMU is of; and a run that compared nothing is no success.

use std::path::Path;

use super::require::root;
use super::world::{Ended, World};

const MODEL: &str = "EPYC-v4";
const DROPS_AVX2: &str = "-global EPYC-v4-x86_64-cpu.avx2=off";
const CAUSE: &str = "avx2 lost at CPUID.07H.00H:EBX[5] (layer qemu): EPYC-v4 · the model's definition, every machine type";

/// A world without a configuration, where the built-in expectations hold.
fn bare(world: &World) {
    std::fs::remove_file(world.path("fidelity.toml")).expect("the configuration");
    std::fs::remove_dir(world.path("expectations")).expect("the folder");
    world.forget_all();
}

fn run_bare(world: &World, arguments: &[&str]) -> Ended {
    let cache = world.path("cache").display().to_string();
    world.run_with(arguments, &[("XDG_CACHE_HOME", &cache)])
}

#[test]
fn a_narrowed_run_finds_what_the_model_lacks_and_names_the_model() {
    let mut world = or_skip!(World::new(&[], &[]));
    bare(&world);
    world.add_arguments(DROPS_AVX2);
    let arguments = ["run", "--lane", "definition", "--cpu", MODEL];
    for further in [&["--machine", "pc-q35-8.2"][..], &[][..]] {
        let ended = run_bare(&world, &[&arguments, further].concat()).expect(1);
        ended.prints(CAUSE);
        assert_eq!(
            ended.stdout.matches("FAIL avx2").count(),
            1,
            "{}",
            ended.stdout
        );
    }
    let made: Vec<_> = std::fs::read_dir(world.path(""))
        .expect("the folder")
        .flatten()
        .collect();
    let made: Vec<String> = made
        .iter()
        .map(|entry| entry.file_name().display().to_string())
        .collect();
    assert!(!made.contains(&".cache".to_owned()), "{made:?}");
    assert!(
        world.path("cache/cpuid-fidelity/offers").is_dir(),
        "{made:?}"
    );
    world.assert_clean();
}

#[test]
fn a_release_that_nobody_recorded_is_compared_with_the_one_before_it() {
    let mut world = or_skip!(World::new(&[MODEL], &["pc-q35-8.2"]));
    hide_newest(&world);
    world.select(&[MODEL, "DiamondRapids-v1"], &["pc-q35-8.2"], &[]);
    world.add_arguments(DROPS_AVX2);
    let ended = world
        .run(&["run", "--lane", "definition", "--json", "run.json"])
        .expect(1);
    ended.prints(&format!(
        "{CAUSE} · definition qemu-11.1 · compared with qemu-10.0"
    ));
    ended.prints("SKIP new model since qemu-10.0, no expectation qemu-10.0/models/");
    let cases = world.cases("run.json");
    let failed: Vec<&str> = cases
        .iter()
        .filter(|case| case["status"] == "FAIL")
        .filter_map(|case| case["case"].as_str())
        .collect();
    assert_eq!(
        failed,
        [
            "definition/qemu-11.1/-/EPYC-v4",
            "definition/qemu-11.1/pc-q35-8.2/EPYC-v4"
        ]
    );
    let compared = cases
        .iter()
        .flat_map(|case| case["changes"].as_array().into_iter().flatten());
    let avx2 = compared.filter(|change| change["name"] == "avx2");
    assert!(
        avx2.clone().count() > 0 && avx2.clone().all(|change| change["nearest"] == "qemu-10.0")
    );
}

/// The project's expectations but those of the newest release.
fn hide_newest(world: &World) {
    let newest = world.offers().release_folder();
    copy(
        &root().join("expectations"),
        &world.path("expectations"),
        &newest,
    );
}

fn copy(from: &Path, to: &Path, but: &str) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_name() == but {
            continue;
        }
        if path.is_dir() {
            copy(&path, &to, but);
        } else {
            std::fs::copy(path, to).expect("a file");
        }
    }
}

#[test]
fn names_that_are_wrong_are_refused_with_the_nearest() {
    let world = or_skip!(World::new(&[MODEL], &[]));
    for (arguments, near) in [
        (
            ["--machine", "pc-q35-82"],
            "no machine type matches “pc-q35-82”; near to it: pc-q35-8.2",
        ),
        (
            ["--cpu", "EPYC-v44"],
            "no CPU model matches “EPYC-v44”; near to it: EPYC-v4",
        ),
        (
            ["--cpu", "EPYC-V4"],
            "no CPU model matches “EPYC-V4”; near to it: EPYC-v4",
        ),
        (["--cpu", "EPIC*"], "no CPU model matches “EPIC*”"),
    ] {
        for verb in ["run", "list"] {
            let ended = world.run(&[&[verb], &arguments[..]].concat()).expect(2);
            ended.prints(near);
            assert!(ended.stdout.is_empty(), "{}", ended.stdout);
        }
    }
}

#[test]
fn a_run_that_compares_nothing_is_no_success() {
    let world = or_skip!(World::new(&[MODEL], &[]));
    let ended = world
        .run(&["run", "--lane", "definition", "--cpu", "486-v1"])
        .expect(3);
    ended.prints("nothing was compared: no planned case matches");
    ended.prints("cpuid-fidelity check");
    // Nothing is recorded in this world.
    let ended = world.run(&["run", "--lane", "definition"]).expect(3);
    ended.prints("nothing was compared: every case was skipped");
    ended.prints("make bless");
}

#[test]
fn a_folder_of_expectations_that_is_not_there_is_refused() {
    let world = or_skip!(World::new(&[MODEL], &[]));
    world.configure("expectations = \"elsewhere\"\n");
    let ended = world.run(&["list"]).expect(2);
    ended.prints("elsewhere\" in fidelity.toml: there is no such folder");
}

#[test]
fn any_guest_is_checked() {
    let mut world = or_skip!(World::new(&[], &[]));
    bare(&world);
    let check = |world: &World, arguments: &[&str]| {
        run_bare(world, &[&["check", "--cpu", MODEL], arguments].concat())
    };
    const MANY: [&str; 2] = ["--smp", "96,sockets=2,cores=24,threads=2"];
    check(&world, &MANY).expect(0);
    check(&world, &["--machine", "pc-q35-8.2"]).expect(0);
    let flags = ["check", "--cpu", "EPYC-v4,-avx2,+fsrm", "--lane", "tcg"];
    run_bare(&world, &flags).expect(0);
    run_bare(&world, &["check", "--cpu", "EPYC-v44"])
        .expect(2)
        .prints("near to it: EPYC-v4");
    run_bare(&world, &["check"]).expect(2);
    check(&world, &["--smp", "0"]).expect(2);
    world.replace_qemu(
        "case \"$*\" in *-bios*) exec \"$q\" \"$@\" -smp 96,sockets=96,cores=1,threads=1 ;; esac\nexec \"$q\" \"$@\"",
    );
    let ended = check(&world, &MANY).expect(1);
    ended.prints("CPUID.0BH");
    ended.prints("changed topo-logical-cpus 48 → 1 at CPUID.0BH.01H");
    // A QEMU that ignores -smp: the agent waits in vain for vCPUs.
    world.replace_qemu(
        "for word; do shift; case \"$skip$word\" in -smp) skip=@ ;; @*) skip= ;; *) set -- \"$@\" \"$word\" ;; esac; done\n\
         exec \"$q\" \"$@\"",
    );
    let ended = check(&world, &[&MANY[..], &["--timeout", "2"]].concat()).expect(1);
    ended.prints("changed topo-logical-cpus 48 → 1 at CPUID.0BH.01H");
    ended.prints("waiting for application processors");
    world.add_arguments(DROPS_AVX2);
    for lane in ["definition", "tcg"] {
        for further in [&[][..], &["--machine", "pc-q35-8.2"], &["--smp", "2"]] {
            let ended = check(&world, &[&["--lane", lane], further].concat()).expect(1);
            ended.prints("lost avx2");
        }
    }
    world.assert_clean();
}

#[test]
fn a_file_is_checked_without_a_guest() {
    let world = or_skip!(World::new(&[], &[]));
    let record = [
        "record",
        "--cpu",
        "EPYC-v4",
        "--lane",
        "tcg",
        "--out",
        "record.json",
    ];
    world.run(&record).expect(0);
    world
        .run(&["check", "record.json"])
        .expect(0)
        .prints("PASS record.json");
    let text = std::fs::read_to_string(world.path("record.json")).expect("the record");
    let wrong = text.replacen("\"smp\":\"1\"", "\"smp\":\"2\"", 1);
    assert_ne!(text, wrong);
    world.write("wrong.json", &wrong);
    world.run(&["check", "wrong.json"]).expect(1).prints("FAIL");
    world.write(
        "empty.json",
        "{\"mode\":64,\"has_cpuid\":true,\"vcpus\":[]}",
    );
    let ended = world.run(&["check", "empty.json"]).expect(3);
    ended.prints("nothing was compared: empty.json has no answer of CPUID");
    world.write("nothing.json", "{}");
    world.run(&["check", "nothing.json"]).expect(2);
    world
        .run(&["check", "nowhere.json"])
        .expect(2)
        .prints("failed to read nowhere.json");
}
