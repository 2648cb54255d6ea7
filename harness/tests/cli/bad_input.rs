//! Files that people write, with errors in them: one clear message with the place, and the right exit status.

use std::path::PathBuf;

use super::world::World;

#[test]
fn an_error_in_the_configuration_is_told_with_line_and_column() {
    let world = or_skip!(World::new(&[], &[]));
    for (toml, place, message) in [
        (
            "timeout = 5\njobs = \n",
            "line 2, column 8",
            "fidelity.toml",
        ),
        (
            "timeout = 5\ntimeuot = 3\n",
            "line 2, column 1",
            "unknown field `timeuot`",
        ),
        (
            "[default.definition]\nmodels = [\"[\"]\n",
            "line 2, column 10",
            "bad glob",
        ),
        (
            "[default.definition]\nmodel = [\"*\"]\n",
            "line 2, column 1",
            "unknown field `model`",
        ),
        ("timeout = \"long\"\n", "line 1, column 11", "invalid type"),
        (
            "timeout = 9223372036854775807\n",
            "line 1, column 11",
            "1 to 86400 seconds are expected",
        ),
        (
            "[[skip-phase]]\nlanes = [\"nested\"]\n",
            "line 2, column 9",
            "no lane “nested”; there are definition",
        ),
    ] {
        world.configure(toml);
        for verb in ["run", "list", "dump"] {
            let ended = world.run(&[verb]).expect(2);
            ended.prints(place);
            ended.prints(message);
        }
    }
    let ended = world.run(&["list", "--config", "missing.toml"]).expect(2);
    assert_eq!(
        ended.stderr,
        "error: failed to read missing.toml: No such file or directory (os error 2)\n"
    );
}

#[test]
fn a_million_jobs_are_clamped_and_said() {
    let world = or_skip!(World::new(&["486-v1"], &[]));
    world.record_expectations();
    let ended = world.run(&["run", "--jobs", "1000000"]).expect(0);
    ended.prints("jobs = 1000000: ");
    ended.prints(" guests run at once, 4 for each of ");
    let ended = world.run(&["run", "--jobs", "1"]).expect(0);
    assert!(!ended.stderr.contains("jobs"), "{}", ended.stderr);
}

#[test]
fn an_error_in_a_table_is_told_with_line_and_column() {
    let world = or_skip!(World::new(&[], &[]));
    let row = "cpuid\t0x00000007\t00\tebx\t5\tavx2\tflag\t5.2\tpublic\tlinux:avx2\n";
    for (text, message) in [
        (
            format!("# head\n{row}{row}"),
            "features.tsv:3:25: avx2 overlaps avx2",
        ),
        (
            row.replace("ebx", "rbx"),
            "features.tsv:1:21: register is “rbx”",
        ),
        (
            row.replace("avx2\tflag", "AVX2\tflag"),
            "features.tsv:1:27: name is “AVX2”",
        ),
        (
            format!("{row}cpuid\n"),
            "features.tsv:2:1: 1 columns where 10 are due",
        ),
    ] {
        world.write("expectations/features.tsv", &text);
        for verb in ["run", "list", "dump"] {
            world.run(&[verb]).expect(2).prints(message);
        }
    }
    std::fs::remove_file(world.path("expectations/features.tsv")).expect("the table");
    for (text, message) in [
        ("[[volatile]]\nname = 5\n", "line 2, column 8"),
        (
            "[[volatile]]\nname = \"no-such\"\nplaceholder = \"x\"\nreason = \"y\"\n",
            "no-such is not in the feature table",
        ),
        (
            "[[volatile]]\nname = \"x2apic-id\"\nplaceholder = \"x\"\nreason = \" \"\n",
            "x2apic-id has no reason",
        ),
    ] {
        world.write("expectations/volatile.toml", text);
        let ended = world.run(&["list"]).expect(2);
        ended.prints("volatile.toml");
        ended.prints(message);
    }
}

/// The path of the only snapshot in a folder of expectations, and its name in messages.
fn only_snapshot(world: &World, folder: &str) -> (PathBuf, String) {
    let folder = format!("{}/{folder}", world.offers().release_folder());
    let all = std::fs::read_dir(world.path("expectations").join(&folder)).expect("a folder");
    let paths: Vec<PathBuf> = all.flatten().map(|entry| entry.path()).collect();
    let [path] = paths.as_slice() else {
        panic!("{paths:?}")
    };
    let name = path.file_name().expect("a name").to_string_lossy();
    (path.clone(), format!("{folder}/{name}"))
}

