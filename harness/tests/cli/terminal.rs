//! What people see: on terminals of any width and kind, and in logs.

use rustix::process::{Pid, Signal, kill_process};

use super::pty::{OnTerminal, shown};
use super::world::World;

const MODELS: [&str; 3] = ["486-v1", "EPYC-v1", "Skylake-Server-v4"];
/// What a QEMU is given that takes a feature away from one model.
const DROPS_AVX2: &str = "-global EPYC-v1-x86_64-cpu.avx2=off";

/// A world whose QEMU drops avx2 of EPYC-v1, on the newest machine type and on an older one.
fn poorer() -> Option<World> {
    let mut world = World::new(&MODELS, &[])?;
    world.write("expectations/waivers.toml", "");
    let older = world.machines()[1].clone();
    world.select(&MODELS, &[&older], &[]);
    world.record_expectations();
    world.add_arguments(DROPS_AVX2);
    Some(world)
}

#[test]
fn the_cause_and_the_verdict_are_the_last_lines_on_a_terminal() {
    let world = or_skip!(poorer());
    for columns in [80, 40] {
        let shown = shown(&mut world.command(&["run"]), columns);
        assert_eq!(shown.status, Some(1), "{}", shown.raw);
        let lines = shown.lines();
        let last = &lines[lines.len().saturating_sub(5)..];
        let cause = "FAIL avx2 lost at CPUID.07H.00H:EBX[5]";
        let words = last
            .join(" ")
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        assert!(words.contains(cause), "{lines:#?}");
        assert!(
            words.contains("6 run: 4 passed, 2 FAILED in "),
            "{lines:#?}"
        );
        // A word that is longer than the screen is wide is not broken: it can be copied.
        let fits = |line: &String| {
            line.chars().count() <= usize::from(columns) || !line.trim().contains(' ')
        };
        let long: Vec<_> = lines.iter().filter(|line| !fits(line)).collect();
        assert!(long.is_empty(), "{columns} columns: {long:#?}");
    }
}

#[test]
fn colour_is_shown_on_terminals_and_where_it_is_asked_for() {
    let world = or_skip!(poorer());
    world.run(&["run", "--json", "run.json"]).expect(1);
    let report = ["report", "run.json"];
    let colour = ["--color", "always", "report", "run.json"];
    let plain = ["--color", "never", "report", "run.json"];
    let red = "\u{1b}[1;31mFAIL\u{1b}[0m";
    for (arguments, variable, on_terminal, wanted) in [
        (&report[..], ("A", "1"), true, true),
        (&report[..], ("A", "1"), false, false),
        (&report[..], ("NO_COLOR", "1"), true, false),
        (&report[..], ("CLICOLOR_FORCE", "1"), false, true),
        (&report[..], ("TERM", "dumb"), true, false),
        (&colour[..], ("NO_COLOR", "1"), false, true),
        (&plain[..], ("CLICOLOR_FORCE", "1"), true, false),
    ] {
        let mut command = world.command(arguments);
        for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TERM"] {
            command.env_remove(name);
        }
        if on_terminal {
            command.env("TERM", "xterm");
        }
        command.env(variable.0, variable.1);
        let printed = if on_terminal {
            shown(&mut command, 80).raw
        } else {
            super::world::ended(&mut command).stdout
        };
        assert_eq!(
            printed.contains(red),
            wanted,
            "{arguments:?} {variable:?}: {printed:?}"
        );
        assert_eq!(printed.contains('\u{1b}'), wanted, "{printed:?}");
    }
}

#[test]
fn a_bar_is_shown_on_a_terminal_that_can_move_its_cursor_and_nowhere_else() {
    let world = or_skip!(poorer());
    let bar = "6/6";
    let terminal = shown(&mut world.command(&["run"]), 40);
    assert!(terminal.raw.contains(bar), "{:?}", terminal.raw);
    assert!(
        !terminal.lines().join("\n").contains(bar),
        "{:#?}",
        terminal.lines()
    );
    let group = format!("definition {}:", world.offers().label);
    assert!(terminal.raw.contains(&group), "{:?}", terminal.raw);
    let quiet = shown(&mut world.command(&["-q", "run"]), 80);
    assert!(!quiet.raw.contains(bar), "{:?}", quiet.raw);
    let dumb = shown(world.command(&["run"]).env("TERM", "dumb"), 80);
    assert!(
        !dumb.raw.contains('\u{1b}') && !dumb.raw.contains(bar),
        "{:?}",
        dumb.raw
    );
    let log = world.run(&["run"]).expect(1);
    assert!(!log.stderr.contains(bar), "{}", log.stderr);
}

