//! A kernel that is booted: as the host of a lab, or as a guest.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::guest::Lane;

/// A kernel that labs are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    pub words: Vec<String>,
    /// Folder of its expectations, below that of all expectations: `kernels/6.12`.
    pub expectations: PathBuf,
}

impl LabKernel {
    /// The words of this program's command line that name it.
    pub fn arguments(&self) -> Vec<String> {
        let mut words = vec!["--kernel".to_owned(), self.path.display().to_string()];
        if let Some(modules) = &self.modules {
            words.extend(["--modules".to_owned(), modules.display().to_string()]);
        }
        if !self.words.is_empty() {
            words.extend(["--cmdline".to_owned(), self.words.join(" ")]);
        }
        words
    }
}

/// `linux-6.12+clearcpuid=avx2`: the words of a kernel's command line are part of its name.
pub fn label(plain: &str, words: &[String]) -> String {
    let words = words
        .iter()
        .map(|word| format!("+{}", word.replace('/', "_")));
    plain.to_owned() + &words.collect::<String>()
}

/// What runs a Linux guest.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Accelerator {
    /// TCG: the same on every host.
    #[default]
    Tcg,
    /// The host's KVM.
    Kvm,
}

impl Accelerator {
    /// As QEMU's `-accel` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Accelerator::Tcg => "tcg",
            Accelerator::Kvm => "kvm",
        }
    }

    /// The lane in which the agent is run on it without an operating system.
    pub fn bare_metal(self) -> Lane {
        match self {
            Accelerator::Tcg => Lane::Tcg,
            Accelerator::Kvm => Lane::Kvm,
        }
    }
}

/// The kernel of a Linux guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinuxGuest {
    /// The kernel; its words are further ones of its command line.
    pub kernel: LabKernel,
    /// What runs it.
    pub accelerator: Accelerator,
}

impl LinuxGuest {
    /// Third part of a trial's name: `linux-6.12`, or `linux-6.12@kvm`.
    pub fn label(&self) -> String {
        match self.accelerator {
            Accelerator::Tcg => self.kernel.label.clone(),
            Accelerator::Kvm => format!("{}@kvm", self.kernel.label),
        }
    }
}
