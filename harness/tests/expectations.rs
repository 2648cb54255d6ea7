//! The expectations of this repository are written as their rules say: each fact once, lists with sets, lines that fit on a screen.
//!
//! `INSTA_UPDATE=always cargo test --test expectations` writes them anew; what they expect does not change by that.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cpuid_fidelity::case::glob::Glob;
use cpuid_fidelity::check::groups::{Groups, Models, Sets};
use cpuid_fidelity::expectation::lineage::{Bases, Known};
use cpuid_fidelity::expectation::whole::compared_models;
use cpuid_fidelity::expectation::{Expected, Files, Recorder};

/// The longest line of any file.
const COLUMNS: usize = 160;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("expectations")
}

fn table(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).expect("a table")
}

/// All lines of each file.
fn expanded(files: &Files) -> BTreeMap<String, String> {
    let all_lines = |path: &String| match files.expectation(Path::new(path)) {
        Ok(Expected::Text(text)) => (path.clone(), text.trim_start_matches('\n').to_owned()),
        other => panic!("{path}: {other:?}"),
    };
    files.known().iter().map(all_lines).collect()
}

fn writes() -> bool {
    std::env::var("INSTA_UPDATE").is_ok_and(|mode| mode == "always")
}

/// The text with its lists as they are written today.
fn listed(path: &str, text: &str, known: &Known, sets: &Sets) -> String {
    let (folder, _) = path.rsplit_once('/').unwrap_or_default();
    let names = if let Some(release) = folder.strip_suffix("/machines") {
        compared_models(release, known)
    } else if let Some(pair) = folder.strip_prefix("migration/") {
        let (pair, _) = pair.split_once('/').expect("a lane");
        let (from, to) = pair.split_once("..").expect("two releases");
        let (from, to) = (compared_models(from, known), compared_models(to, known));
        from.intersection(&to).cloned().collect()
    } else {
        return text.to_owned();
    };
    let models = Models::new(names, sets);
    let groups = Groups::parse(text, &models).unwrap_or_else(|error| panic!("{path}: {error}"));
    groups.render(&models)
}

#[test]
fn every_file_is_written_as_recording_it_anew_would_write_it() {
    let files = Files::new(&folder());
    let all = expanded(&files);
    let sets = Sets::parse(&table("sets.toml")).expect("sets");
    let known = files.known();
    let recorder = Recorder::default();
    for (path, text) in &all {
        recorder.note(Path::new(path), &listed(path, text, known, &sets));
    }
    let mut different = Vec::new();
    for (path, content) in recorder.files(&files).expect("files") {
        let there = files.content(Path::new(&path)).expect("a file");
        let there = there.unwrap_or_default();
        if there.trim_start_matches('\n') == content {
            continue;
        }
        if writes() {
            let full = folder().join(&path);
            let text = std::fs::read_to_string(&full).expect("a file");
            let (header, _) = text.split_once("\n---\n").expect("a header");
            std::fs::write(full, format!("{header}\n---\n{content}\n")).expect("written");
        } else {
            different.push(path);
        }
    }
    assert_eq!(
        different,
        Vec::<String>::new(),
        "INSTA_UPDATE=always writes these anew"
    );
}

#[test]
fn the_models_of_a_set_are_those_that_its_line_tells_apart() {
    let all = expanded(&Files::new(&folder()));
    let sets = Sets::parse(&table("sets.toml")).expect("sets");
    let definitions = all.iter().filter(|(path, _)| path.contains("/models/"));
    let mut compared = 0;
    for (path, text) in definitions {
        let (_, file) = path.rsplit_once('/').expect("a folder");
        let model = file.strip_suffix(".snap").expect("a snapshot");
        for (name, set) in sets.iter() {
            let has =
                |line: &Option<String>| line.iter().any(|line| text.lines().any(|own| own == line));
            let meant = has(&set.with) || set.without.is_some() && !has(&set.without);
            assert_eq!(set.contains(model), meant, "{path} and @{name}");
            compared += 1;
        }
    }
    assert!(compared > 1000, "{compared}");
}

#[test]
fn every_old_name_is_in_the_sets_of_the_version_that_it_stands_for() {
    let sets = Sets::parse(&table("sets.toml")).expect("sets");
    let bases = Bases::parse(&table("bases.toml")).expect("bases");
    for (old, version) in &bases.aliases {
        for (name, set) in sets.iter() {
            assert_eq!(
                set.contains(old),
                set.contains(version),
                "{old} and @{name}"
            );
        }
    }
}

/// Globs of a key of the default selection of lane `definition`.
fn selected(key: &str) -> Vec<Glob> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fidelity.toml");
    let text = std::fs::read_to_string(path).expect("fidelity.toml");
    let table: toml::Table = text.parse().expect("a TOML table");
    let value = table["default"]["definition"][key].clone();
    value.try_into().expect("globs")
}

#[test]
fn every_known_change_of_a_default_machine_type_shows_on_a_model_that_stands_for_the_others() {
    let files = Files::new(&folder());
    let sets = Sets::parse(&table("sets.toml")).expect("sets");
    let (machines, standing) = (selected("machines"), selected("machine-models"));
    let mut unseen = Vec::new();
    for (path, text) in expanded(&files) {
        let parts: Vec<&str> = path.split('/').collect();
        let [release, "machines", file] = parts[..] else {
            continue;
        };
        if !Glob::matches(&machines, file.trim_end_matches(".snap")) {
            continue;
        }
        let names = compared_models(release, files.known());
        let models = Models::new(names.clone(), &sets);
        let groups =
            Groups::parse(&text, &models).unwrap_or_else(|error| panic!("{path}: {error}"));
        let changes = |name: &String| groups.changes(name);
        let stands = |name: &&String| Glob::matches(&standing, name);
        let seen: BTreeSet<_> = names.iter().filter(stands).flat_map(changes).collect();
        let missed = |name: &&String| !changes(name).is_subset(&seen);
        unseen.extend(
            names
                .iter()
                .filter(missed)
                .map(|name| format!("{path}: {name}")),
        );
    }
    assert_eq!(unseen, Vec::<String>::new());
}

#[test]
fn no_line_is_longer_than_160_columns() {
    let mut long = Vec::new();
    let mut folders = vec![folder()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("a file");
            let numbered = text.lines().enumerate();
            let longer = numbered.filter(|(_, line)| line.chars().count() > COLUMNS);
            long.extend(longer.map(|(index, _)| format!("{}:{}", path.display(), index + 1)));
        }
    }
    assert_eq!(long, Vec::<String>::new());
}