#[test]
fn a_snapshot_edited_into_nonsense_is_an_error_with_file_and_line() {
    let world = or_skip!(World::new(&[], &[]));
    let older = world.machines()[1].clone();
    world.select(&["486-v1"], &[&older], &[]);
    world.record_expectations();
    let conflict = "<<<<<<< HEAD";
    let twice = "agent mode                      mode = 32";
    for (folder, glob, added, problem) in [
        (
            "models",
            "pc-q35-*",
            "avx2 was here",
            "not an expectation line: avx2 was here",
        ),
        (
            "models",
            "pc-q35-*",
            conflict,
            "not an expectation line: <<<<<<< HEAD",
        ),
        (
            "models",
            "pc-q35-*",
            twice,
            "an earlier line has the same place: agent mode",
        ),
        (
            "machines",
            older.as_str(),
            "phys-bits went down",
            "no “ | models” at the end: phys-bits went down",
        ),
    ] {
        let (path, name) = only_snapshot(&world, folder);
        let good = std::fs::read_to_string(&path).expect("a snapshot");
        let line = good.lines().count() + 1;
        std::fs::write(&path, format!("{good}{added}\n")).expect("a snapshot");
        let ended = world
            .run(&["run", "--machine", glob, "--json", "run.json"])
            .expect(3);
        ended.prints(&format!("{name}: line {line}: {problem}"));
        let cases = world.cases("run.json");
        let broken: Vec<_> = cases
            .iter()
            .filter(|case| case["status"] == "ERROR")
            .collect();
        // A model's definition is what it is compared with on an older machine type as well.
        let count = if folder == "models" { 2 } else { 1 };
        assert_eq!(broken.len(), count, "{cases:?}");
        std::fs::write(&path, good).expect("a snapshot");
    }
    let (path, name) = only_snapshot(&world, "models");
    std::fs::write(&path, twice).expect("a snapshot");
    let ended = world.run(&["run"]).expect(3);
    ended.prints(&format!("{name}: not a snapshot file"));
    std::fs::write(&path, b"---\n\xff\n---\n").expect("a snapshot");
    world.run(&["run"]).expect(3).prints(&name);
}

#[test]
fn a_file_that_cannot_be_written_is_told_before_the_run() {
    let world = or_skip!(World::new(&["486-v1"], &[]));
    world.write("file", "");
    for option in ["--json", "--junit"] {
        for path in ["/proc/nowhere/x", "/proc/x", "file/x", "expectations"] {
            let ended = world.run(&["run", option, path]).expect(2);
            ended.prints(&format!("failed to write {path}: "));
            assert!(ended.stdout.is_empty(), "{}", ended.stdout);
        }
    }
    world.assert_clean();
}

#[test]
fn a_run_that_cannot_start_leaves_an_old_result_as_it_was() {
    let world = or_skip!(World::new(&["486-v1"], &[]));
    world.write("run.json", "old");
    world
        .run(&["run", "--cpu", "none", "--json", "run.json"])
        .expect(2);
    assert_eq!(
        std::fs::read_to_string(world.path("run.json")).expect("the file"),
        "old"
    );
}

#[test]
fn usage_errors_are_told() {
    let world = or_skip!(World::new(&[], &[]));
    for (arguments, message) in [
        (&["run", "--shard", "3/2"][..], "1 ≤ K ≤ N"),
        (&["run", "--cpu", "["], "bad glob"),
        (
            &["run", "--lane", "nested"],
            "possible values: definition, tcg, kvm",
        ),
        (&["run", "--timeout", "0"], "more than 0"),
        (
            &["dump", "--smp", "many"],
            "does not start with a number of vCPUs",
        ),
        (
            &["dump", "--skip-phase", "late"],
            "no phase “late”; there are reset, msrs",
        ),
        (
            &["dump", "--sweep-msrs", "10-5"],
            "FIRST-LAST in hexadecimal",
        ),
        (&["dump", "--host", "--cpu", "max"], "cannot be used with"),
        (&["catalogue", "--check", "--write"], "cannot be used with"),
        (&["frobnicate"], "unrecognized subcommand"),
        (&["diff", "only-one"], "required arguments"),
    ] {
        world.run(arguments).expect(2).prints(message);
    }
    let many: Vec<String> = (0..17)
        .map(|index| format!("--sweep-msrs={0:x}-{0:x}", index * 16))
        .collect();
    let many: Vec<&str> = [
        &["dump"],
        &many.iter().map(String::as_str).collect::<Vec<_>>()[..],
    ]
    .concat();
    world.run(&many).expect(2).prints("at most 16 ranges");
}
