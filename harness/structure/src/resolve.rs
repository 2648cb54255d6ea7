//! From paths in the code to the files that they name.

use crate::imports::Named;
use crate::source::{Module, Source};

/// A file that names something of another one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    /// The file that imports.
    pub from: String,
    /// The line.
    pub line: usize,
    /// The file that is imported.
    pub to: String,
    /// The path as it is written.
    pub path: String,
}

/// A re-export leads to another one this often at most.
const DEPTH: usize = 16;

/// Every import from one file by another, in order of files and lines.
pub fn imports(source: &Source) -> Vec<Import> {
    let mut imports = Vec::new();
    let own: Vec<(&Module, &String)> = source.modules.iter().collect();
    for (file, contents) in &source.files {
        // The module of a file is the shortest one that is in it; the others stand inside.
        let modules = own.iter().filter(|(_, other)| *other == file);
        let Some((module, _)) = modules.min_by_key(|(module, _)| module.len()) else {
            continue;
        };
        for named in &contents.named {
            let at: Module = module.iter().chain(&named.inside).cloned().collect();
            let target = start(source, &at, named)
                .and_then(|(from, rest)| find(source, from, &rest, named, DEPTH));
            if let Some(to) = target.filter(|to| to != file) {
                imports.push(Import {
                    from: file.clone(),
                    line: named.line,
                    to,
                    path: named.path.join("::"),
                });
            }
        }
    }
    imports.sort();
    imports.dedup();
    imports
}

/// Where a path starts, and what is left of it; `None` where it starts in a crate that is not ours.
fn start(source: &Source, at: &Module, named: &Named) -> Option<(Module, Vec<String>)> {
    let (first, rest) = named.path.split_first()?;
    let rest = rest.to_vec();
    match first.as_str() {
        "crate" => return Some((at[..1].to_vec(), rest)),
        "self" => return Some((at.clone(), rest)),
        "super" => return Some((at[..at.len().saturating_sub(1).max(1)].to_vec(), rest)),
        _ => {}
    }
    let child: Module = at.iter().chain([first]).cloned().collect();
    if source.modules.contains_key(&child) {
        return Some((child, rest));
    }
    let other = vec![first.clone()];
    source.modules.contains_key(&other).then_some((other, rest))
}

/// The file in which `path` of module `at` is defined, through re-exports.
fn find(
    source: &Source,
    mut at: Module,
    path: &[String],
    named: &Named,
    depth: usize,
) -> Option<String> {
    for (index, part) in path.iter().enumerate() {
        if part == "super" {
            at.pop();
            continue;
        }
        let child: Module = at.iter().chain([part]).cloned().collect();
        if source.modules.contains_key(&child) {
            at = child;
            continue;
        }
        return reexported(source, &at, part, &path[index + 1..], named, depth)
            .or_else(|| source.modules.get(&at).cloned());
    }
    source.modules.get(&at).cloned()
}

/// What a `use` of the module brings in by this name.
fn reexported(
    source: &Source,
    at: &Module,
    name: &str,
    rest: &[String],
    named: &Named,
    depth: usize,
) -> Option<String> {
    let contents = source.files.get(source.modules.get(at)?)?;
    if depth == 0 || contents.items.contains(name) {
        return None;
    }
    let inside = |other: &&Named| *other != named && at.ends_with(&other.inside);
    let uses = contents.named.iter().filter(inside);
    let exact = uses
        .clone()
        .find(|other| other.name.as_deref() == Some(name));
    if let Some(other) = exact {
        let (from, mut path) = start(source, at, other)?;
        path.extend_from_slice(rest);
        return find(source, from, &path, other, depth - 1);
    }
    let mut globs = uses.filter(|other| other.name.as_deref() == Some("*"));
    globs.find_map(|other| {
        let (from, path) = start(source, at, other)?;
        let file = find(source, from, &path, other, depth - 1)?;
        let defines = source.files.get(&file)?.items.contains(name);
        defines.then_some(file)
    })
}
