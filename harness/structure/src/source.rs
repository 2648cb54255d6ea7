//! The crates of the tree, each a module tree of files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::imports::{Contents, contents};
use crate::tokens::tokens;

/// The crates: the name that others import it by, and its root.
const CRATES: [(&str, &str); 5] = [
    ("cpuid_fidelity", "harness/src/lib.rs"),
    ("the program", "harness/src/main.rs"),
    ("fidelity_protocol", "guest-image/protocol/src/lib.rs"),
    ("the Linux agent", "guest-image/linux/src/main.rs"),
    ("the ROM", "guest-image/firmware/src/main.rs"),
];

/// A module: the crate's name, then the names down to it.
pub type Module = Vec<String>;

/// A tree that cannot be read.
#[derive(Debug)]
pub struct SourceError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub error: std::io::Error,
}

impl std::fmt::Display for SourceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "failed to read {}: {}", self.path.display(), self.error)
    }
}

impl std::error::Error for SourceError {}

/// All that is compiled, without test code.
#[derive(Debug, Default)]
pub struct Source {
    /// Files by path from the top, with what stands in them.
    pub files: BTreeMap<String, Contents>,
    /// Every module and its file; those inside a file have the file's path.
    pub modules: BTreeMap<Module, String>,
    /// Files of test code.
    tests: BTreeSet<String>,
}

impl Source {
    /// Follows the module declarations from the roots of the crates; a crate that is not there is left out.
    ///
    /// # Errors
    /// A declared file cannot be read.
    pub fn read(top: &Path) -> Result<Source, SourceError> {
        let mut source = Source::default();
        for (name, root) in CRATES {
            if top.join(root).exists() {
                source.add(top, vec![name.to_owned()], root, true)?;
            }
        }
        Ok(source)
    }

    fn add(
        &mut self,
        top: &Path,
        module: Module,
        file: &str,
        root: bool,
    ) -> Result<(), SourceError> {
        let contents = contents(&tokens(&text(&top.join(file))?));
        for inline in &contents.inline {
            let path = module.iter().chain(inline).cloned().collect();
            self.modules.insert(path, file.to_owned());
        }
        let path = Path::new(file);
        let beside = path.parent().unwrap_or(Path::new("")).to_owned();
        let below = match path.file_stem().and_then(|stem| stem.to_str()) {
            Some(stem) if !root && stem != "mod" => beside.join(stem),
            _ => beside.clone(),
        };
        for child in &contents.children {
            let flat = below.join(format!("{}.rs", child.name));
            let file = match &child.path {
                Some(path) => beside.join(path),
                None if top.join(&flat).exists() => flat,
                None => below.join(&child.name).join("mod.rs"),
            };
            let file = file.display().to_string();
            if child.test {
                self.tests.insert(file);
                continue;
            }
            let mut module = module.clone();
            module.push(child.name.clone());
            self.add(top, module, &file, false)?;
        }
        self.modules.insert(module, file.to_owned());
        self.files.insert(file.to_owned(), contents);
        Ok(())
    }

    /// Files beside the roots that no file declares as a module.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub fn undeclared(&self, top: &Path) -> Result<Vec<String>, SourceError> {
        let mut complaints = Vec::new();
        let roots: BTreeSet<&Path> = CRATES
            .iter()
            .filter_map(|(_, root)| Path::new(root).parent())
            .collect();
        for folder in roots.into_iter().filter(|folder| top.join(folder).exists()) {
            for file in rust_files(top, folder)? {
                // A test module's own children lie in the folder of its name.
                let of_test = self.tests.iter().any(|test| {
                    let folder = test.trim_end_matches(".rs").trim_end_matches("/mod");
                    *test == file || file.starts_with(&format!("{folder}/"))
                });
                if !of_test && !self.files.contains_key(&file) {
                    complaints.push(format!("{file}:1: no file declares this module"));
                }
            }
        }
        Ok(complaints)
    }
}

fn rust_files(top: &Path, folder: &Path) -> Result<Vec<String>, SourceError> {
    let failed = |error| SourceError {
        path: folder.to_owned(),
        error,
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(top.join(folder)).map_err(failed)? {
        let path = folder.join(entry.map_err(failed)?.file_name());
        if top.join(&path).is_dir() {
            files.extend(rust_files(top, &path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path.display().to_string());
        }
    }
    files.sort();
    Ok(files)
}

/// The text of a file.
///
/// # Errors
/// It cannot be read.
pub fn text(path: &Path) -> Result<String, SourceError> {
    std::fs::read_to_string(path).map_err(|error| SourceError {
        path: path.to_owned(),
        error,
    })
}
