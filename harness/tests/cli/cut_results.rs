//! A file of results that was cut: at the end of a line or within one. No reader takes it for a run that passed.

use std::fs;

use super::world::{Ended, World};

const MODELS: [&str; 3] = ["486-v1", "EPYC-v1", "Skylake-Server-v4"];

/// A world in which a run of three models passed, and its JSON lines.
fn passed() -> Option<(World, String)> {
    let world = World::new(&MODELS, &[])?;
    world.record_expectations();
    world.run(&["run", "--json", "night.jsonl"]).expect(0);
    let text = fs::read_to_string(world.path("night.jsonl")).expect("JSON lines");
    Some((world, text))
}

/// Where the third line begins: behind the head and one case.
fn third(text: &str) -> usize {
    let mut ends = text.match_indices('\n').map(|(end, _)| end + 1);
    ends.nth(1).expect("two lines")
}

const LACKING: &str = "cut.jsonl has no result of 2 of the 3 cases that were planned";

#[track_caller]
fn says_what_is_missing(ended: &Ended) {
    assert_eq!(ended.status, Some(3), "{}{}", ended.stdout, ended.stderr);
    ended.prints(LACKING);
    let verdict = ended.stdout.lines().last().unwrap_or_default();
    let wanted = "1 run: 1 passed, 2 NOT RUN in ";
    assert!(verdict.starts_with(wanted), "{}", ended.stdout);
}

#[test]
fn a_report_of_a_cut_file_says_what_was_not_run() {
    let (world, text) = or_skip!(passed());
    let third = third(&text);
    world.write("cut.jsonl", &text[..third]);
    let ended = world.run(&["report", "cut.jsonl", "--markdown", "report.md"]);
    says_what_is_missing(&ended);
    assert!(!ended.stderr.contains("in the middle"), "{}", ended.stderr);
    let comment = fs::read_to_string(world.path("report.md")).expect("the comment");
    assert!(comment.contains("Skylake-Server-v4"), "{comment}");
    world.write("cut.jsonl", &text[..third + 40]);
    let ended = world.run(&["report", "cut.jsonl"]);
    says_what_is_missing(&ended);
    ended.prints(
        "and the file ends in the middle of a line, which is left out: they count as not run",
    );
}

#[test]
fn a_merge_of_a_cut_file_says_what_was_not_run_unless_another_file_has_it() {
    let (world, text) = or_skip!(passed());
    world.write("cut.jsonl", &text[..third(&text) + 40]);
    says_what_is_missing(&world.run(&["merge", "cut.jsonl"]));
    let ended = world.run(&["merge", "cut.jsonl", "night.jsonl"]);
    ended.expect(0).prints(LACKING);
}

#[test]
fn what_a_cut_file_lacks_is_run_again() {
    let (world, text) = or_skip!(passed());
    world.write("cut.jsonl", &text[..third(&text) + 40]);
    // The names of cases are there, and not the path of the QEMU that they ran on.
    let ended = world.run(&["run", "--failed", "cut.jsonl", "--json", "again.jsonl"]);
    ended.expect(0).prints(LACKING);
    assert_eq!(world.cases("again.jsonl").len(), 2);
}

#[test]
fn a_file_that_was_cut_in_its_first_line_is_refused() {
    let (world, text) = or_skip!(passed());
    world.write("cut.jsonl", &text[..40]);
    let message = "cut.jsonl: not the results of a run of cpuid-fidelity: no whole line";
    for verb in [
        &["report", "cut.jsonl"][..],
        &["merge", "cut.jsonl"],
        &["run", "--failed", "cut.jsonl"],
    ] {
        world.run(verb).expect(2).prints(message);
    }
}
