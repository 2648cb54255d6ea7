//! Behaviour: what guests do against what CPUID announces, as verbs show it.

use super::require::{Capability, require, root};
use super::world::{Ended, ended};

/// In the repository, with the QEMUs that `scripts/setup` fetches.
fn here(arguments: &[&str]) -> Ended {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_cpuid-fidelity"));
    ended(command.args(arguments).current_dir(root()))
}

#[test]
fn the_page_of_holes_is_what_the_command_prints() {
    let page = std::fs::read_to_string(root().join("docs/behaviour.md")).expect("the page");
    let printed = here(&["behaviour", "--format", "markdown"]);
    assert_eq!(printed.expect(0).stdout, page);
}

#[test]
fn a_name_lists_what_was_recorded_of_it() {
    let listed = here(&["behaviour", "lzcnt"]);
    let line = "tcg       10.0..         announced lzcnt                    abm                    eax=0x0    without bmi1";
    assert!(listed.expect(0).stdout.lines().any(|found| found == line));
    let nothing = here(&["behaviour", "rdtsx"]);
    assert!(
        nothing
            .expect(2)
            .stderr
            .contains("no probe and no feature that is tried has “rdtsx” in its name")
    );
}

#[test]
fn what_is_forced_and_what_tcg_refuses_is_seen_and_expected() {
    or_skip!(require(Capability::QemuRelease("10.0")));
    let checked = here(&[
        "check",
        "--qemu",
        "10.0",
        "--cpu",
        "SapphireRapids-v2",
        "--lane",
        "definition",
    ]);
    let shown = checked.expect(0).stdout;
    let refused = shown
        .lines()
        .find(|line| line.starts_with("  behaviour: announced, and refused: "));
    let refused = refused.expect("a line of what is refused");
    for name in [
        "vaddps-zmm #UD (avx512f)",
        "tilerelease #UD (amx-tile)",
        "vaddph #UD (avx512-fp16)",
    ] {
        assert!(refused.contains(name), "{name} in {refused}");
    }
}

#[test]
fn what_a_486_hides_and_runs_is_listed() {
    or_skip!(require(Capability::QemuRelease("10.0")));
    let checked = here(&["check", "--qemu", "10.0", "--cpu", "486", "--lane", "tcg"]);
    let shown = checked.expect(0).stdout;
    for name in ["paddb-mm (mmx)", "rdtsc (tsc)", "fisttp (pni)"] {
        assert!(shown.contains(name), "{name} in {shown}");
    }
}

#[test]
fn probes_can_be_left_out() {
    or_skip!(require(Capability::QemuRelease("10.0")));
    let tried = |arguments: &[&str]| {
        let dump = ["dump", "--qemu", "10.0", "--cpu", "EPYC", "--lane", "tcg"];
        let text = here(&[&dump, arguments].concat()).expect(0).stdout.clone();
        let lines = text.lines().filter_map(|line| line.strip_prefix("tried "));
        let names = lines.filter_map(|line| line.split(' ').next());
        names.map(str::to_owned).collect::<Vec<String>>()
    };
    let all = tried(&[]);
    assert!(all.len() >= 150, "{}", all.len());
    assert_eq!(tried(&["--probes", "none"]), Vec::<String>::new());
    let safe = tried(&["--probes", "safe"]);
    assert!(safe.contains(&"rdtsc".to_owned()) && !safe.contains(&"fxsave".to_owned()));
    let without = tried(&["--skip-probe", "rdtsc", "--skip-probe", "msr-pat"]);
    assert_eq!(without.len() + 2, all.len());
    let wrong = here(&["dump", "--skip-probe", "rdtsk"]).expect(2);
    assert!(
        wrong.stderr.contains("no probe “rdtsk”; near to it: "),
        "{}",
        wrong.stderr
    );
}

#[test]
fn explain_says_what_trying_a_feature_gave() {
    or_skip!(require(Capability::QemuRelease("10.0")));
    let explained = |cpu: &str, feature: &str| {
        let ended = here(&[
            "explain",
            "--qemu",
            "10.0",
            "--cpu",
            cpu,
            "--lane",
            "tcg",
            "--feature",
            feature,
        ]);
        let text = ended.expect(0).stdout.clone();
        let lines = text.lines().filter(|line| line.starts_with("tried: "));
        lines.map(str::to_owned).collect::<Vec<String>>()
    };
    assert_eq!(
        explained("486", "tsc"),
        ["tried: hidden, and rdtsc works all the same"]
    );
    assert_eq!(
        explained("486", "rdrand"),
        ["tried: hidden, and rdrand is refused (#UD)"]
    );
    assert_eq!(
        explained("phenom", "abm"),
        ["tried: announced, and lzcnt gives eax=0x0"]
    );
}

#[test]
fn diff_shows_what_two_dumps_do_differently() {
    or_skip!(require(Capability::QemuRelease("7.2")));
    or_skip!(require(Capability::QemuRelease("10.0")));
    let folder = tempfile::tempdir().expect("a folder");
    let dump = |release: &str| {
        let path = folder.path().join(format!("{release}.json"));
        let dump = here(&[
            "dump",
            "--qemu",
            release,
            "--cpu",
            "IvyBridge",
            "--lane",
            "tcg",
            "--format",
            "json",
        ]);
        std::fs::write(&path, &dump.expect(0).stdout).expect("a file");
        path.display().to_string()
    };
    let (old, new) = (dump("7.2"), dump("10.0"));
    let shown = here(&["diff", &old, &new]).stdout;
    assert!(
        shown.contains("-tried rdseed                    runs"),
        "{shown}"
    );
    assert!(
        shown.contains("+tried rdseed                    #UD"),
        "{shown}"
    );
}
