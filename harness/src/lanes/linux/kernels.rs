//! The kernels that guests boot: where they are, and what is made of each once.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::case::LabKernel;
use crate::case::kernel::label;
use crate::check::linux::unknown_names;
use crate::config::Config;
use crate::expectation::Store;
use crate::lanes::kernels::{Unusable, kernel, kernels};
use crate::util::order::natural;
use crate::vmm::linux::{Kernel, Names, Ready};

type Made = Arc<OnceLock<Result<Ready, String>>>;
type Read = Arc<OnceLock<Result<Arc<Names>, String>>>;

/// Kernels by path and modules, each made ready once, and the names that each has.
#[derive(Debug, Default)]
pub struct Kernels {
    ready: Mutex<HashMap<(PathBuf, Option<PathBuf>), Made>>,
    names: Mutex<HashMap<PathBuf, Read>>,
}

impl Kernels {
    /// The kernel with everything it is booted with; what is missing is made in the folder `cache`.
    ///
    /// # Errors
    /// The kernel is not there, or is none that can be booted.
    pub fn ready(&self, kernel: &LabKernel, cache: &Path) -> Result<Ready, String> {
        let made = {
            let mut known = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
            let key = (kernel.path.clone(), kernel.modules.clone());
            Arc::clone(known.entry(key).or_default())
        };
        let make = || {
            let found = Kernel::find(&kernel.path, kernel.modules.as_deref());
            let found = found.map_err(|error| error.to_string())?;
            Ready::make(&found, &cache.join("linux")).map_err(|error| error.to_string())
        };
        made.get_or_init(make).clone()
    }

    /// The kernel's own names of flags, read once.
    ///
    /// # Errors
    /// Its image cannot be read or unpacked, or has no such tables.
    pub fn names(&self, kernel: &LabKernel, cache: &Path) -> Result<Arc<Names>, String> {
        let ready = self.ready(kernel, cache)?;
        let made = {
            let mut known = self.names.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry(ready.packed.clone()).or_default())
        };
        let read = || {
            ready
                .names()
                .map(Arc::new)
                .map_err(|error| error.to_string())
        };
        made.get_or_init(read).clone()
    }
}

/// Where distributions put kernels.
const BOOT: &str = "/boot";

/// The kernels that guests can boot: those of the configuration; where what it names is not there, the newest in /boot that can be
/// read.
pub fn guest_kernels(config: &Config) -> (Vec<LabKernel>, Vec<Unusable>) {
    let (found, mut unusable) = kernels(config);
    // A configuration that names none wants none.
    if !found.is_empty() || config.kernels.is_empty() {
        return (found, unusable);
    }
    match newest_in(Path::new(BOOT)) {
        Ok(kernel) => (vec![kernel], unusable),
        Err(reason) => {
            let path = BOOT.into();
            unusable.push(Unusable { path, reason });
            (Vec::new(), unusable)
        }
    }
}

/// The newest kernel of a folder like /boot.
fn newest_in(folder: &Path) -> Result<LabKernel, String> {
    let none = |why: String| {
        format!(
            "no kernel to boot as a guest: none in .cache/kernels (scripts/fetch-kernel brings them), and {why}"
        )
    };
    let shown = folder.display();
    let entries = std::fs::read_dir(folder).map_err(|error| none(format!("{shown}: {error}")))?;
    let image = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("vmlinuz-")
    };
    let images = entries.flatten().map(|entry| entry.path()).filter(image);
    let mut why = format!("no vmlinuz-* in {shown}");
    let mut found: Vec<LabKernel> = Vec::new();
    for path in images {
        match kernel(&path, None, &[]) {
            Ok(kernel) => found.push(kernel),
            Err(reason) => why = reason,
        }
    }
    found.sort_by_key(|kernel| natural(&kernel.release));
    found.pop().ok_or_else(|| none(why))
}

/// The kernel with further parameters of its command line.
pub fn with_parameters(kernel: &LabKernel, parameters: &[String]) -> LabKernel {
    let all = kernel.parameters.iter().chain(parameters).cloned();
    LabKernel {
        label: label(&kernel.label, parameters),
        parameters: all.collect(),
        ..kernel.clone()
    }
}

/// Names of a kernel's own tables that features.tsv or linux.tsv lack, or have at another place.
///
/// # Errors
/// The kernel's image cannot be read, or has no such tables.
pub fn misnamed(
    kernels: &Kernels,
    store: &Store,
    kernel: &LabKernel,
) -> Result<Vec<String>, String> {
    let names = kernels.names(kernel, &store.cache)?;
    Ok(unknown_names(&names, &store.table, &store.linux))
}