#[test]
fn a_failed_case_is_one_line_in_a_log() {
    let world = or_skip!(poorer());
    let log = world.run(&["run"]).expect(1);
    let lines: Vec<&str> = log.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{}", log.stderr);
    let wanted = "/EPYC-v1: lost avx2 at CPUID.07H.00H:EBX[5] (layer: qemu)";
    let whole = |line: &&str| line.starts_with("FAIL definition/") && line.ends_with(wanted);
    assert!(lines.iter().all(whole), "{}", log.stderr);
    let all = world.run(&["run", "-v"]).expect(1);
    all.prints("-cpuid 0x00000007.00 ebx[ 5]     avx2\n");
    all.prints("PASS definition/");
    let table = |ended: &super::world::Ended| ended.stdout.contains("QEMU");
    assert!(table(&all) && !table(&log), "{}", all.stdout);
    let quiet = world.run(&["run", "-q"]).expect(1);
    assert_eq!(quiet.stderr, "");
    assert_eq!(quiet.stdout.lines().count(), 2, "{}", quiet.stdout);
}

#[test]
fn what_a_locale_says_changes_no_byte() {
    let world = or_skip!(poorer());
    world.run(&["run", "--json", "run.json"]).expect(1);
    let plain = |locale: &str| {
        let ended = world.run_with(&["report", "run.json"], &[("LC_ALL", locale)]);
        ended.expect(1).stdout
    };
    assert!(plain("C").contains(" · "), "{}", plain("C"));
    assert_eq!(plain("C"), plain("C.UTF-8"));
}

#[test]
fn a_report_of_no_case_says_that_nothing_was_compared() {
    let world = or_skip!(poorer());
    world.run(&["run", "--json", "run.json"]).expect(1);
    let text = std::fs::read_to_string(world.path("run.json")).expect("JSON lines");
    let head = text.lines().next().expect("a head");
    let head = head.replace("\"planned\":6", "\"planned\":0");
    world.write("none.json", &format!("{head}\n"));
    let ended = world.run(&["report", "none.json"]).expect(3);
    assert!(
        ended.stdout.starts_with("0 run: nothing was compared in "),
        "{}",
        ended.stdout
    );
}

#[test]
fn ctrl_c_clears_the_bar_and_says_what_was_not_run() {
    let mut world = or_skip!(World::new(&["486-v1", "EPYC-v1"], &[]));
    world.record_expectations();
    // The first model passes; the other one hangs.
    world.replace_qemu("case \"$*\" in *-cpu*486-v1,*) ;; *-bios*) cat \"${0%/*}/never\" ;; esac\nexec \"$q\" \"$@\"");
    let mut command = world.command(&["run", "--jobs", "1"]);
    let mut terminal = OnTerminal::start(&mut command, 80);
    terminal.read_until("1/2");
    kill_process(Pid::from_child(&terminal.child), Signal::INT).expect("a process");
    let shown = terminal.end();
    assert_eq!(shown.status, Some(3), "{}", shown.raw);
    let lines = shown.lines();
    let verdict = lines.last().expect("a line");
    let not_run = lines.iter().find(|line| line.starts_with("MISS "));
    assert!(
        not_run.is_some_and(|line| line.contains("EPYC-v1")),
        "{lines:#?}"
    );
    assert!(
        verdict.starts_with("1 run: 1 passed, 1 NOT RUN in "),
        "{lines:#?}"
    );
    assert!(!lines.iter().any(|line| line.contains("1/2")), "{lines:#?}");
    world.assert_clean();
}
