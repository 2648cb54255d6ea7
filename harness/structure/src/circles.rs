//! Files that import one another, directly or by way of others.

use std::collections::{BTreeMap, BTreeSet};

use crate::resolve::Import;

/// Each circle: its files in the first line, then the imports that tie them.
pub fn complaints(imports: &[Import]) -> Vec<String> {
    let mut reached: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for import in imports {
        reached.entry(&import.from).or_default();
    }
    let edges = reached.clone();
    for (from, all) in &mut reached {
        reach(from, imports, all);
    }
    let mut complaints = Vec::new();
    let mut known = BTreeSet::new();
    for from in edges.keys() {
        let both = |to: &&&str| reached.get(**to).is_some_and(|back| back.contains(from));
        let circle: BTreeSet<&str> = reached[from].iter().filter(both).copied().collect();
        if circle.is_empty() || !known.insert(circle.clone()) {
            continue;
        }
        complaints.push(complaint(&circle, imports));
    }
    complaints
}

/// All files that `from` imports, directly or not.
fn reach<'a>(from: &'a str, imports: &'a [Import], all: &mut BTreeSet<&'a str>) {
    let mut open = vec![from];
    while let Some(at) = open.pop() {
        let next = imports.iter().filter(|import| import.from == at);
        for import in next {
            if all.insert(&import.to) {
                open.push(&import.to);
            }
        }
    }
}

fn complaint(circle: &BTreeSet<&str>, imports: &[Import]) -> String {
    let tied = imports.iter().filter(|import| {
        circle.contains(import.from.as_str()) && circle.contains(import.to.as_str())
    });
    let files: Vec<&str> = circle.iter().copied().collect();
    let mut text = format!(
        "{}:1: {} files import one another in a circle: {}",
        files[0],
        files.len(),
        files.join(", ")
    );
    let mut named = BTreeSet::new();
    for Import {
        from,
        line,
        to,
        path,
    } in tied
    {
        // The first import of each pair of files is enough to find the others.
        if named.insert((from, to)) {
            text += &format!("\n  {from}:{line}: {to}: {path}");
        }
    }
    text
}
