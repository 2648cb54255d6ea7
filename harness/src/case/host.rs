//! An emulated host: what a lab is made of.

use std::path::PathBuf;
use std::sync::Arc;

use super::kernel::LabKernel;
use super::qemu::Qemu;

/// A machine that an emulator makes, with the kernel that runs on it. Its KVM is the KVM of that kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmulatedHost {
    /// Which virtualisation extension the emulator gives it, by the name of the emulator's row: `svm`.
    pub emulator: String,
    /// The QEMU that emulates it.
    pub qemu: Arc<Qemu>,
    /// Its kernel.
    pub kernel: LabKernel,
    /// MiB of RAM; `None` for what its initramfs needs.
    pub megabytes: Option<u64>,
}

/// Everything of an emulated host that decides what its guests show.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EmulatedHostId {
    emulator: String,
    qemu: PathBuf,
    kernel: LabKernel,
    megabytes: Option<u64>,
}

impl EmulatedHost {
    /// What tells it from every other one.
    pub fn id(&self) -> EmulatedHostId {
        EmulatedHostId {
            emulator: self.emulator.clone(),
            qemu: self.qemu.path.clone(),
            kernel: self.kernel.clone(),
            megabytes: self.megabytes,
        }
    }

    /// Second part of the names of its trials: `linux-6.12`.
    pub fn label(&self) -> &str {
        &self.kernel.label
    }
}
