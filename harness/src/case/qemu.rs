//! A QEMU binary.

use std::path::PathBuf;
use std::sync::Arc;

use super::offers::Offers;

/// A QEMU binary and what it offers.
#[derive(Debug, PartialEq, Eq)]
pub struct Qemu {
    /// What is started.
    pub path: PathBuf,
    /// Middle part of a trial's name: `qemu-10.0`, or `qemu-10.0.2` where two point releases are tested side by side.
    pub label: String,
    /// What it said of itself.
    pub offers: Arc<Offers>,
}

impl Qemu {
    /// No binary: for lane `kvm-direct` with a table that comes from elsewhere.
    pub fn none() -> Qemu {
        Qemu {
            path: PathBuf::new(),
            label: "-".to_owned(),
            offers: Arc::default(),
        }
    }

    /// Folder of the release's expectations: `qemu-10.0`.
    pub fn release_folder(&self) -> String {
        format!("qemu-{}", self.offers.release_name())
    }

    /// The newest versioned q35 machine type.
    pub fn newest_machine(&self) -> Option<&str> {
        self.offers.newest_machine()
    }
}
