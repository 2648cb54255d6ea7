//! Which lanes this host can run.

use super::kernel::kvm_modules;
use super::libvirt::{Installation, LibvirtError};
use crate::vmm::kvm::access::KvmError;

/// Why a lane cannot run here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unable {
    /// KVM cannot be used.
    #[error(transparent)]
    Kvm(#[from] KvmError),
    /// libvirt cannot be used.
    #[error(transparent)]
    Libvirt(#[from] LibvirtError),
    /// KVM runs small guests only.
    #[error("KVM of kvm_pvm starts no Linux kernel that does not know it")]
    NoLinuxGuests,
    /// What emulates the host of a lab is not there.
    #[error("{0}")]
    NoEmulator(String),
}

/// What this host can do, found out once.
#[derive(Clone, Debug)]
pub struct Ability {
    kvm: Result<(), KvmError>,
    libvirt: Result<(), LibvirtError>,
}

impl Ability {
    /// Of this host.
    pub fn of_this_host() -> Ability {
        Ability {
            kvm: crate::vmm::kvm::open().map(drop),
            libvirt: Installation::of_path().usable(),
        }
    }

    /// The same with this libvirt instead of the installed one.
    #[must_use]
    pub fn with_libvirt(self, libvirt: &Installation) -> Ability {
        Ability {
            libvirt: libvirt.usable(),
            ..self
        }
    }

    /// Whether guests can run on this host's KVM.
    ///
    /// # Errors
    /// Why they cannot.
    pub fn kvm(&self) -> Result<(), Unable> {
        self.kvm.clone().map_err(Unable::from)
    }

    /// Whether libvirt can start guests.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn libvirt(&self) -> Result<(), Unable> {
        self.libvirt.clone().map_err(Unable::from)
    }

    /// Whether Linux guests can run on this host's KVM.
    ///
    /// # Errors
    /// Why they cannot.
    pub fn linux_guests(&self) -> Result<(), Unable> {
        self.kvm()?;
        if kvm_modules().iter().any(|module| module == "kvm_pvm") {
            return Err(Unable::NoLinuxGuests);
        }
        Ok(())
    }
}
