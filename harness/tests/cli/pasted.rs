//! What a report gives to paste is pasted: into a shell, in another folder, and it shows the same loss.

use std::process::Command;

use crate::world::{Ended, World, ended};

/// The line of EPYC-v1 that the wrapper's guests lack.
const LOST: &str = "-cpuid 0x00000007.00 ebx[ 5]     avx2";
/// What all reproducers begin with.
const PROGRAM: &str = "cpuid-fidelity check --qemu ";

/// A run of EPYC-v1 on a QEMU that loses avx2, with reports in every format. The wrapper's path needs quotes.
fn run_without_avx2() -> Option<(World, Ended)> {
    let mut world = World::new(&["EPYC-v1"], &[])?;
    world.record_expectations();
    world.add_arguments("-global EPYC-v1-x86_64-cpu.avx2=off");
    let quoted = world.path("it's a qemu");
    std::fs::rename(&world.qemu, &quoted).expect("the wrapper");
    world.qemu = quoted;
    let outputs = "run --html report.html --markdown report.md --json run.jsonl";
    let arguments: Vec<&str> = outputs.split(' ').collect();
    let ended = world.run(&arguments).expect(1);
    Some((world, ended))
}

/// The first line of `text` that is a reproducer, which begins with `program`.
#[track_caller]
pub fn reproducer<'a>(text: &'a str, program: &str) -> &'a str {
    let mut lines = text.lines().map(str::trim_start);
    let found = lines.find(|line| line.starts_with(program));
    found.unwrap_or_else(|| panic!("no reproducer in\n{text}"))
}

/// Pastes `line` where no configuration is, with this program in PATH.
pub fn paste(world: &World, line: &str) -> Ended {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_cpuid-fidelity"));
    let folder = program.parent().expect("its folder").display();
    let elsewhere = world.path("elsewhere");
    std::fs::create_dir_all(&elsewhere).expect("a folder");
    let path = std::env::var("PATH").unwrap_or_default();
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).current_dir(&elsewhere);
    shell
        .env("PATH", format!("{folder}:{path}"))
        .env("XDG_CACHE_HOME", &elsewhere);
    for name in ["QEMU", "CPUID_FIDELITY_CONFIG", "CPUID_FIDELITY_PROFILE"] {
        shell.env_remove(name);
    }
    ended(&mut shell)
}

/// The pasted line finds what the run found.
#[track_caller]
fn assert_reproduces(world: &World, line: &str) {
    let pasted = paste(world, line).expect(1);
    pasted.prints("FAIL check/definition/");
    pasted.prints(LOST);
}

#[test]
fn the_terminals_reproducer_shows_the_same_loss() {
    let (world, ended) = or_skip!(run_without_avx2());
    let printed = ended.stdout + &ended.stderr;
    assert!(
        printed.contains(
            "reproduce (exit status 1 and the same lines: it is still so; 0: it is not; 3:"
        ),
        "{printed}"
    );
    assert_reproduces(&world, reproducer(&printed, PROGRAM));
}

#[test]
fn the_pages_reproducer_shows_the_same_loss() {
    let (world, _) = or_skip!(run_without_avx2());
    let page = std::fs::read_to_string(world.path("report.html")).expect("the page");
    let (_, rest) = page
        .split_once("<div class=\"command\"><pre tabindex=\"0\">")
        .expect("a command");
    let (line, _) = rest.split_once("</pre>").expect("its end");
    let line = line
        .replace("<span>", "")
        .replace("</span>", "")
        .replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&#38;", "&");
    assert_reproduces(&world, &line);
}

#[test]
fn the_comments_reproducer_shows_the_same_loss() {
    let (world, _) = or_skip!(run_without_avx2());
    let comment = std::fs::read_to_string(world.path("report.md")).expect("the comment");
    assert_reproduces(&world, reproducer(&comment, PROGRAM));
}

#[test]
fn a_bug_drafts_reproducer_shows_the_same_loss() {
    let (world, _) = or_skip!(run_without_avx2());
    let (good, bad) = (
        world.real.display().to_string(),
        world.qemu.display().to_string(),
    );
    let case = "definition/-/-/EPYC-v1";
    let bisect = [
        "bisect",
        "versions",
        "--qemu",
        &good,
        &bad,
        "--case",
        case,
        "--report",
        "draft.txt",
    ];
    world.run(&bisect).expect(0);
    let draft = std::fs::read_to_string(world.path("draft.txt")).expect("the draft");
    assert_reproduces(&world, reproducer(&draft, PROGRAM));
}

#[test]
fn a_case_of_a_healthy_qemu_is_not_reproduced() {
    let (world, ended) = or_skip!(run_without_avx2());
    let printed = ended.stdout + &ended.stderr;
    let line = reproducer(&printed, PROGRAM);
    let (_, rest) = line.split_once(" --lane ").expect("a lane");
    let healthy = format!("{PROGRAM}'{}' --lane {rest}", world.real.display());
    paste(&world, &healthy).expect(0);
}
