//! scripts/setup on a machine that has nothing of it: what it would install.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use super::require::root;

/// What the script itself uses.
const TOOLS: [&str; 11] = [
    "cat", "dirname", "env", "find", "grep", "id", "mkdir", "paste", "rm", "sh", "sort",
];

/// Programs that are there and do nothing.
const PRESENT: [&str; 5] = ["ld", "make", "git", "cargo", "qemu-system-x86_64"];

fn script(path: &Path, text: &str) {
    std::fs::write(path, format!("#!/bin/sh\n{text}\n")).expect("a script");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("a mode");
}

/// A checkout in `folder` and a PATH in it, in which apt-get writes down what it is asked for.
fn machine(folder: &Path) {
    let bin = folder.join("bin");
    std::fs::create_dir_all(&bin).expect("a folder");
    std::fs::create_dir(folder.join("scripts")).expect("a folder");
    for tool in TOOLS {
        let found = ["/usr/bin", "/bin"].map(|place| Path::new(place).join(tool));
        let found = found.iter().find(|path| path.exists()).expect("a tool");
        symlink(found, bin.join(tool)).expect("a link");
    }
    PRESENT.iter().for_each(|name| script(&bin.join(name), ""));
    script(&bin.join("cc"), "echo /lib/libc.a");
    let log = folder.join("asked").display().to_string();
    script(&bin.join("apt-get"), &format!("echo \"$*\" >>'{log}'"));
    script(&bin.join("sudo"), "\"$@\"");
    for fetch in [
        "fetch-qemu",
        "fetch-kernel",
        "fetch-dumps",
        "fetch-libvirt",
        "fetch-bochs",
    ] {
        let line = format!("echo \"{fetch} $*\" >>'{log}'");
        script(&folder.join("scripts").join(fetch), &line);
    }
    std::fs::copy(root().join("scripts/setup"), folder.join("scripts/setup")).expect("the script");
}

/// The exit status, what was installed and fetched, and what was said.
fn setup(arguments: &[&str]) -> (Option<i32>, String, String) {
    setup_with("apt-get", arguments)
}

/// The same, with another package manager.
fn setup_with(manager: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().expect("a folder");
    machine(folder.path());
    let bin = folder.path().join("bin");
    std::fs::rename(bin.join("apt-get"), bin.join(manager)).expect("a package manager");
    // Not by itself: while another test forks, its copy of our handle makes the file busy.
    let mut command = Command::new("/bin/sh");
    let command = command
        .arg(folder.path().join("scripts/setup"))
        .args(arguments)
        .env("PATH", folder.path().join("bin"));
    let output = command.output().expect("the script");
    let asked = std::fs::read_to_string(folder.path().join("asked")).unwrap_or_default();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), asked, said)
}

#[test]
fn to_run_needs_no_browser_no_libvirt_and_no_lint() {
    let (status, asked, said) = setup(&["run"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(
        asked.contains("fetch-qemu ") && asked.contains("fetch-kernel "),
        "{asked}"
    );
    assert!(
        !asked.contains("install") && !asked.contains("fetch-dumps") && !asked.contains("libvirt"),
        "{asked}"
    );
    assert!(!asked.contains("bochs"), "{asked}");
    assert!(said.ends_with("setup: ready: make run\n"), "{said}");
}

#[test]
fn to_test_needs_what_tests_compare_with_and_it_is_said_before_it_is_brought() {
    for arguments in [&["test"][..], &[]] {
        let (status, asked, said) = setup(arguments);
        assert_eq!(status, Some(0), "{said}");
        let packages = [
            "chromium",
            "libvirt-clients",
            "cpuid",
            "x86info",
            "cpio",
            "shellcheck",
        ];
        for package in packages {
            assert!(asked.contains(package), "{package}: {asked}");
        }
        assert!(asked.contains("fetch-dumps libcpuid libvirt"), "{asked}");
        assert!(asked.contains("fetch-libvirt 11.3"), "{asked}");
        assert!(asked.contains("fetch-bochs 3.0"), "{asked}");
        assert!(said.contains("setup: installing: chromium"), "{said}");
        assert!(said.ends_with("setup: ready: make test\n"), "{said}");
    }
}

#[test]
fn a_package_that_a_distribution_does_not_have_is_not_asked_for() {
    for manager in ["dnf", "pacman", "zypper"] {
        let (status, asked, said) = setup_with(manager, &["test"]);
        assert_eq!(status, Some(0), "{said}");
        let asked: Vec<&str> = asked.split_whitespace().collect();
        assert!(asked.contains(&"cpuid"), "{manager}: {asked:?}");
        for other in ["x86info", "-", "fetch-dumps"] {
            assert!(!asked.contains(&other), "{manager}: {asked:?}");
        }
    }
}

#[test]
fn another_goal_is_a_mistake() {
    let (status, asked, said) = setup(&["everything"]);
    assert_eq!((status, asked.as_str()), (Some(2), ""), "{said}");
}
