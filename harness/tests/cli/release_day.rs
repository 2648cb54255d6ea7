//! A new release's day, rehearsed over QEMU 10.0: its expectations hidden, two models, two machine types.

use std::path::Path;
use std::process::{Command, Output};

use super::require::{Capability, require, root};

fn release_day(out: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cpuid-fidelity"))
        .args(["release-day", "--qemu", "10.0", "--timeout", "60"])
        .args(more)
        .arg("--out")
        .arg(out)
        .env_remove("QEMU")
        .current_dir(root())
        .output()
        .expect("the binary runs")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The lines of a reviewed file that name a model whose lines a narrow rehearsal shows whole, without the columns behind them.
fn reviewed_changes(model: &str) -> Vec<String> {
    let text = read(&root().join("expectations/releases/7.2..10.0.snap"));
    let lines = text.lines().filter(|line| line.contains(model));
    let change = |line: &str| line.split(" | ").next().map(str::to_owned);
    lines.filter_map(change).collect()
}

#[test]
fn a_rehearsed_release_day_names_what_was_reviewed_of_the_release() {
    or_skip!(require(Capability::QemuRelease("10.0")));
    let folder = tempfile::tempdir().expect("a folder");
    let notes = folder.path().join("notes.md");
    let selection = ["--rehearse", "--cpu", "n270-v1", "--cpu", "KnightsMill-v1"];
    let machine = [
        "--machine",
        "pc-q35-7.2",
        "--notes",
        notes.to_str().expect("a path"),
    ];
    let output = release_day(folder.path(), &[&selection[..], &machine].concat());
    let stderr = String::from_utf8_lossy(&output.stderr);
    // Guests of old machine types see changes.
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let page = read(&notes);
    assert!(
        page.starts_with("# What guests see differently in QEMU 10.0."),
        "{page}"
    );
    assert!(page.contains("recorded guests of QEMU 7.2"), "{page}");
    for model in ["n270-v1", "KnightsMill-v1"] {
        let changes = reviewed_changes(model);
        assert!(!changes.is_empty());
        for change in changes {
            assert!(page.contains(&change), "{change}\nis missing in\n{page}");
        }
    }
    assert!(
        page.contains("What pc-q35-10.0 changes, compared with pc-q35-7.2"),
        "{page}"
    );
    let pending = |name: &str| read(&folder.path().join(name));
    let own = pending("qemu-10.0/models/n270-v1.snap.new");
    let accepted = read(&root().join("expectations/qemu-10.0/models/n270-v1.snap"));
    assert_eq!(own, accepted, "a rehearsal records what was reviewed");
    assert!(pending("releases/7.2..10.0.snap.new").contains("# unreviewed: "));
}

#[test]
fn a_release_that_is_recorded_has_no_release_day() {
    or_skip!(require(Capability::QemuRelease("10.0")));
    let folder = tempfile::tempdir().expect("a folder");
    let output = release_day(folder.path(), &[]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(
        stderr.contains("qemu-10.0 is recorded: `make bless` records it anew"),
        "{stderr}"
    );
}
