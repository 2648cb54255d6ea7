use super::*;
use crate::expectation::files::Files;

fn store() -> Store {
    let config = crate::config::Config::read(Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/fidelity.toml"
    )));
    Store::open(&config.expect("the project's configuration")).expect("its expectations")
}

fn known(paths: &[&str]) -> Known {
    paths.iter().map(|path| (*path).to_owned()).collect()
}

#[test]
fn a_release_that_is_recorded_stands_for_itself() {
    let known = known(&[
        "qemu-7.2/tcg/a.snap",
        "qemu-10.0/tcg/a.snap",
        "libvirt-9.0/a.snap",
    ]);
    let found = |folder| release(&known, folder).map(|release| (release.folder, release.nearest));
    assert_eq!(found("qemu-10.0"), Some(("qemu-10.0".to_owned(), false)));
    assert_eq!(found("qemu-9.2"), Some(("qemu-7.2".to_owned(), true)));
    assert_eq!(found("qemu-11.0.50"), Some(("qemu-10.0".to_owned(), true)));
    assert_eq!(found("qemu-5.2"), None);
}

#[test]
fn each_folder_is_looked_at_once() {
    let known = known(&[
        "a/1",
        "a/2/3",
        "a-b/1",
        "b.toml",
        "qemu-7.2/x/a.snap",
        "qemu-7.2/x/b.snap",
    ]);
    let found: Vec<&str> = folders(&known).collect();
    assert_eq!(found, ["a-b", "a", "b.toml", "qemu-7.2"]);
}

#[test]
fn a_machine_type_changes_the_definition_of_its_models() {
    let store = store();
    let newest = store.promised("qemu-11.1", "pc-q35-11.1", "Skylake-Server-v1");
    let newest = newest.expect("a definition");
    assert_eq!(newest.source, "qemu-11.1/models/Skylake-Server-v1");
    let older = store.promised("qemu-11.1", "pc-q35-6.0", "Skylake-Server-v1");
    let older = older.expect("a definition");
    assert_eq!(
        older.source,
        "qemu-11.1/models/Skylake-Server-v1 + qemu-11.1/machines/pc-q35-6.0"
    );
    assert!(newest.lines != older.lines);
}

#[test]
fn names_without_a_version_stand_for_one() {
    let store = store();
    let source = |model| {
        store
            .promised("qemu-11.1", "q35", model)
            .map(|promised| promised.source)
    };
    assert_eq!(
        source("EPYC").expect("a definition"),
        "qemu-11.1/models/EPYC-v1"
    );
    assert_eq!(
        source("EPYC-IBPB").expect("a definition"),
        "qemu-11.1/models/EPYC-v2"
    );
    assert!(matches!(source("host"), Err(Unrecorded::Model { .. })));
}

#[test]
fn a_development_version_is_promised_what_the_release_before_it_was() {
    let store = store();
    let promised = |machine| store.promised("qemu-11.1.50", machine, "EPYC-v4");
    for (machine, source) in [
        ("pc-q35-11.2", "qemu-11.1/models/EPYC-v4"),
        ("pc-q35-11.1", "qemu-11.1/models/EPYC-v4"),
        (
            "pc-i440fx-11.2",
            "qemu-11.1/models/EPYC-v4 + qemu-11.1/machines/pc-i440fx-11.1",
        ),
        (
            "pc-q35-8.2",
            "qemu-11.1/models/EPYC-v4 + qemu-11.1/machines/pc-q35-8.2",
        ),
    ] {
        let promised = promised(machine).expect("a definition");
        assert_eq!(promised.source, source, "{machine}");
        assert_eq!(promised.nearest.as_deref(), Some("qemu-11.1"));
    }
    assert!(matches!(
        promised("microvm"),
        Err(Unrecorded::Machine { .. })
    ));
}

#[test]
fn an_empty_folder_promises_nothing() {
    let empty = tempfile::tempdir().expect("a folder");
    let store = Store {
        files: Files::new(empty.path()),
        ..store()
    };
    assert!(matches!(
        store.promised("qemu-11.1", "q35", "EPYC"),
        Err(Unrecorded::Release(_))
    ));
}
