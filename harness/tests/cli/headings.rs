//! Every output that shows a guest names its QEMU, machine type, lane and CPU model; and a verb that takes a lane by itself says which.

use super::help::{help, verbs};
use super::world::World;

/// Verbs with a `--lane` that stands for one, and which it is.
const DEFAULTS: [(&str, &str); 7] = [
    ("check", "definition"),
    ("diff", "definition"),
    ("dump", "definition"),
    ("explain", "tcg"),
    ("migrate", "tcg"),
    ("record", "tcg"),
    ("show", "definition"),
];

#[test]
fn the_help_of_each_verb_with_a_lane_of_its_own_says_which_and_why() {
    for verb in verbs() {
        let text = help(&verb, 100);
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let own = ["definition", "tcg"]
            .into_iter()
            .find(|lane| words.contains(&format!("[default: {lane}]")));
        let name = verb.join(" ");
        let known = DEFAULTS.iter().find(|(verb, _)| *verb == name);
        assert_eq!(own, known.map(|(_, lane)| *lane), "{name}");
        if own.is_some() {
            let why = "because a lane that forces features filters none";
            assert!(words.contains(why), "{name}: {text}");
            let others = DEFAULTS.map(|(verb, _)| format!("`{verb}`"));
            assert!(others.iter().all(|other| words.contains(other)), "{name}");
        }
    }
}

#[test]
fn the_verbs_that_plan_have_a_profile_and_no_others_have() {
    let with: Vec<String> = verbs()
        .into_iter()
        .filter(|verb| help(verb, 100).contains("--profile <PROFILE>"))
        .map(|verb| verb.join(" "))
        .collect();
    let wanted = ["run", "list", "lab", "record", "nightly", "release-day"];
    assert_eq!(with, wanted);
}

#[test]
fn every_output_that_shows_a_guest_names_it_whole() {
    let world = or_skip!(World::new(&[], &[]));
    world.select(&[], &[], &[]);
    let qemu = world.offers();
    let machine = world.machines()[0].clone();
    let older = world.machines()[1].clone();
    let real = world.real.display().to_string();
    let guest = ["--cpu", "EPYC-v4", "--machine", &machine];
    let migrated = ["migrate", "--from", &real, "--to", &real];
    let record = ["record", "--out", "record.json"];
    let outputs: [(&[&str], &[&str], &str); 9] = [
        (&["dump"], &guest, "definition"),
        (&["dump", "--view", "qemu", "--lane", "tcg"], &guest, "tcg"),
        (&["check"], &guest, "definition"),
        (&["explain", "--feature", "avx2"], &guest, "tcg"),
        (&record, &guest, "tcg"),
        (&["check", "record.json"], &[], "tcg"),
        (&migrated, &guest, "tcg"),
        (
            &["diff", "EPYC-v3", "EPYC-v4", "--machine", &machine],
            &[],
            "definition",
        ),
        (
            &["diff", &machine, &older, "--cpu", "EPYC-v4"],
            &[],
            "definition",
        ),
    ];
    for (verb, guest, lane) in outputs {
        let ended = world.run(&[verb, guest].concat());
        let printed = format!("{}{}", ended.stdout, ended.stderr);
        let names = [&machine, &qemu.label, lane];
        let whole = |line: &&str| names.iter().all(|name| line.contains(*name));
        let head = printed.lines().find(whole);
        let head = head.unwrap_or_else(|| panic!("{verb:?}: {names:?} in\n{printed}"));
        let of_machines = verb[0] == "diff" && guest.is_empty() && verb[1] == machine;
        assert!(head.contains("EPYC-v4") || of_machines, "{printed}");
        if !["check", "migrate"].contains(&verb[0]) || verb == ["check", "record.json"] {
            let about = format!("lane {lane}: TCG ");
            assert!(printed.contains(&about), "{verb:?}: {printed}");
        }
    }
}

#[test]
fn what_show_prints_begins_with_what_it_is_of() {
    let world = or_skip!(World::new(&[], &[]));
    world.copy_expectation("qemu-11.1/models/EPYC-v4.snap");
    let lines = ["show", "EPYC-v4", "--release", "11.1", "--format", "lines"];
    let ended = world.run(&lines);
    let head = "# -cpu EPYC-v4 on the newest q35 machine type, qemu-11.1, lane definition, -smp 1\n\
                # lane definition: TCG with x-force-features=on: the model's whole definition, on any host\n";
    let ended = ended.expect(0);
    assert!(ended.stdout.starts_with(head), "{}", ended.stdout);
    let ended = world.run(&lines[..4]).expect(0);
    let title = "CPU model EPYC-v4, recorded of qemu-11.1, lane definition: TCG with\n";
    assert!(ended.stdout.starts_with(title), "{}", ended.stdout);
}
