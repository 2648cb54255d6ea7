use std::path::Path;

use crate::complaints;

/// The complaints about a tree of these files.
fn about(files: &[(&str, &str)]) -> Vec<String> {
    let top = tempfile();
    let rooms = ("harness/structure/rooms.tsv", "low\tA.\nhigh\tB.\n");
    for (name, text) in files.iter().chain([&rooms]) {
        let path = top.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    let found = complaints(&top);
    std::fs::remove_dir_all(&top).expect("removed");
    found.expect("a tree")
}

/// A new folder.
fn tempfile() -> std::path::PathBuf {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("structure-{}-{number}", std::process::id()))
}

const ROOT: (&str, &str) = ("harness/src/lib.rs", "pub mod high;\npub mod low;\n");

#[test]
fn an_import_that_goes_down_is_fine() {
    let files = [
        ROOT,
        ("harness/src/high.rs", "use crate::low::Thing;\n"),
        ("harness/src/low.rs", "pub struct Thing;\n"),
    ];
    assert!(about(&files).is_empty());
}

#[test]
fn an_import_that_goes_up_is_found_however_it_is_written() {
    for import in [
        "use crate::high::Thing;",
        "use crate::{high::{self, Thing}};",
        "use super::high::Thing as Other;",
        "use super::high::*;",
        "fn thing() -> crate::high::Thing { todo() }",
        "macro_rules! thing { () => { $crate::high::Thing } }",
        "mod inner { use super::super::high::Thing; }",
    ] {
        let low = format!("// A comment.\n{import}\n");
        let files = [
            ROOT,
            ("harness/src/high.rs", "pub struct Thing;\n"),
            ("harness/src/low.rs", &low),
        ];
        assert_eq!(
            about(&files),
            ["harness/src/low.rs:2: low imports high above it"],
            "{import}"
        );
    }
}

#[test]
fn comments_strings_and_tests_import_nothing() {
    let low = "// use crate::high::Thing;\n/* crate::high::Thing */\nconst TEXT: &str = \"crate::high::Thing\";\n\
        const RAW: &str = r#\"\"crate::high::Thing\"#;\nconst QUOTE: char = '\"';\n#[cfg(test)]\nmod tests { use crate::high::Thing; }\n\
        #[cfg(test)]\nuse crate::high::Thing;\n";
    let files = [
        ROOT,
        ("harness/src/high.rs", "pub struct Thing;\n"),
        ("harness/src/low.rs", low),
    ];
    assert!(about(&files).is_empty());
}

#[test]
fn a_circle_is_found_with_what_ties_it() {
    let files = [
        ("harness/src/lib.rs", "pub mod low;\n"),
        (
            "harness/src/low/mod.rs",
            "mod a;\nmod b;\nmod c;\npub use a::A;\n",
        ),
        ("harness/src/low/a.rs", "use super::b::B;\npub struct A;\n"),
        ("harness/src/low/b.rs", "use super::c;\npub struct B;\n"),
        ("harness/src/low/c.rs", "\nuse super::A;\n"),
    ];
    assert_eq!(
        about(&files),
        [
            "harness/src/low/a.rs:1: 3 files import one another in a circle: harness/src/low/a.rs, harness/src/low/b.rs, harness/src/low/c.rs\
          \n  harness/src/low/a.rs:1: harness/src/low/b.rs: super::b::B\n  harness/src/low/b.rs:1: harness/src/low/c.rs: super::c\
          \n  harness/src/low/c.rs:2: harness/src/low/a.rs: super::A"
        ]
    );
}

#[test]
fn a_file_and_its_parent_that_use_each_other_are_a_circle() {
    let files = [
        ("harness/src/lib.rs", "pub mod low;\n"),
        (
            "harness/src/low/mod.rs",
            "mod a;\npub fn run() { a::run() }\n",
        ),
        ("harness/src/low/a.rs", "pub fn run() { super::run() }\n"),
    ];
    let found = about(&files);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].starts_with("harness/src/low/a.rs:1: 2 files import one another"),
        "{found:?}"
    );
}

#[test]
fn a_file_that_nothing_declares_and_a_room_without_a_line_are_found() {
    let files = [
        ("harness/src/lib.rs", "pub mod other;\n"),
        ("harness/src/other.rs", ""),
        ("harness/src/low/lost.rs", ""),
    ];
    assert_eq!(
        about(&files),
        [
            "harness/src/low/lost.rs:1: no file declares this module",
            "harness/structure/rooms.tsv:1: room other is not in this list",
        ]
    );
}

#[test]
fn the_source_is_read_whole() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let source = crate::source::Source::read(&top).expect("the source");
    let imports = crate::resolve::imports(&source);
    // A reader that sees nothing finds nothing: the numbers are far below what is there.
    assert!(source.files.len() > 150 && imports.len() > 500);
}
