//! What happens to files that a user names, and to files that nobody named.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::require::{Capability, require};
use super::world::World;

/// Options with a file that a run's results are written to.
const REPORTS: [&str; 5] = ["--junit", "--ktap", "--kcidb", "--markdown", "--html"];

/// A world with the results of a run.
fn with_results() -> Option<World> {
    let world = World::new(&["486-v1"], &[])?;
    world.write("expectations/waivers.toml", "");
    world.record_expectations();
    world.run(&["run", "--json", "run.jsonl"]).expect(0);
    Some(world)
}

/// Every file below a folder, with its content; pipes are left alone.
fn all(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(all(&path));
        } else if path.is_file() {
            files.insert(path.clone(), fs::read(&path).unwrap_or_default());
        }
    }
    files
}

/// A file as long unused as nothing is kept.
fn old(path: &Path) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    let file = fs::File::create(path).expect("a file");
    let long_ago = SystemTime::now() - Duration::from_secs(30 * 24 * 3600);
    file.set_modified(long_ago).expect("a time");
}

/// A file with the header of a bzImage of this release, with a 64-bit entry.
fn image(release: &str) -> Vec<u8> {
    let mut image = vec![0; 4096];
    image[0x1F1] = 1;
    image[0x202..0x206].copy_from_slice(b"HdrS");
    image[0x206..0x208].copy_from_slice(&0x20Fu16.to_le_bytes());
    image[0x20E..0x210].copy_from_slice(&0x100u16.to_le_bytes());
    image[0x236..0x238].copy_from_slice(&1u16.to_le_bytes());
    let text = format!("{release} ");
    image[0x300..0x300 + text.len()].copy_from_slice(text.as_bytes());
    image
}

#[test]
fn a_kernel_whose_release_is_a_path_writes_and_deletes_nothing_anywhere() {
    let world = or_skip!(World::new(&[], &[]));
    let outside = world.path("outside");
    old(&outside.join("precious"));
    old(&outside.join("cpuid-fidelity-precious"));
    let absolute = outside.join("x").display().to_string();
    for release in ["../../outside/x", &absolute, "..", "a/../x"] {
        world.configure(&format!(
            "qemu = [{:?}]\n[[kernel]]\npath = \"odd\"\n",
            world.qemu
        ));
        let boot = world.path("odd/boot");
        fs::create_dir_all(&boot).expect("a folder");
        fs::write(boot.join("vmlinuz"), image(release)).expect("an image");
        let before = (all(&outside), all(&world.path("odd")));
        for lane in ["linux", "lab"] {
            let dump = [
                "dump", "--lane", lane, "--cpu", "EPYC-v4", "--kernel", "odd",
            ];
            let ended = world.run(&dump);
            assert!(matches!(ended.status, Some(2 | 3)), "{:?}", ended.status);
            ended.prints("odd/boot/vmlinuz");
            ended.prints("release");
        }
        world.run(&["run", "--lane", "linux", "--lane", "lab"]);
        assert_eq!(
            (all(&outside), all(&world.path("odd"))),
            before,
            "{release}"
        );
    }
    world.assert_clean();
}

#[test]
fn a_report_that_cannot_be_written_whole_leaves_the_old_one() {
    let world = or_skip!(with_results());
    let merge =
        |option: &str| world.run_after("ulimit -f 0", &["merge", "run.jsonl", option, "old"]);
    for option in REPORTS.iter().chain(&["--json"]) {
        world.write("old", "old");
        let ended = merge(option);
        assert!(
            matches!(ended.status, Some(2 | 3)),
            "{option}: {:?}",
            ended.status
        );
        ended.prints("failed to write old: File too large");
        assert_eq!(
            fs::read_to_string(world.path("old")).expect("a file"),
            "old"
        );
    }
    let left = all(&world.path("."));
    let unfinished = left
        .keys()
        .filter(|path| path.to_string_lossy().contains("/.cpuid-fidelity-"));
    assert_eq!(unfinished.count(), 0);
}

#[test]
fn a_report_goes_where_a_link_leads_and_into_what_is_no_file() {
    let world = or_skip!(with_results());
    let report = |file: &str| {
        world
            .run(&["report", "run.jsonl", "--ktap", file])
            .expect(0)
    };
    let link = world.path("link");
    std::os::unix::fs::symlink("target", &link).expect("a link");
    report("link");
    assert!(link.is_symlink());
    let ktap = fs::read_to_string(world.path("target")).expect("KTAP");
    assert!(ktap.starts_with("KTAP version 1\n"), "{ktap}");
    for output in ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        let printed = report(output).stdout;
        assert!(printed.contains(&ktap), "{output}: {printed}");
    }
    report("/dev/null");
    assert!(!world.path("-").exists());
    let ended = world.run_after(
        "exec >all",
        &["report", "run.jsonl", "--ktap", "/dev/stdout"],
    );
    assert_eq!(ended.status, Some(0));
    let all = fs::read_to_string(world.path("all")).expect("both");
    assert!(
        all.contains(&ktap) && all.contains("486-v1") && ended.stderr.contains(" run: "),
        "{all}"
    );
}

#[test]
fn a_folder_that_may_not_be_written_to_is_named_and_keeps_its_file() {
    or_skip!(require(Capability::OtherUser));
    let world = or_skip!(with_results());
    fs::create_dir(world.path("reports")).expect("a folder");
    let file = world.write("reports/old", "old");
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o666))
        .expect("a mode");
    for option in REPORTS {
        let ended = world.run_as_nobody(&["report", "run.jsonl", option, "reports/old"]);
        assert!(matches!(ended.status, Some(2 | 3)), "{:?}", ended.status);
        ended.prints(
            "failed to write reports/old: no file can be made in reports: Permission denied",
        );
        assert_eq!(fs::read_to_string(&file).expect("a file"), "old");
    }
}

#[test]
fn a_cache_of_another_user_is_read_and_what_it_lacks_goes_elsewhere() {
    or_skip!(require(Capability::OtherUser));
    let (world, kernel) = or_skip!(World::with_kernel());
    let toml = format!("qemu = [{:?}]\n[[kernel]]\npath = {kernel:?}\n", world.qemu);
    world.configure(&toml);
    world.forget_all();
    let dump = ["dump", "--lane", "linux", "--cpu", "EPYC-v4"];
    let other = ["dump", "--lane", "tcg", "--cpu", "486-v1"];
    // What a killed run left a month ago is gone with the next.
    let left = world.path(".cache/linux/.cpuid-fidelity-left");
    old(&left);
    world.run(&dump).expect(0);
    assert!(!left.exists());
    let before = all(&world.path(".cache"));
    assert_eq!(
        before.len(),
        4,
        "agent, offers, kernel, initramfs: {:?}",
        before.keys()
    );
    world.run_as_nobody(&dump).expect(0);
    assert_eq!(all(&world.path(".cache")), before);
    assert_eq!(all(&world.path("tmp")).len(), 0, "read, not made again");
    // An empty one that only root may write to.
    fs::remove_dir_all(world.path(".cache")).expect("a cache");
    fs::create_dir(world.path(".cache")).expect("a cache");
    world.run_as_nobody(&other).expect(0);
    assert_eq!(all(&world.path(".cache")).len(), 0);
    let own = all(&world.path("tmp/cpuid-fidelity-65534"));
    assert_eq!(own.len(), 2, "agent, offers: {:?}", own.keys());
}
