//! A QEMU that shows a guest something else than it did: what fails, what is reported, and what does not fail.

use std::collections::BTreeSet;

use cpuid_fidelity::case::trial::Trial;
use serde_json::{Value, json};

use super::world::{Ended, World};

const MODEL: &str = "Skylake-Server-v4";

fn global(property: &str) -> String {
    format!("-global {MODEL}-x86_64-cpu.{property}")
}

/// Runs the lane and gives the cases that failed.
fn failed(world: &World) -> (Ended, Vec<Value>) {
    let ended = world.run(&["run", "-v", "--lane", "definition", "--json", "run.json"]);
    let cases = world.cases("run.json");
    let broken: Vec<_> = cases
        .iter()
        .filter(|case| !["PASS", "FAIL"].contains(&status(case)))
        .collect();
    assert!(broken.is_empty(), "{broken:?}");
    let failed = cases
        .into_iter()
        .filter(|case| status(case) == "FAIL")
        .collect();
    (ended, failed)
}

fn status(case: &Value) -> &str {
    case["status"].as_str().unwrap_or("")
}

/// Kind, name and place of each change.
fn changes(case: &Value) -> Vec<String> {
    let all = case["changes"].as_array().expect("changes").iter();
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    all.map(|change| {
        [&change["kind"], &change["name"], &change["where"]]
            .map(text)
            .join(" ")
    })
    .collect()
}

#[test]
fn one_lost_feature_fails_one_model_of_all() {
    let mut world = or_skip!(World::new(&["*-v1", MODEL], &[]));
    world.skip_os_enabled(&["Opteron_G4*", "Opteron_G5*"]);
    let trials: Vec<Trial> = world.record_expectations();
    assert!(trials.len() > 40, "{} models", trials.len());
    world.add_arguments(&global("avx2=off"));
    let (ended, failed) = failed(&world);
    let ended = ended.expect(1);
    assert_eq!(world.cases("run.json").len(), trials.len());
    let [case] = failed.as_slice() else {
        panic!("{failed:?}")
    };
    assert_eq!(case["cpu"], MODEL);
    assert_eq!(
        case["changes"],
        json!([{
            "check": "expectation", "kind": "lost", "where": "CPUID.07H.00H:EBX[5]", "name": "avx2",
            "expected": "avx2", "actual": "", "layer": "qemu", "minus": "cpuid 0x00000007.00 ebx[ 5]     avx2",
            "origin": "model",
        }])
    );
    ended.prints("FAIL avx2 lost at CPUID.07H.00H:EBX[5] (layer qemu): Skylake-Server-v4 · ");
    ended.prints("-cpuid 0x00000007.00 ebx[ 5]     avx2\n");
    ended.prints("-cpu Skylake-Server-v4,x-force-features=on");
    world.assert_clean();
}

/// Lines that only one side has, as `git diff` would show them; lines that say that a leaf is empty aside.
fn difference(before: &str, after: &str) -> BTreeSet<String> {
    let (before, after) = (
        before.lines().collect::<BTreeSet<_>>(),
        after.lines().collect::<BTreeSet<_>>(),
    );
    let gone = before.difference(&after).map(|line| format!("-{line}"));
    let new = after.difference(&before).map(|line| format!("+{line}"));
    gone.chain(new)
        .filter(|line| !line.ends_with("  zero"))
        .collect()
}

