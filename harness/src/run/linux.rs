//! Lane `linux`: kernels made ready for guests, and what their guests made of CPUID held against expectations and rules.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::engine::{Broken, Engine};
use super::inventory::Unusable;
use super::judge::Verdict;
use super::lab;
use crate::boot::linux::{Kernel, Ready};
use crate::check::outcome::CaseResult;
use crate::matrix::labs::{LabKernel, label};
use crate::matrix::offers::natural;
use crate::matrix::{Case, Config, Trial};

type Made = Arc<OnceLock<Result<Ready, String>>>;

/// Kernels by their label and path, each made ready once.
#[derive(Debug, Default)]
pub(super) struct Kernels(Mutex<HashMap<String, Made>>);

impl Kernels {
    /// The kernel of a Linux guest, with all it is booted with; what is missing is made in the folder `cache`.
    ///
    /// # Errors
    /// The kernel is not there or is none that can be booted.
    pub(super) fn of(&self, case: &Case, cache: &Path) -> Result<Ready, Broken> {
        let Some(guest) = &case.linux else {
            return Err(Broken::before("lane linux without a kernel".to_owned()));
        };
        let kernel = &guest.kernel;
        let made = {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let key = format!("{:?}", (&kernel.path, &kernel.modules));
            Arc::clone(known.entry(key).or_default())
        };
        let make = || {
            let found = Kernel::find(&kernel.path, kernel.modules.as_deref());
            let found = found.map_err(|error| error.to_string())?;
            Ready::of(&found, &cache.join("linux"))
        };
        made.get_or_init(make).clone().map_err(Broken::before)
    }
}

/// Where distributions put kernels.
const BOOT: &str = "/boot";

/// The kernels that guests can boot: those of the configuration; where there is none, the newest in /boot that can be read.
pub fn kernels(config: &Config) -> (Vec<LabKernel>, Vec<Unusable>) {
    let (kernels, mut unusable) = lab::kernels(config);
    if !kernels.is_empty() {
        return (kernels, unusable);
    }
    match newest_in(Path::new(BOOT)) {
        Ok(kernel) => (vec![kernel], unusable),
        Err(reason) => {
            unusable.push(Unusable {
                path: BOOT.into(),
                reason,
            });
            (Vec::new(), unusable)
        }
    }
}

/// The newest kernel of a folder like /boot.
fn newest_in(folder: &Path) -> Result<LabKernel, String> {
    let none = |told: String| {
        format!(
            "no kernel to boot as a guest: none in .cache/kernels (scripts/fetch-kernel brings them), and {told}"
        )
    };
    let shown = folder.display();
    let entries = std::fs::read_dir(folder).map_err(|error| none(format!("{shown}: {error}")))?;
    let image = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("vmlinuz-")
    };
    let images = entries.flatten().map(|entry| entry.path()).filter(image);
    let mut told = format!("no vmlinuz-* in {shown}");
    let mut found: Vec<LabKernel> = Vec::new();
    for path in images {
        match lab::kernel(&path, None, &[]) {
            Ok(kernel) => found.push(kernel),
            Err(reason) => told = reason,
        }
    }
    found.sort_by_key(|kernel| natural(&kernel.release));
    found.pop().ok_or_else(|| none(told))
}

/// The kernel with further words of its command line.
pub fn with_words(kernel: &LabKernel, words: &[String]) -> LabKernel {
    LabKernel {
        label: label(&kernel.label, words),
        words: kernel.words.iter().chain(words).cloned().collect(),
        ..kernel.clone()
    }
}

/// Runs a trial.
pub(super) fn judge(
    _engine: &Engine,
    _trial: &Trial,
    _done: &(dyn Fn(&CaseResult) + Sync),
) -> Verdict {
    Verdict {
        results: Vec::new(),
        observed: None,
    }
}
