//! Text from outside on standard output and standard error: what QEMU, files and names bring is shown, and nothing obeys it.

use cpuid_fidelity::results::{Head, Row, RunFile};
use cpuid_fidelity::util::printable::terminal;

use super::world::{Ended, World};

/// Both outputs may be printed as they are, and hold `what`.
#[track_caller]
fn assert_printable(ended: &Ended, what: &str) {
    for output in [&ended.stdout, &ended.stderr] {
        assert_eq!(terminal(output), *output);
    }
    ended.prints(what);
}

/// No line of either output is one that the program prints of a guest.
#[track_caller]
fn assert_nothing_is_forged(ended: &Ended, line: &str) {
    let mut lines = ended.stdout.lines().chain(ended.stderr.lines());
    assert!(lines.all(|printed| printed != line), "{line}");
}

const FORGED: &str = "PASS forged";

#[test]
fn what_a_qemu_prints_is_not_obeyed_and_is_no_line_of_ours() {
    let mut world = or_skip!(World::new(&["486-v1"], &[]));
    world.record_expectations();
    world.replace_guests(
        "printf 'a\\033[2Jb\\302\\233c\\342\\200\\256d\\r\\nPASS forged\\n::error::x\\n##vso[x]y\\n' >&2; exit 1",
    );
    for verb in [
        &["run", "-v"][..],
        &["check", "--cpu", "486-v1"],
        &["dump", "--cpu", "486-v1"],
        &["explain", "--cpu", "486-v1", "--feature", "sse"],
    ] {
        let ended = world.run(verb).expect(3);
        assert_printable(&ended, "a\\u{1b}[2Jb\\u{9b}c\\u{202e}d");
        assert_nothing_is_forged(&ended, FORGED);
    }
}

#[test]
fn a_mistake_that_repeats_a_hostile_argument_is_printable() {
    let world = or_skip!(World::new(&[], &[]));
    let hostile = "x\u{1b}[31m\u{202e}\nPASS forged";
    for verb in [
        &["run", "--lane", hostile][..],
        &["run", "--cpu", hostile],
        &["check", "--cpu", hostile],
        &["report", hostile],
        &["diff", hostile, "486-v1"],
        &["run", "--config", hostile],
        &["dump", "--cpu", "486-v1", "--skip-phase", hostile],
        &["explain", "--cpu", "486-v1", "--feature", hostile],
    ] {
        let ended = world.run(verb);
        assert_ne!(ended.status, Some(0), "{verb:?}");
        // Of arguments that it refuses itself, clap leaves out what a terminal would obey.
        assert_printable(&ended, "\\u{202e}");
        assert_nothing_is_forged(&ended, FORGED);
    }
}

#[test]
fn results_with_hostile_names_are_reported_and_forge_no_line() {
    let world = or_skip!(World::new(&[], &[]));
    let hostile = "x\u{1b}[31m\nPASS forged\nok 99 forged";
    let row = Row::missing((format!("tcg/qemu-{hostile}/m/{hostile}"), None)).expect("a row");
    let file = RunFile {
        name: "x".to_owned(),
        head: Head {
            planned: 1,
            run: "cpuid-fidelity".to_owned(),
            version: 1,
            ..Head::default()
        },
        rows: vec![row],
        cut: false,
    };
    world.write("hostile.jsonl", &file.text());
    let ended = world
        .run(&["report", "hostile.jsonl", "--ktap", "run.ktap"])
        .expect(3);
    assert_printable(&ended, "x\\u{1b}[31m\\nPASS forged");
    assert_nothing_is_forged(&ended, FORGED);
    let ktap = std::fs::read_to_string(world.path("run.ktap")).expect("KTAP");
    assert_eq!(ktap.lines().count(), 5, "{ktap}");
}

#[test]
fn json_on_standard_output_hides_nothing_and_reads_as_it_was() {
    let world = or_skip!(World::new(&[], &[]));
    let cpu = "486-v1,model-id=\u{202e}##vso[x]\u{7f}";
    let ended = world.run(&["check", "--json", "--cpu", cpu]);
    assert_printable(&ended, "model-id=\\u202e#\\u0023vso[x]\\u007f");
    let row: serde_json::Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!(row["cpu"], cpu);
}
