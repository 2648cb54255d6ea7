//! Which commit a build names: the build script's own code, over small repositories.

use std::path::Path;
use std::process::Command;

#[expect(dead_code, reason = "the build script alone prints what it found")]
#[path = "../../build/version.rs"]
mod script;

use script::{archived, from_git};

/// A repository with one commit, of a source and of a page.
fn repository() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "Cargo.toml", "a source");
    write(folder.path(), "README.md", "a page");
    for arguments in [
        &["init", "--quiet"][..],
        &["add", "--all"],
        &["commit", "--quiet", "--message", "A commit"],
    ] {
        git(folder.path(), arguments);
    }
    folder
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, text).expect("a file");
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=A", "-c", "user.email=a@example.org"])
        .args(arguments)
        .env("GIT_COMMITTER_DATE", "2001-02-03T12:00:00Z")
        .current_dir(folder)
        .output()
        .expect("git starts");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn a_build_names_the_commit_and_its_day() {
    let repository = repository();
    let hash = git(repository.path(), &["rev-parse", "--short=12", "HEAD"]);
    let named = from_git(repository.path()).expect("a commit");
    assert_eq!(named, format!("{} 2001-02-03", hash.trim()));
}

#[test]
fn a_build_is_dirty_where_a_source_differs_or_is_new() {
    for source in ["Cargo.toml", "harness/src/new.rs"] {
        let repository = repository();
        write(repository.path(), source, "something else");
        let named = from_git(repository.path()).expect("a commit");
        assert!(named.ends_with("-dirty 2001-02-03"), "{source}: {named}");
    }
}

#[test]
fn a_page_that_differs_makes_no_build_dirty() {
    let repository = repository();
    write(repository.path(), "README.md", "another page");
    let named = from_git(repository.path()).expect("a commit");
    assert!(!named.contains("dirty"), "{named}");
}

#[test]
fn a_folder_of_another_repository_names_no_commit() {
    let repository = repository();
    write(repository.path(), "below/Cargo.toml", "a source");
    assert_eq!(from_git(&repository.path().join("below")), None);
}

#[test]
fn a_folder_without_git_names_what_git_archive_filled_in() {
    let folder = tempfile::tempdir().expect("a folder");
    for (text, named) in [
        ("$Format:%h %cs$\n", None),
        ("", None),
        ("0123456789ab 2001-02-03\n", Some("0123456789ab 2001-02-03")),
    ] {
        write(folder.path(), "harness/build/COMMIT", text);
        assert_eq!(archived(folder.path()).as_deref(), named, "{text}");
    }
    assert_eq!(from_git(folder.path()), None);
}

#[test]
fn git_archive_fills_in_the_commit() {
    let archive = Command::new("sh")
        .args(["-euc", "git archive HEAD harness/build/COMMIT | tar -xO"])
        .current_dir(super::require::root())
        .output()
        .expect("a shell");
    let filled = String::from_utf8(archive.stdout).expect("UTF-8");
    let words: Vec<&str> = filled.split_whitespace().collect();
    let [hash, day] = words[..] else {
        panic!("{filled}")
    };
    assert!(
        hash.chars().all(|digit| digit.is_ascii_hexdigit()),
        "{filled}"
    );
    assert_eq!(day.len(), "2001-02-03".len(), "{filled}");
}
