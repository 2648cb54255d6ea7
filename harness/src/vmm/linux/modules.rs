//! Kernel modules: where they are, what they depend on, in which order they are loaded.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::elf::{ElfError, module_information};
use super::kernel::Kernel;
use super::packed::{PackedError, unpacked_module};

use crate::util::open;

/// The modules of one kernel.
#[derive(Clone, Debug)]
pub struct Modules {
    release: String,
    folder: Option<PathBuf>,
    files: BTreeMap<String, PathBuf>,
    built_in: BTreeSet<String>,
}

/// A module, ready for init_module(2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Its name with underscores, as /sys/module has it.
    pub name: String,
    /// The file it came from.
    pub file: PathBuf,
    /// The ELF file, unpacked.
    pub bytes: Vec<u8>,
}

/// Why modules cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    /// Neither a file nor built in.
    #[error("no module {name}{wanted_by} in {place}, and it is not built in")]
    Missing {
        /// The module.
        name: String,
        /// Empty, or `, which kvm_amd needs,`.
        wanted_by: String,
        /// The folder of modules, or words for its absence.
        place: String,
    },
    /// Its file cannot be read or unpacked.
    #[error(transparent)]
    Packed(#[from] PackedError),
    /// Its file is no module.
    #[error("{path}: {problem}")]
    NoModule {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: ElfError,
    },
    /// It was built for another kernel.
    #[error(
        "modules of another version: {path} was built for {built_for}, the kernel is {release}"
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The first word of its vermagic.
        built_for: String,
        /// The kernel's release.
        release: String,
    },
    /// A list of modules cannot be read.
    #[error("failed to read {path}: {error}")]
    Read {
        /// The list or folder.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
}

/// A module's name as the kernel spells it.
fn canonical(name: &str) -> String {
    name.replace('-', "_")
}

/// `kvm_amd` of `kernel/arch/x86/kvm/kvm-amd.ko.xz`.
fn name_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let (stem, rest) = name.split_once(".ko")?;
    (rest.is_empty() || rest.starts_with('.')).then(|| canonical(stem))
}

impl Modules {
    /// Takes stock of the kernel's modules: by `modules.dep` where depmod made one, by `modules.order` in a build tree, else by
    /// walking the folder, for packages come without `modules.dep`. A kernel without modules has none but those built in, of
    /// which nothing is known then.
    ///
    /// # Errors
    /// A list or a folder cannot be read.
    pub fn read(kernel: &Kernel) -> Result<Modules, ModuleError> {
        let mut modules = Modules {
            release: kernel.release.clone(),
            folder: kernel.modules.clone(),
            files: BTreeMap::new(),
            built_in: BTreeSet::new(),
        };
        let Some(folder) = &kernel.modules else {
            return Ok(modules);
        };
        let built_in = list(&folder.join("modules.builtin"))?.unwrap_or_default();
        let names = built_in.lines().filter_map(|line| name_of(Path::new(line)));
        modules.built_in = names.collect();
        modules.files = files(folder)?
            .into_iter()
            .filter_map(|path| Some((name_of(&path)?, path)))
            .collect();
        Ok(modules)
    }

    /// Whether the kernel has the module within itself.
    pub fn is_built_in(&self, name: &str) -> bool {
        self.built_in.contains(&canonical(name))
    }

    /// Whether there is a file of the module.
    pub fn has_file(&self, name: &str) -> bool {
        self.files.contains_key(&canonical(name))
    }

    /// The named modules and all that they depend on, in an order in which each can be loaded; what is built in is left out.
    /// What a module depends on is read from the module itself (`depends` of its .modinfo), which modules.dep is made of.
    ///
    /// # Errors
    /// A module is missing, cannot be unpacked, or was built for another kernel.
    pub fn with_dependencies(&self, names: &[&str]) -> Result<Vec<Module>, ModuleError> {
        let mut loading = Loading {
            modules: self,
            order: Vec::new(),
            seen: BTreeSet::new(),
        };
        for name in names {
            loading.add(&canonical(name), None)?;
        }
        Ok(loading.order)
    }

    fn place(&self) -> String {
        match &self.folder {
            Some(folder) => folder.display().to_string(),
            None => format!(
                "the kernel {}, which has no folder of modules",
                self.release
            ),
        }
    }
}

struct Loading<'a> {
    modules: &'a Modules,
    order: Vec<Module>,
    seen: BTreeSet<String>,
}

impl Loading<'_> {
    fn add(&mut self, name: &str, wanted_by: Option<&str>) -> Result<(), ModuleError> {
        if self.modules.built_in.contains(name) || !self.seen.insert(name.to_owned()) {
            return Ok(());
        }
        let Some(path) = self.modules.files.get(name) else {
            return Err(ModuleError::Missing {
                name: name.to_owned(),
                wanted_by: wanted_by
                    .map(|by| format!(", which {by} needs,"))
                    .unwrap_or_default(),
                place: self.modules.place(),
            });
        };
        let bytes = unpacked_module(path)?;
        let information = module_information(&bytes).map_err(|problem| ModuleError::NoModule {
            path: path.clone(),
            problem,
        })?;
        let value = |name: &str| {
            let pair = information.iter().find(|(known, _)| known == name);
            pair.map_or("", |(_, value)| value.as_str())
        };
        let built_for = value("vermagic").split(' ').next().unwrap_or_default();
        if built_for != self.modules.release {
            return Err(ModuleError::Version {
                path: path.clone(),
                built_for: built_for.to_owned(),
                release: self.modules.release.clone(),
            });
        }
        for needed in value("depends").split(',').filter(|name| !name.is_empty()) {
            self.add(&canonical(needed), Some(name))?;
        }
        self.order.push(Module {
            name: name.to_owned(),
            file: path.clone(),
            bytes,
        });
        Ok(())
    }
}

/// The text of a list; `None` where there is none.
fn list(path: &Path) -> Result<Option<String>, ModuleError> {
    match open::text(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ModuleError::Read {
            path: path.to_owned(),
            error,
        }),
    }
}

/// Every file of a module.
fn files(folder: &Path) -> Result<Vec<PathBuf>, ModuleError> {
    if let Some(text) = list(&folder.join("modules.dep"))? {
        let paths = text.lines().filter_map(|line| line.split_once(':'));
        return Ok(paths.map(|(path, _)| folder.join(path)).collect());
    }
    // A build tree, whose modules lie among its sources. It lists objects since Linux 6.3.
    if folder.join("arch/x86/boot").is_dir()
        && let Some(text) = list(&folder.join("modules.order"))?
    {
        let module = |line: &str| {
            let line = line.strip_prefix("kernel/").unwrap_or(line);
            folder.join(line).with_extension("ko")
        };
        return Ok(text.lines().map(module).collect());
    }
    let mut found = Vec::new();
    walk(folder, &mut found)?;
    found.sort();
    Ok(found)
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), ModuleError> {
    let read = |error| ModuleError::Read {
        path: folder.to_owned(),
        error,
    };
    for entry in std::fs::read_dir(folder).map_err(read)? {
        let entry = entry.map_err(read)?;
        // `build` and `source` are links to a source tree, and are not followed.
        match entry.file_type().map_err(read)? {
            kind if kind.is_dir() => walk(&entry.path(), found)?,
            _ => found.push(entry.path()),
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "modules_tests.rs"]
mod tests;
