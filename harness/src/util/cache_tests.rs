use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

fn make_file(folder: &Path, name: &str, text: &str) -> PathBuf {
    make(folder, name, |file| file.write_all(text.as_bytes())).expect("a file")
}

#[test]
fn only_what_was_made_here_and_is_old_is_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    let old = |name: &str| {
        let path = folder.path().join(name);
        let file = File::create(&path).expect("a file");
        file.set_modified(SystemTime::now() - 2 * KEPT)
            .expect("a time");
        path
    };
    let theirs = ["Makefile", "COPYING", ".config", "x.cpio"].map(old);
    let ours = ["cpuid-fidelity-6.12-01.cpio", ".cpuid-fidelity-Ab12Cd"].map(old);
    let link = folder.path().join("cpuid-fidelity-link");
    symlink(&theirs[0], &link).expect("a link");
    let used = old("cpuid-fidelity-used");
    assert_eq!(
        find(folder.path(), "cpuid-fidelity-used"),
        Some(used.clone())
    );
    make_file(folder.path(), "cpuid-fidelity-new", "new");
    assert!(theirs.iter().all(|path| path.exists()) && link.exists() && used.exists());
    assert!(ours.iter().all(|path| !path.exists()));
}

#[test]
fn what_is_made_can_be_read_by_others_and_is_found_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = folder.path().join("new");
    assert_eq!(find(&cache, "file"), None);
    let path = make_file(&cache, "file", "first");
    assert_eq!(find(&cache, "file"), Some(path.clone()));
    let mode = path.metadata().expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
    let failed = make(&cache, "none", |_| Err(ErrorKind::StorageFull.into()));
    assert!(failed.is_err() && !cache.join("none").exists());
    assert_eq!(std::fs::read_dir(&cache).expect("a folder").count(), 1);
}

#[test]
fn a_pipe_in_a_files_place_is_not_waited_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("file");
    let kind = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, kind, 0o600.into(), 0).expect("a pipe");
    assert_eq!(find(folder.path(), "file"), None);
}

#[test]
fn programs_that_make_the_same_file_at_once_all_have_it_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "x".repeat(1 << 20);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let path = make_file(folder.path(), "cpuid-fidelity-same", &text);
                assert_eq!(std::fs::read_to_string(path).expect("a file"), text);
            });
        }
    });
    assert_eq!(
        std::fs::read_dir(folder.path()).expect("a folder").count(),
        1
    );
}
