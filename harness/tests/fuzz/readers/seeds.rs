//! Recorded data: the files of this repository.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use cpuid_fidelity::cpuid::{Dump, LinuxRules, Table, Volatile};
use cpuid_fidelity::evidence::Evidence;
use cpuid_fidelity::expectation::{Expected, Files};
use tempfile::TempDir;

/// Most files of one folder.
const FILES: usize = 24;

/// The feature table.
pub static TABLE: LazyLock<Table> = LazyLock::new(|| {
    Table::parse("features.tsv", &text("expectations/features.tsv")).expect("a table")
});
/// The volatile fields.
pub static VOLATILE: LazyLock<Volatile> =
    LazyLock::new(|| Volatile::parse(&text("expectations/volatile.toml"), &TABLE).expect("fields"));
/// The rules of Linux.
pub static LINUX: LazyLock<LinuxRules> = LazyLock::new(|| {
    let knows = |name: &str| TABLE.named(name).is_some();
    LinuxRules::parse("linux.tsv", &text("expectations/linux.tsv"), knows).expect("rules")
});

/// A path of this repository.
pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// A file of this repository.
pub fn text(name: &str) -> String {
    std::fs::read_to_string(path(name)).expect("a file of this repository")
}

/// The same as the only seed.
pub fn file(name: &str) -> Vec<Vec<u8>> {
    vec![text(name).into_bytes()]
}

/// Files of a folder whose names end so, spread over all of them by name.
pub fn files(folder: &str, ending: &str) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(path(folder)).expect("a folder of this repository");
    let mut paths: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_file() && path.to_string_lossy().ends_with(ending))
        .collect();
    paths.sort();
    let step = paths.len().div_ceil(FILES).max(1);
    let spread = paths.into_iter().step_by(step);
    spread
        .map(|path| std::fs::read(path).expect("a file"))
        .collect()
}

/// Texts without the headers of snapshots.
pub fn contents(folders: &[&str]) -> Vec<Vec<u8>> {
    let all = folders.iter().flat_map(|folder| files(folder, ".snap"));
    let content = |file: Vec<u8>| {
        let text = String::from_utf8(file).expect("a text");
        let (_, content) = text.split_once("\n---\n").expect("a header");
        content.as_bytes().to_vec()
    };
    all.map(content).collect()
}

/// All lines of the expectations of such folders, spread over all of them by name.
pub fn whole(folders: &[&str]) -> Vec<Vec<u8>> {
    let all = Files::new(&path("expectations"));
    let mut texts = Vec::new();
    for folder in folders {
        let names: Vec<&str> = all.names(Path::new(folder)).collect();
        for name in names.iter().step_by(names.len().div_ceil(FILES).max(1)) {
            let file = Path::new(folder).join(format!("{name}.snap"));
            let Ok(Expected::Text(text)) = all.expectation(&file) else {
                panic!("{} is an expectation", file.display());
            };
            texts.push(text.into_bytes());
        }
    }
    texts
}

/// Every recorded dump of the agent.
pub fn dumps() -> Vec<Dump> {
    let own = files("harness/tests/records", ".json");
    let read = |text: &Vec<u8>| serde_json::from_slice(text).expect("a dump");
    let mut dumps: Vec<Dump> = own.iter().map(read).collect();
    dumps.extend(records().into_iter().map(|record| record.guest));
    dumps
}

/// Every recorded case, as text.
pub fn record_texts() -> Vec<Vec<u8>> {
    let mut texts = files("harness/tests/records/lanes", ".json");
    texts.extend(files("harness/tests/records/layers", ".json"));
    texts.extend(files("harness/tests/records/kvm-pvm", "486-v1.json"));
    texts.extend(files("harness/tests/records/kvm-pvm", "supported.json"));
    texts
}

/// Every recorded case.
pub fn records() -> Vec<Evidence> {
    let read = |text: Vec<u8>| {
        let text = String::from_utf8(text).expect("a text");
        Evidence::parse(Path::new("a record"), &text).expect("a record")
    };
    record_texts().into_iter().map(read).collect()
}

/// As readers of files get it.
pub fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

thread_local! {
    static FOLDER: RefCell<Option<TempDir>> = const { RefCell::new(None) };
}

/// A file of this thread's own with this content; it is gone with the thread.
pub fn written(name: &str, bytes: &[u8]) -> PathBuf {
    FOLDER.with_borrow_mut(|folder| {
        let folder = folder.get_or_insert_with(|| tempfile::tempdir().expect("a folder"));
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, bytes).expect("a file");
        path
    })
}
