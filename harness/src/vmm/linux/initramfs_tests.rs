use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;
use crate::require::{Capability, require};

/// Name, mode and content of each entry: a reader written against the format's description, not against the writer.
fn read(bytes: &[u8]) -> BTreeMap<String, (u32, Vec<u8>)> {
    let mut entries = BTreeMap::new();
    let mut at = 0;
    loop {
        assert_eq!(&bytes[at..at + 6], b"070701", "magic at {at}");
        let field = |number: usize| {
            let digits = &bytes[at + 6 + number * 8..][..8];
            let digits = std::str::from_utf8(digits).expect("digits");
            usize::from_str_radix(digits, 16).expect("a number")
        };
        let (mode, size, length) = (field(1), field(6), field(11));
        let name = &bytes[at + 110..][..length];
        assert_eq!(name.last(), Some(&0), "a name ends with NUL");
        let name = String::from_utf8(name[..length - 1].to_vec()).expect("a name");
        let data = (at + 110 + length).next_multiple_of(4);
        if name == "TRAILER!!!" {
            assert_eq!(bytes.len() % 512, 0);
            return entries;
        }
        let content = bytes[data..data + size].to_vec();
        let mode = u32::try_from(mode).expect("a mode");
        assert!(entries.insert(name, (mode, content)).is_none());
        at = (data + size).next_multiple_of(4);
    }
}

fn small() -> Initramfs {
    let mut root = Initramfs::new();
    root.file("/init", 0o755, b"#!".to_vec())
        .and_then(|root| root.device("/dev/console", 0o600, 5, 1))
        .and_then(|root| root.link("/lib64", "usr/lib64"))
        .expect("entries");
    root
}

#[test]
fn the_bytes_do_not_depend_on_the_order() {
    let mut other = Initramfs::new();
    other
        .link("/lib64", "usr/lib64")
        .and_then(|root| root.folder("/dev"))
        .and_then(|root| root.device("/dev/console", 0o600, 5, 1))
        .and_then(|root| root.file("/init", 0o755, b"#!".to_vec()))
        .expect("entries");
    assert_eq!(other.to_bytes(), small().to_bytes());
}

#[test]
fn folders_come_before_what_is_in_them() {
    let entries = read(&small().to_bytes());
    let listed: Vec<_> = entries
        .iter()
        .map(|(name, (mode, _))| format!("{mode:o} {name}"))
        .collect();
    assert_eq!(
        listed,
        [
            "40755 dev",
            "20600 dev/console",
            "100755 init",
            "120777 lib64"
        ]
    );
    let bytes = small().to_bytes();
    let at = |name: &[u8]| bytes.windows(name.len()).position(|part| part == name);
    assert!(at(b"dev\0") < at(b"dev/console\0"));
}

#[test]
fn a_file_is_no_folder() {
    let error = small().file("/init/more", 0o644, Vec::new()).err();
    let message = error.map(|error| error.to_string());
    assert_eq!(
        message.as_deref(),
        Some("/init is in the initramfs already, as something else")
    );
}

#[test]
fn another_content_is_no_second_file() {
    let mut root = small();
    assert!(root.file("/init", 0o755, b"#!".to_vec()).is_ok());
    assert!(root.file("/init", 0o755, b"other".to_vec()).is_err());
}

#[test]
fn a_path_is_absolute_and_every_part_has_a_name() {
    for path in ["init", "/", "/a//b", "/a/../b", "/./a", "/a/", "/a\0b"] {
        assert!(Initramfs::new().folder(path).is_err(), "{path:?}");
    }
}

/// The cpio of this machine, where it has one: distributions unpack their own with it.
#[test]
fn cpio_extracts_it() {
    or_skip!(require(Capability::Cpio));
    let folder = tempfile::tempdir().expect("a folder");
    let mut root = Initramfs::new();
    let big = vec![7; 100_001];
    root.file("/usr/bin/big", 0o755, big.clone())
        .and_then(|root| root.file("/odd", 0o640, b"abc".to_vec()))
        .and_then(|root| root.link("/bin", "usr/bin"))
        .expect("entries");
    let cpio = Command::new("cpio")
        .args(["--extract", "--quiet", "--no-absolute-filenames"])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .spawn();
    let mut cpio = cpio.expect("cpio");
    let mut stdin = cpio.stdin.take().expect("a pipe");
    stdin.write_all(&root.to_bytes()).expect("cpio reads");
    drop(stdin);
    assert!(cpio.wait().expect("an end").success());
    let through_link = std::fs::read(folder.path().join("bin/big")).expect("a file");
    assert_eq!(through_link, big);
    let odd = std::fs::read(folder.path().join("odd")).expect("a file");
    assert_eq!(odd, b"abc");
}

proptest! {
    #[test]
    fn what_goes_in_comes_out(
        files in prop::collection::btree_map("(/[a-z]{1,4}){1,3}", (0u32..0o10000, prop::collection::vec(any::<u8>(), 0..300)), 0..12)
    ) {
        let mut root = Initramfs::new();
        let mut kept = BTreeMap::new();
        for (path, (mode, bytes)) in files {
            // A file in the place of a folder is refused, and leaves the archive as it was.
            if root.file(&path, mode, bytes.clone()).is_ok() {
                kept.insert(path[1..].to_owned(), (mode | 0o100_000, bytes));
            }
        }
        let mut seen = read(&root.to_bytes());
        seen.retain(|_, (mode, _)| *mode & 0o170_000 == 0o100_000);
        prop_assert_eq!(seen, kept);
    }
}
