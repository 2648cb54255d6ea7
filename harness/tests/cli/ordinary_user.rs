//! An ordinary user: in no group, without a home, with a temporary folder whose name has a space and a letter beyond ASCII. Where the test
//! itself runs as one, it stays that user.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::geteuid;

use super::require::{Capability, require};
use super::world::{Ended, World, ended};

/// The user `nobody`.
const NOBODY: u32 = 65534;
const TEMPORARY: &str = "a \u{fc}";

/// Gives a world to an ordinary user, if there is another one here who can reach the programs, and runs the binary in it.
fn as_ordinary_user(world: &World, arguments: &[&str]) -> Ended {
    let temporary = world.path(TEMPORARY);
    std::fs::create_dir_all(&temporary).expect("a folder");
    let mut command = world.command(arguments);
    command.env("TMPDIR", &temporary);
    for name in [
        "HOME",
        "XDG_RUNTIME_DIR",
        "XDG_CACHE_HOME",
        "XDG_CONFIG_HOME",
        "SUDO_UID",
    ] {
        command.env_remove(name);
    }
    if nobody_reaches(&world.qemu) {
        give(&world.path("."), NOBODY);
        command.uid(NOBODY).gid(NOBODY);
    }
    let ended = ended(&mut command);
    let left: Vec<_> = std::fs::read_dir(temporary).expect("a folder").collect();
    assert!(left.is_empty(), "left behind: {left:?}");
    ended
}

/// Whether `nobody` can start the binary and a QEMU, and make namespaces.
fn nobody_reaches(qemu: &Path) -> bool {
    let script =
        "\"$1\" --version && \"$2\" --version && { ! command -v unshare || unshare --user true; }";
    let mut shell = Command::new("sh");
    shell.args(["-c", script, "sh", env!("CARGO_BIN_EXE_cpuid-fidelity")]);
    shell.arg(qemu).uid(NOBODY).gid(NOBODY);
    geteuid().is_root() && shell.output().is_ok_and(|output| output.status.success())
}

/// Changes the owner of all that lies at `path`; links stay.
fn give(path: &Path, user: u32) {
    let about = std::fs::symlink_metadata(path).expect("a file");
    if about.is_symlink() {
        return;
    }
    chown(path, Some(user), Some(user)).expect("another owner");
    if about.is_dir() {
        let entries = std::fs::read_dir(path).expect("a folder").flatten();
        entries.for_each(|entry| give(&entry.path(), user));
    }
}

#[test]
fn an_ordinary_user_without_home_runs_plain_guests() {
    let world = or_skip!(World::new(&["486-v1"], &[]));
    world.select(&["486-v1"], &[], &["486-v1"]);
    world.record_expectations();
    let arguments = [
        "run",
        "--lane",
        "definition",
        "--lane",
        "tcg",
        "--json",
        "run.json",
    ];
    as_ordinary_user(&world, &arguments).expect(0);
    assert_eq!(world.cases("run.json").len(), 2);
    world.assert_clean();
}

#[test]
fn an_ordinary_user_without_home_runs_guests_of_libvirt() {
    let world = or_skip!(super::libvirt::world());
    let ended = as_ordinary_user(&world, &["run", "--lane", "libvirt", "--json", "run.json"]);
    ended.expect(0);
    let cases = world.cases("run.json");
    let ran = |case: &serde_json::Value| case["status"] == "PASS" || case["status"] == "WAIVED";
    assert!(cases.len() == 2 && cases.iter().all(ran), "{cases:?}");
    world.assert_clean();
}

#[test]
fn an_ordinary_user_without_home_runs_linux_guests() {
    let linux = or_skip!(super::linux::linux());
    as_ordinary_user(&linux.world, &["run", "--lane", "linux"]).expect(0);
    linux.world.assert_clean();
}

