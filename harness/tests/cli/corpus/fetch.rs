//! scripts/fetch-dumps: what it takes out of a source package, and how it ends. apt is a program of the test's own.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use super::super::require::root;

/// apt-get of a machine with Debian's sources: `source` packs the folder `package` beside it.
const APT_GET: &str = "case \" $* \" in\n\
    *' indextargets '*) echo 'trixie http://debian.example/' ;;\n\
    *' source '*) tar -cJf \"libcpuid_0.7.1+repack1.orig.tar.xz\" -C \"$HERE\" package ;;\n\
    esac";
const APT_CACHE: &str = "echo 'Package: libcpuid'; echo 'Version: 0.7.1+repack1-0.2'";
const DPKG_QUERY: &str = "echo /usr/share/keyrings/debian-archive-keyring.gpg";

fn program(path: &Path, text: &str) {
    std::fs::write(path, format!("#!/bin/sh\n{text}\n")).expect("a script");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("a mode");
}

/// A checkout in `folder`, with an apt that brings a package of `dumps` dumps.
fn checkout(folder: &Path, dumps: usize) {
    let scripts = folder.join("scripts");
    std::fs::create_dir_all(&scripts).expect("a folder");
    for name in ["fetch-dumps", "private-apt.bash"] {
        std::fs::copy(root().join("scripts").join(name), scripts.join(name)).expect("a script");
    }
    let bin = folder.join("bin");
    std::fs::create_dir(&bin).expect("a folder");
    program(&bin.join("apt-get"), APT_GET);
    program(&bin.join("apt-cache"), APT_CACHE);
    program(&bin.join("dpkg-query"), DPKG_QUERY);
    let tests = folder.join("package/tests/amd");
    std::fs::create_dir_all(&tests).expect("a folder");
    std::fs::write(folder.join("package/configure"), "exit 1").expect("a file");
    std::os::unix::fs::symlink("/etc/passwd", tests.join("link.test")).expect("a link");
    for number in 0..dumps {
        std::fs::write(tests.join(format!("{number}.test")), "a dump").expect("a file");
    }
}

/// Exit status and last line of what was said.
fn fetch(folder: &Path, packages: &[&str]) -> (Option<i32>, String) {
    let path = std::env::var("PATH").expect("PATH");
    let mut command = Command::new(folder.join("scripts/fetch-dumps"));
    let command = command
        .args(packages)
        .env("HERE", folder)
        .env("PATH", format!("{}:{path}", folder.join("bin").display()));
    let output = command.output().expect("the script");
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().last().unwrap_or_default().to_owned();
    (output.status.code(), last)
}

fn held(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder.join(".cache/dumps"));
    let entries = entries.into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| !name.starts_with(".lock")).collect()
}

#[test]
fn dumps_alone_are_unpacked_and_a_second_run_does_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    checkout(folder.path(), 200);
    let (status, said) = fetch(folder.path(), &["libcpuid"]);
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(held(folder.path()), ["libcpuid-0.7.1"]);
    let unpacked = folder.path().join(".cache/dumps/libcpuid-0.7.1");
    let names = |below: &str| {
        std::fs::read_dir(unpacked.join(below))
            .expect("a folder")
            .count()
    };
    assert_eq!((names(""), names("tests"), names("tests/amd")), (1, 1, 200));
    let (status, said) = fetch(folder.path(), &["libcpuid"]);
    let nothing = "fetch-dumps: nothing to do, libcpuid already in .cache/dumps";
    assert_eq!((status, said.as_str()), (Some(0), nothing));
}

#[test]
fn a_package_with_fewer_dumps_than_known_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    checkout(folder.path(), 3);
    let (status, said) = fetch(folder.path(), &["libcpuid"]);
    let expected = "fetch-dumps: libcpuid 0.7.1 has 3 files tests/*.test, not 200 or more";
    assert_eq!((status, said.as_str()), (Some(1), expected));
    assert_eq!(held(folder.path()), [""; 0]);
}

#[test]
fn another_package_is_a_mistake() {
    let folder = tempfile::tempdir().expect("a folder");
    checkout(folder.path(), 0);
    for packages in [&["libcpu"][..], &[""], &[]] {
        let (status, said) = fetch(folder.path(), packages);
        assert_eq!(status, Some(2), "{said}");
        assert!(said.ends_with("(known: libcpuid libvirt)"), "{said}");
    }
}

#[test]
fn without_debian_s_sources_it_cannot_be_had() {
    let folder = tempfile::tempdir().expect("a folder");
    checkout(folder.path(), 200);
    program(&folder.path().join("bin/apt-get"), "");
    let (status, said) = fetch(folder.path(), &["libcpuid"]);
    let expected = "fetch-dumps: this system's apt sources name no Debian mirror; name your own dumps: \
                    cpuid-fidelity check FILE... reads every format that docs/formats.md has";
    assert_eq!((status, said.as_str()), (Some(3), expected));
}