#[test]
fn a_wrong_property_is_told_to_the_line() {
    let mut world = or_skip!(World::new(&[MODEL, "EPYC-v1", "486-v1"], &[]));
    world.record_expectations();
    let dumped = |world: &World| {
        let machine = world.machines()[0].clone();
        world
            .run(&[
                "dump",
                "--masked",
                "--probes",
                "none",
                "--cpu",
                MODEL,
                "--machine",
                &machine,
            ])
            .expect(0)
            .stdout
    };
    let before = dumped(&world);
    for (property, one_of_them) in [
        ("stepping=5", "changed stepping CPUID.01H.00H:EAX[3:0]"),
        (
            "model-id=Other",
            "changed model-id-0 CPUID.80000002H.00H:EAX[31:0]",
        ),
        ("level=7", "changed max-leaf CPUID.00H.00H:EAX[31:0]"),
        (
            "xlevel=0x80000004",
            "changed max-ext-leaf CPUID.80000000H.00H:EAX[31:0]",
        ),
        ("l3-cache=off", "lost cache-level CPUID.04H.03H:EAX[7:5]"),
    ] {
        world.add_arguments(&global(property));
        let (ended, failed) = failed(&world);
        let ended = ended.expect(1);
        let [case] = failed.as_slice() else {
            panic!("{property}: {failed:?}")
        };
        assert_eq!(case["cpu"], MODEL, "{property}");
        let changes = changes(case);
        assert!(
            changes.iter().any(|change| change == one_of_them),
            "{property}: {changes:?}"
        );
        let wanted = difference(&before, &dumped(&world));
        let shown = ended
            .stderr
            .lines()
            .filter(|line| line.starts_with(['-', '+']));
        let shown: BTreeSet<String> = shown
            .filter(|line| !line.ends_with("  zero"))
            .map(str::to_owned)
            .collect();
        assert_eq!(shown, wanted, "{property}");
        assert!(!wanted.is_empty(), "{property} changes nothing");
    }
}

#[test]
fn a_change_on_one_machine_type_fails_that_machine_type_alone() {
    let mut world = or_skip!(World::new(&[], &[]));
    let machines = world.machines();
    let [newest, other, changed] = &machines[..3] else {
        panic!("{machines:?}")
    };
    world.select(
        &[MODEL, "EPYC-v1", "486-v1"],
        &[newest, other, changed],
        &[],
    );
    let trials = world.record_expectations();
    assert_eq!(trials.len(), 3 + 2);
    let globals = [MODEL, "EPYC-v1"]
        .map(|model| format!("-global {model}-x86_64-cpu.avx2=off"))
        .join(" ");
    world.replace_qemu(&format!(
        "case \"$*\" in *{changed},*) set -- \"$@\" {globals} ;; esac\nexec \"$q\" \"$@\""
    ));
    let (ended, failed) = failed(&world);
    let ended = ended.expect(1);
    let seen: Vec<_> = failed
        .iter()
        .map(|case| (&case["machine"], &case["cpu"], changes(case)))
        .collect();
    let lost = || vec!["lost avx2 CPUID.07H.00H:EBX[5]".to_owned()];
    let (machine, epyc, skylake) = (json!(changed), json!("EPYC-v1"), json!(MODEL));
    assert_eq!(
        seen,
        [(&machine, &epyc, lost()), (&machine, &skylake, lost())]
    );
    ended.prints(&format!(
        "FAIL avx2 lost at CPUID.07H.00H:EBX[5] (layer qemu): EPYC-v1, {MODEL} · {changed} · "
    ));
}

#[test]
fn what_was_recorded_passes() {
    let world = or_skip!(World::new(&[], &[]));
    let oldest = world.machines().pop().expect("a machine type");
    world.select(
        &[MODEL, "n270-v1", "EPYC-v1"],
        &[&oldest],
        &["max", "qemu64"],
    );
    let trials = world.record_expectations();
    assert_eq!(trials.len(), 3 + 1 + 2);
    world.run(&["run", "--json", "run.json"]).expect(0);
    for case in world.cases("run.json") {
        // Checks that need no expectation have findings on the real QEMU; the built-in waivers accept them.
        let waived = case["lane"] == "tcg" && status(&case) == "WAIVED";
        assert!(waived || status(&case) == "PASS", "{case}");
    }
}

#[test]
fn a_release_that_nobody_looked_at_is_skipped_but_not_in_ci() {
    let world = or_skip!(World::new(&["486-v1"], &[]));
    let ended = world.run(&["run", "--json", "run.json"]).expect(3);
    assert_eq!(world.cases("run.json")[0]["status"], "SKIP");
    ended.prints("make bless");
    ended.prints("nothing was compared");
    let ended = world.run_in_ci(&["run", "--json", "run.json"]).expect(1);
    assert_eq!(world.cases("run.json")[0]["status"], "FAIL");
    ended.prints("no expectations for qemu-");
    world.mark_release_as_recorded();
    let ended = world.run(&["run", "--json", "run.json"]).expect(1);
    assert_eq!(world.cases("run.json")[0]["status"], "FAIL");
    ended.prints("no expectation qemu-");
}
