//! The gate of the table of probes: what it says is so on a second emulator, or has its cause there.

use serde_json::Value;

use super::require::{Capability, require, root};
use super::world::{Ended, ended};

fn here(arguments: &[&str]) -> Ended {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_cpuid-fidelity"));
    let command = command.arg("behaviour").args(arguments);
    ended(command.current_dir(root()))
}

/// All processors of Bochs, from a 386 to Arrow Lake, and those with long mode once more as 32-bit ones.
#[test]
fn every_answer_on_bochs_is_as_the_table_says_or_has_its_cause() {
    or_skip!(require(Capability::Bochs));
    let tried = here(&["--emulator", "bochs"]);
    let text = &tried.expect(0).stdout;
    assert!(!text.contains("FAIL") && !text.contains("ERROR"), "{text}");
    let sum = "53 processors of Bochs, 0 without an answer: 0 answers are not as due, ";
    assert!(text.contains(sum), "{text}");
    // What works nowhere rests on the manual alone.
    let mut lines = text.lines();
    let missing = lines.find_map(|line| line.strip_prefix("nowhere announced and at work: "));
    let missing = missing.expect("a line").split(", ").count();
    assert!(missing <= 33, "{text}");
}

#[test]
fn a_processor_that_is_named_is_tried_alone_and_its_dump_kept() {
    or_skip!(require(Capability::Bochs));
    let folder = tempfile::tempdir().expect("a folder");
    let dumps = folder.path().join("dumps");
    let into = dumps.to_str().expect("a name");
    let name = "bochs:trinity_apu,trinity_apu-longmode";
    let tried = here(&["--emulator", name, "--format", "json", "--dumps", into]);
    let objects: Vec<Value> = tried
        .expect(0)
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("an object"))
        .collect();
    let modes: Vec<&Value> = objects.iter().map(|object| &object["mode"]).collect();
    assert_eq!(modes, [64, 32]);
    for object in &objects {
        let otherwise = object["otherwise"].as_array().expect("a list");
        let blcfill = otherwise.iter().find(|found| found["probe"] == "blcfill");
        let blcfill = blcfill.expect("it is announced, and refused");
        assert_eq!(
            (&blcfill["answer"], &blcfill["expected"]),
            (&"#UD".into(), &true.into())
        );
        let works = object["works"].as_array().expect("a list");
        assert!(works.contains(&"vprotb".into()), "{object}");
    }
    let dump = dumps.join("trinity_apu.json");
    let mut show = std::process::Command::new(env!("CARGO_BIN_EXE_cpuid-fidelity"));
    let shown = ended(show.arg("show").arg(dump).current_dir(root()));
    let shown = &shown.expect(0).stdout;
    assert!(shown.contains("AMD A8-5600K APU"), "{shown}");
}

#[test]
fn what_is_wrong_on_the_command_line_is_named() {
    for (arguments, message) in [
        (
            &["--emulator", "bosch"][..],
            "no emulator “bosch”; near to it: bochs; there is bochs",
        ),
        (&["--format", "json"], "--format json goes with --emulator"),
        (
            &["--emulator", "bochs", "--format", "markdown"],
            "--format markdown is a page of what was recorded: it goes without --emulator",
        ),
    ] {
        let stderr = &here(arguments).expect(2).stderr;
        assert!(stderr.contains(message), "{stderr}");
    }
    or_skip!(require(Capability::Bochs));
    let stderr = &here(&["--emulator", "bochs:tigerlak"])
        .expect(2)
        .stderr
        .clone();
    let message = "no processor “tigerlak” in Bochs; near to it: tigerlake; there are i386, ";
    assert!(stderr.contains(message), "{stderr}");
}

#[test]
fn a_processor_that_bochs_refuses_and_one_on_which_nothing_is_tried_are_no_success() {
    or_skip!(require(Capability::Bochs));
    let refused = here(&["--emulator", "bochs:tigerlake-avx2"]);
    let stdout = &refused.expect(3).stdout;
    let message =
        "ERROR Bochs exited with status 1 with its tigerlake; the agent reported nothing; ";
    assert!(stdout.contains(message), "{stdout}");
    let idle = here(&["--emulator", "bochs:i386", "--probes", "none"]);
    let stdout = &idle.expect(3).stdout;
    assert!(
        stdout.contains("i386\n  ERROR nothing was tried\n"),
        "{stdout}"
    );
}

#[test]
fn without_bochs_the_script_that_fetches_it_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_cpuid-fidelity"));
    let command = command.args(["behaviour", "--emulator", "bochs"]);
    let command = command.current_dir(folder.path());
    let tried = ended(command.env("XDG_CACHE_HOME", folder.path()));
    let stderr = &tried.expect(3).stderr;
    assert!(
        stderr.contains("bochs/3.0/bochs: run scripts/fetch-bochs"),
        "{stderr}"
    );
}
