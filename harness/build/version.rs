//! What `--version` says: the version, and the commit where it is known.

use std::env;
use std::path::Path;
use std::process::Command;

/// `HASH DATE` or `HASH-dirty DATE`: who builds a package says it (`scripts/dist`), and is believed.
const VARIABLE: &str = "CPUID_FIDELITY_COMMIT";
/// The same in a tarball of `git archive`, which fills it in; in a checkout it is a template.
const ARCHIVED: &str = "harness/build/COMMIT";
/// What decides the program, beside the folders that the build script watches anyway.
const SOURCES: [&str; 7] = [
    "Cargo.lock",
    "Cargo.toml",
    "expectations",
    "fidelity.toml",
    "guest-image",
    "harness",
    "scripts/bisect",
];

/// Hands it to the compiler.
///
/// A debug build names no commit: all of it would be compiled anew at each commit. A release build is, and when a source changes.
pub fn emit(root: &Path) {
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    let given = env::var(VARIABLE).ok().or_else(|| archived(root));
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let commit = match given {
        None if is_release => from_git(root),
        given => given,
    };
    let number = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let known_by = match &commit {
        Some(commit) => commit,
        None if is_release => "commit unknown",
        None => "debug build",
    };
    let date = commit
        .as_deref()
        .and_then(|commit| commit.split(' ').nth(1));
    println!("cargo::rustc-env=CPUID_FIDELITY_VERSION={number} ({known_by})");
    println!(
        "cargo::rustc-env=CPUID_FIDELITY_DATE={}",
        date.unwrap_or_default()
    );
}

/// What `git archive` filled in.
pub fn archived(root: &Path) -> Option<String> {
    let path = root.join(ARCHIVED);
    println!("cargo::rerun-if-changed={}", path.display());
    let text = std::fs::read_to_string(path).ok()?;
    let text = text.trim();
    (!text.is_empty() && !text.starts_with('$')).then(|| text.to_owned())
}

/// The commit that is checked out, and whether sources of the program differ from it.
pub fn from_git(root: &Path) -> Option<String> {
    // A folder of somebody else's repository has a prefix there.
    if !git(root, &["rev-parse", "--show-prefix"])?.is_empty() {
        return None;
    }
    let commit = git(root, &["log", "-1", "--abbrev=12", "--format=%h %cs"])?;
    let (hash, date) = commit.split_once(' ')?;
    for source in SOURCES {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
    }
    // Where HEAD was last: it changes at each commit and each checkout, also in a worktree.
    let log = root.join(git(root, &["rev-parse", "--git-path", "logs/HEAD"])?);
    if log.exists() {
        println!("cargo::rerun-if-changed={}", log.display());
    }
    let changes = [&["status", "--porcelain", "--"], &SOURCES[..]].concat();
    let dirty = git(root, &changes)?;
    let mark = if dirty.is_empty() { "" } else { "-dirty" };
    Some(format!("{hash}{mark} {date}"))
}

/// What git prints; `None` where there is no git or no repository.
fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    let mut git = Command::new("git");
    let output = git.current_dir(root).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
