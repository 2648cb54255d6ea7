//! QEMUs and kernels by release, folder or path, and the verbs that list what there is; in the project's own folder.

use std::process::{Command, Output};

use serde_json::Value;

use super::require::{Capability, require, root};

fn typed(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cpuid-fidelity"))
        .args(arguments)
        .env_remove("QEMU")
        .current_dir(root())
        .output()
        .expect("the binary runs")
}

/// What is printed on both streams, where the status is this.
#[track_caller]
fn printed(arguments: &[&str], status: i32) -> String {
    let output = typed(arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let both = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {both}");
    both
}

#[test]
fn a_qemu_is_named_by_release_folder_or_path_alike() {
    let qemu = or_skip!(require(Capability::QemuRelease("10.0")));
    let path = qemu.display().to_string();
    let names = ["10.0", "qemu-10.0", ".cache/qemu/10.0", &path];
    let shown = names.map(|name| printed(&["--qemu", name, "list", "--lane", "tcg"], 0));
    assert!(shown[0].contains("tcg/qemu-10.0/"), "{}", shown[0]);
    assert!(shown.iter().all(|list| *list == shown[0]), "{shown:?}");
}

#[test]
fn migrations_and_releases_take_the_same_names() {
    or_skip!(require(Capability::QemuRelease("7.2")));
    or_skip!(require(Capability::QemuRelease("10.0")));
    let guest = ["--machine", "pc-q35-7.2", "--cpu", "EPYC-v3"];
    for (from, to) in [("7.2", "10.0"), (".cache/qemu/7.2", "qemu-10.0")] {
        let migrate = ["migrate", "--from", from, "--to", to, "--lane", "tcg"];
        // TCG of 10.0 emulates what that of 7.2 does not, so this migration has findings.
        let text = printed(&[&migrate, &guest[..]].concat(), 1);
        assert!(text.contains("qemu-7.2..qemu-10.0/pc-q35-7.2"), "{text}");
    }
}

#[test]
fn a_name_that_is_not_here_is_refused_with_those_that_are() {
    or_skip!(require(Capability::QemuRelease("10.0")));
    or_skip!(require(Capability::Kernel("6.12")));
    let qemu = printed(&["--qemu", "9.9", "list"], 2);
    assert!(qemu.contains("no QEMU “9.9” here: there are "), "{qemu}");
    assert!(qemu.contains("10.0."), "{qemu}");
    let kernel = printed(&["lab", "--kernel", "6.99"], 2);
    assert!(
        kernel.contains("no kernel “6.99” here: there are "),
        "{kernel}"
    );
    assert!(kernel.contains("6.12"), "{kernel}");
    let folder = printed(&["--qemu", "harness", "list"], 2);
    assert!(
        folder.contains("no qemu-system-x86_64 in this folder"),
        "{folder}"
    );
}

#[test]
fn a_kernel_is_named_by_its_release() {
    or_skip!(require(Capability::QemuRelease("10.0")));
    or_skip!(require(Capability::Kernel("6.12")));
    let lab = ["lab", "--kernel", "6.12", "--quiet", "--cpu", "486-v1"];
    let text = printed(&lab, 0);
    assert!(text.contains("passed") || text.contains("PASS"), "{text}");
}

#[test]
fn listings_name_what_is_here_and_what_is_recorded() {
    or_skip!(require(Capability::QemuRelease("10.0")));
    let row = |arguments: &[&str], name: &str| {
        let text = printed(arguments, 0);
        let first = |line: &&str| line.split(' ').next() == Some(name);
        let row = text.lines().find(first);
        row.unwrap_or_else(|| panic!("{name} is missing: {text}"))
            .to_owned()
    };
    let here = ["--qemu", "10.0"];
    let listed = |more: &[&'static str]| [&here[..], more].concat();
    assert!(row(&listed(&["releases"]), "10.0").contains("10.0."));
    assert!(row(&listed(&["releases"]), "11.1").ends_with('-'));
    let model = row(&listed(&["models", "epyc-v4"]), "EPYC-v4");
    let cells: Vec<&str> = model.split_whitespace().collect();
    assert_eq!(
        cells[..5],
        ["EPYC-v4", "-", "10.0", "10.0", "11.1"],
        "{model}"
    );
    let machine = row(&listed(&["machines", "pc-q35-1*"]), "pc-q35-10.0");
    assert!(
        machine.split_whitespace().any(|cell| cell == "11.1"),
        "{machine}"
    );
    assert!(printed(&listed(&["models", "no-such"]), 2).contains("no CPU model matches"));
}

#[test]
fn a_listing_that_lacks_a_qemu_is_not_whole() {
    for verb in ["releases", "models", "machines"] {
        let text = printed(&["--qemu", "/nonexistent/qemu", verb], 3);
        assert!(text.contains("ERROR /nonexistent/qemu"), "{verb}: {text}");
    }
}

#[test]
fn features_are_found_in_any_case_with_the_models_that_have_them() {
    let text = printed(&["features", "PCID"], 0);
    assert!(text.contains("CPUID.01H.00H:ECX[17]"), "{text}");
    let models = text.lines().last().expect("a line");
    let (head, names) = models.split_once(": ").expect("a head");
    assert!(
        head.starts_with("in these definitions of QEMU "),
        "{models}"
    );
    let names: Vec<&str> = names.split(' ').collect();
    assert!(names.contains(&"Skylake-Server-v4"), "{models}");
    assert!(!names.contains(&"486-v1"), "{models}");
    let row = text
        .lines()
        .find(|line| line.starts_with("pcid "))
        .expect("the row");
    let counted = row.split_whitespace().nth(3).expect("a number");
    assert_eq!(counted.parse(), Ok(names.len()), "{row}");
    let objects = printed(&["features", "avx512f", "--format", "json"], 0);
    let object: Value =
        serde_json::from_str(objects.lines().next().expect("a line")).expect("JSON");
    assert_eq!(object["place"], "CPUID.07H.00H:EBX[16]");
    // TCG has no feature MSRs, so definitions cannot show that bit.
    let msr = printed(&["features", "rdctl-no"], 0);
    let row = msr
        .lines()
        .find(|line| line.starts_with("rdctl-no "))
        .expect("the row");
    assert!(row.split_whitespace().any(|cell| cell == "?"), "{row}");
}

#[test]
fn what_is_not_there_is_refused_with_what_is_near() {
    or_skip!(require(Capability::QemuRelease("7.2")));
    or_skip!(require(Capability::QemuRelease("10.0")));
    for (arguments, near) in [
        (vec!["dump", "--skip-phase", "resets"], "reset"),
        (vec!["models", "EPIC-v4"], "EPYC-v4"),
        (vec!["machines", "pc-q35-10.9"], "pc-q35-10.0"),
        (vec!["features", "avx512ff"], "avx512f"),
        (vec!["diff", "EPYC-v1", "EPIC-v4"], "EPYC-v4"),
        (
            vec!["diff", "pc-q35-8.2", "pc-q35-8.1", "--cpu", "EPIC-v4"],
            "EPYC-v4",
        ),
        (vec!["show", "EPIC-v4"], "EPYC-v4"),
        (
            vec!["run", "--compat", "7.2", "10.0", "--cpu", "EPIC-v4"],
            "EPYC-v4",
        ),
        (
            vec![
                "release-day",
                "--rehearse",
                "--out",
                "target",
                "--cpu",
                "EPIC-v4",
            ],
            "EPYC-v4",
        ),
    ] {
        let text = printed(&arguments, 2);
        let (_, names) = text
            .rsplit_once("near to it: ")
            .unwrap_or_else(|| panic!("{arguments:?}: {text}"));
        assert!(names.contains(near), "{arguments:?}: {text}");
    }
}
