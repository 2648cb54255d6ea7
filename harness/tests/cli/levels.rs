//! Levels of the x86-64 psABI, and files of features, where a feature is named.

use std::process::Command;

use super::world::{Ended, World, ended};

/// In a folder without a configuration, so that the built-in expectations are read.
fn built_in(arguments: &[&str]) -> Ended {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_cpuid-fidelity"));
    let command = command.args(arguments).current_dir(folder.path());
    ended(command.env("XDG_CACHE_HOME", folder.path()))
}

const TITLE: &str = "CPU model EPYC-v4, recorded of qemu-11.1, lane definition: TCG with x-force-features=on: the model's whole definition, on any host";

#[test]
fn show_says_what_a_model_has_and_lacks_of_a_level() {
    let ended = built_in(&["show", "EPYC-v4", "--feature", "x86-64-v4"]);
    let shown = ended.expect(0).stdout;
    assert!(
        shown.starts_with(&format!("{TITLE}\n  has        lm cmov ")),
        "{shown}"
    );
    let lacks = "\n  lacks      avx512f avx512bw avx512cd avx512dq avx512vl\n";
    assert!(shown.ends_with(lacks), "{shown}");
}

#[test]
fn an_input_that_says_nothing_of_a_feature_does_not_lack_it() {
    let world = or_skip!(World::new(&[], &[]));
    world.write(
        "part.json",
        r#"{"return": {"model": {"name": "base", "props": {"avx": true, "fma": false}}}}"#,
    );
    world.write("set.txt", "avx # first\n\nfma\navx2\n");
    let ended = world.run(&["show", "part.json", "--feature", "set.txt"]);
    assert_eq!(
        ended.expect(0).stdout,
        "base\n  has        avx\n  lacks      fma\n  not known  avx2\n"
    );
}

#[test]
fn diff_and_explain_take_a_level_in_any_case() {
    let ended = built_in(&[
        "diff",
        "EPYC-v4@11.1",
        "Skylake-Server-v4@11.1",
        "--feature",
        "X86-64-v4",
    ]);
    let shown = ended.expect(1).stdout;
    let names: Vec<&str> = shown
        .lines()
        .filter_map(|line| line.strip_prefix("  +"))
        .collect();
    assert_eq!(names.len(), 5, "{shown}");
    let world = or_skip!(World::new(&[], &[]));
    let ended = world.run(&["explain", "--cpu", "EPYC-v4", "--feature", "x86-64-v4"]);
    let shown = ended.expect(0).stdout;
    let cause = "not in the model EPYC-v4\n  avx512f avx512bw avx512cd avx512dq avx512vl\n";
    assert!(shown.contains(cause), "{shown}");
}

#[test]
fn a_level_that_does_not_exist_is_refused_with_those_that_do() {
    let ended = built_in(&["show", "EPYC-v4", "--feature", "x86-64-v9"]).expect(2);
    let wanted = "no level “x86-64-v9”; there are x86-64-v1, x86-64-v2, x86-64-v3, x86-64-v4";
    assert!(ended.stderr.contains(wanted), "{}", ended.stderr);
}