#[test]
fn an_ordinary_user_without_home_runs_a_lab() {
    let (world, kernel) = or_skip!(World::with_kernel());
    world.copy_expectation("kernels/6.12/kvm.snap");
    let kernel = kernel.to_string_lossy();
    let arguments = ["lab", "--quiet", "--cpu", "486-v1", "--kernel", &kernel];
    as_ordinary_user(&world, &arguments).expect(0);
    world.assert_clean();
}

/// Puts a QEMU into the configuration that would leave a mark; the command, which starts it if it takes the file.
fn listing(world: &World) -> Command {
    let qemu = world.write("marking-qemu", "#!/bin/sh\n: > \"${0%/*}/mark\"\n");
    std::fs::set_permissions(&qemu, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    world.configure("qemu = [\"./marking-qemu\"]\n");
    std::fs::create_dir(world.path("below")).expect("a folder");
    let mut command = world.command(&["list"]);
    command.current_dir(world.path("below"));
    command.env_remove("QEMU").env_remove("SUDO_UID");
    command
}

/// Makes the configuration another user's: by a change of its owner, or, where this is no root, by a link to a file of root's.
fn estranged(world: &World) -> (PathBuf, u32) {
    let file = world.path("fidelity.toml");
    if geteuid().is_root() {
        chown(&file, Some(NOBODY), None).expect("another owner");
    } else {
        std::fs::remove_file(&file).expect("the configuration");
        std::os::unix::fs::symlink("/etc/hostname", &file).expect("a link");
    }
    let owner = std::fs::metadata(&file).expect("the configuration").uid();
    (file, owner)
}

#[test]
fn a_configuration_of_another_user_is_refused_before_its_qemu_is_started() {
    let world = or_skip!(World::new(&[], &[]));
    let mut list = listing(&world);
    let (file, owner) = estranged(&world);
    let refused = ended(&mut list).expect(2);
    let file = file.display();
    refused.prints(&format!(
        "{file} belongs to user {owner}, and this program runs as user"
    ));
    refused.prints(&format!("name it: --config {file}"));
    assert!(!world.path("mark").exists());
}

#[test]
fn a_configuration_that_is_named_is_taken_whoever_owns_it() {
    let world = or_skip!(World::new(&[], &[]));
    let mut list = listing(&world);
    if geteuid().is_root() {
        estranged(&world);
    }
    ended(list.arg("--config").arg(world.path("fidelity.toml"))).expect(3);
    assert!(world.path("mark").exists());
}

#[test]
fn a_configuration_in_a_folder_of_another_user_is_refused() {
    let world = or_skip!(World::new(&[], &[]));
    let mut list = listing(&world);
    if !geteuid().is_root() {
        return;
    }
    chown(world.path("."), Some(NOBODY), None).expect("another owner");
    ended(&mut list).expect(2).prints("belongs to user 65534");
    assert!(!world.path("mark").exists());
    // sudo leaves who called it.
    ended(list.env("SUDO_UID", "12345")).expect(2);
    chown(world.path("fidelity.toml"), Some(NOBODY), None).expect("another owner");
    ended(list.env("SUDO_UID", NOBODY.to_string())).expect(3);
}

#[test]
fn libvirt_writes_into_no_folder_of_the_users() {
    let world = or_skip!(super::libvirt::world());
    or_skip!(require(Capability::Libvirt));
    let names = [
        "HOME",
        "XDG_RUNTIME_DIR",
        "XDG_CACHE_HOME",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
    ];
    let folders = names.map(|name| (name, world.path(&format!("user {name}"))));
    let mut command = world.command(&["run", "--lane", "libvirt", "--cpu", "Nehalem"]);
    for (name, folder) in &folders {
        std::fs::create_dir(folder).expect("a folder");
        command.env(name, folder);
    }
    ended(&mut command).expect(0);
    for (name, folder) in folders {
        let found: Vec<_> = std::fs::read_dir(folder).expect("a folder").collect();
        assert!(found.is_empty(), "{name}: {found:?}");
    }
}
