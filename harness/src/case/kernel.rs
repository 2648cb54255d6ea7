//! A kernel that is booted: as the host of a lab, or as a guest.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A kernel that labs are made of.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LabKernel {
    /// Second part of a trial's name: `linux-6.12`, and behind a plus sign each further word of its command line.
    pub label: String,
    /// `uname -r`.
    pub release: String,
    /// What was named.
    pub path: PathBuf,
    /// The folder of modules that was named.
    pub modules: Option<PathBuf>,
    /// Further words of its command line.
    pub parameters: Vec<String>,
    /// Folder of its expectations, below that of all expectations: `kernels/6.12`.
    pub expectations: PathBuf,
}

impl LabKernel {
    /// Whether it is the same kernel, with the same modules and parameters, whatever it is called.
    pub fn is_same(&self, other: &LabKernel) -> bool {
        self.arguments() == other.arguments()
    }

    /// The arguments of this program's command line that name it, in any folder.
    pub fn arguments(&self) -> Vec<String> {
        let mut words = vec!["--kernel".to_owned(), whole(&self.path)];
        if let Some(modules) = &self.modules {
            words.extend(["--modules".to_owned(), whole(modules)]);
        }
        if !self.parameters.is_empty() {
            words.extend(["--cmdline".to_owned(), self.parameters.join(" ")]);
        }
        words
    }
}

/// A path from the root.
fn whole(path: &Path) -> String {
    let whole = std::path::absolute(path);
    whole.as_deref().unwrap_or(path).display().to_string()
}

/// `linux-6.12+clearcpuid=avx2`: the words of a kernel's command line are part of its name.
pub fn label(plain: &str, words: &[String]) -> String {
    let words = words
        .iter()
        .map(|word| format!("+{}", word.replace('/', "_")));
    plain.to_owned() + &words.collect::<String>()
}
