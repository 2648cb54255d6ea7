//! What other programs read: diff, list, shards, JUnit, help.

use std::collections::BTreeSet;

use serde_json::Value;

use super::world::World;

#[test]
fn diff_tells_what_differs_between_dumps_in_either_form() {
    let world = or_skip!(World::new(&[], &[]));
    let dump = |cpu: &str, format: &str| {
        let ended = world
            .run(&["dump", "--cpu", cpu, "--format", format])
            .expect(0);
        world.write(&format!("{cpu}.{format}"), &ended.stdout);
    };
    dump("EPYC-v1", "json");
    dump("EPYC-v1", "text");
    dump("EPYC-v1,avx2=off,stepping=3", "json");
    let same = world
        .run(&["diff", "EPYC-v1.json", "EPYC-v1.text"])
        .expect(0);
    assert_eq!(
        same.stdout,
        "--- EPYC-v1.json (a dump in JSON)\n+++ EPYC-v1.text (lines of a dump)\nno differences\n"
    );
    let other = "EPYC-v1,avx2=off,stepping=3.json";
    for of in ["EPYC-v1.json", "EPYC-v1.text"] {
        let ended = world.run(&["diff", of, other]).expect(1);
        for line in [
            "  -avx2                       CPUID.07H.00H:EBX[5]",
            "  stepping             2 → 3                        CPUID.01H.00H",
        ] {
            assert_eq!(ended.lines(line).count(), 1, "{line}\n{}", ended.stdout);
        }
        let back = world.run(&["diff", other, of]).expect(1);
        back.prints("  +avx2                       CPUID.07H.00H:EBX[5]");
        assert_eq!(back.stdout.lines().count(), ended.stdout.lines().count());
    }
}

#[test]
fn diff_refuses_what_is_no_dump() {
    let world = or_skip!(World::new(&[], &[]));
    world.write("good", "0x00000000 0x00: eax=0x1 ebx=0x2 ecx=0x3 edx=0x4\n");
    for text in [
        "what is this\n",
        "---\nsource: x\n---\n\nwhat is this\n",
        "{\"mode\": 64}",
        "{\"mode\": ",
    ] {
        world.write("bad", text);
        for order in [["diff", "good", "bad"], ["diff", "bad", "good"]] {
            world.run(&order).expect(2).prints("bad: ");
        }
    }
    world
        .run(&["diff", "good", "missing.txt"])
        .expect(2)
        .prints("failed to read missing.txt: no such file");
}

#[test]
fn list_speaks_text_and_json_of_the_same_cases() {
    let world = or_skip!(World::new(&["EPYC-v*", "486-v1"], &[]));
    let older = world.machines()[1].clone();
    world.select(&["EPYC-v*", "486-v1"], &[&older], &["max"]);
    let text = world.run(&["list"]).expect(0).stdout;
    let json = world.run(&["list", "--format", "json"]).expect(0).stdout;
    let names = json.lines().map(|line| {
        let case: Value = serde_json::from_str(line).expect("JSON");
        for field in [
            "case",
            "trial",
            "lane",
            "qemu",
            "machine",
            "cpu",
            "resolved",
            "smp",
            "expectation",
        ] {
            assert!(case.get(field).is_some(), "{field} is missing in {line}");
        }
        case["case"].as_str().expect("a name").to_owned()
    });
    let names: Vec<String> = names.collect();
    assert_eq!(names, text.lines().collect::<Vec<_>>());
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    let some = world.run(&["list", "--lane", "tcg"]).expect(0).stdout;
    assert_eq!(
        some.lines().filter(|line| line.starts_with("tcg/")).count(),
        some.lines().count()
    );
    let some = world
        .run(&["list", "--machine", &older, "--cpu", "EPYC-v1"])
        .expect(0)
        .stdout;
    assert_eq!(some.lines().count(), 1, "{some}");
}

#[test]
fn junit_is_well_formed_and_counts_what_failed() {
    let mut world = or_skip!(World::new(&["486-v1", "EPYC-v1", "n270-v1"], &[]));
    world.record_expectations();
    // Text that XML has to escape, and bytes that it cannot hold.
    world.replace_qemu(
        "case \"$*\" in *n270*-bios*) printf '<&\\001\\033[31m]]>\"\\377' >&2; exit 1 ;; esac\n\
         exec \"$q\" \"$@\" -global EPYC-v1-x86_64-cpu.avx2=off",
    );
    world.run(&["run", "--junit", "run.xml"]).expect(3);
    let text = std::fs::read_to_string(world.path("run.xml")).expect("JUnit");
    let document =
        roxmltree::Document::parse(&text).unwrap_or_else(|error| panic!("{error}:\n{text}"));
    let count = |name: &str| {
        document
            .descendants()
            .filter(|node| node.has_tag_name(name))
            .count()
    };
    assert_eq!(
        (count("testcase"), count("failure"), count("error")),
        (3, 1, 1),
        "{text}"
    );
    let root = document.root_element();
    assert_eq!(
        (
            root.attribute("tests"),
            root.attribute("failures"),
            root.attribute("errors")
        ),
        (Some("3"), Some("1"), Some("1"))
    );
    let failure = document
        .descendants()
        .find(|node| node.has_tag_name("failure"))
        .expect("a failure");
    assert!(
        failure
            .text()
            .unwrap_or("")
            .contains("-cpuid 0x00000007.00 ebx[ 5]     avx2"),
        "{text}"
    );
}

#[test]
fn help_names_every_option() {
    let world = or_skip!(World::new(&[], &[]));
    let of_all = [
        "--config <FILE>",
        "--qemu <QEMU>",
        "--accel <ACCEL>",
        "--jobs <N>",
        "--timeout <SECONDS>",
        "--verbose",
    ];
    let choice = [
        "--lane <LANE>",
        "--machine <GLOB>",
        "--cpu <GLOB>",
        "--profile <PROFILE>",
        "--shard <K/N>",
    ];
    let choice = choice.as_slice();
    for (verb, options) in [
        (
            "run",
            [choice, &["--json <FILE>", "--junit <FILE>"]].concat(),
        ),
        ("list", [choice, &["--format <FORMAT>"]].concat()),
        (
            "dump",
            vec![
                "--machine <M>",
                "--cpu <C>",
                "--lane <LANE>",
                "--smp <S>",
                "--format <FORMAT>",
                "--host",
                "--masked",
                "--sweep-msrs <FIRST-LAST>",
                "--probe-1f",
                "--skip-phase <PHASE>",
            ],
        ),
        (
            "diff",
            vec!["<A>", "[B]", "--host", "--release <R>", "--feature <F>"],
        ),
        ("catalogue", vec!["--check", "--write"]),
    ] {
        let help = world.run(&[verb, "--help"]).expect(0).stdout;
        for option in options.iter().chain(&of_all) {
            assert!(
                help.contains(option),
                "{option} is missing in the help of {verb}:\n{help}"
            );
        }
    }
    let help = world.run(&["--help"]).expect(0).stdout;
    for verb in ["run", "list", "dump", "diff", "catalogue"] {
        assert!(
            help.contains(&format!("\n  {verb} ")),
            "{verb} is missing:\n{help}"
        );
    }
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    let world = or_skip!(World::new(&["*"], &[]));
    let mut child = world.start(&["list"]);
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("an end").code(), Some(0));
}
