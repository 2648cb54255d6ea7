//! Which lanes this host can run.

use super::kernel::kvm_modules;
use super::libvirt;
use super::libvirt::LibvirtError;
use crate::case::guest::{Case, Lane};
use crate::case::kernel::Accelerator;
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
            libvirt: libvirt::usable(),
        }
    }

    /// Whether a case can run here: that its lane can, and a Linux guest on its accelerator.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn case(&self, case: &Case) -> Result<(), String> {
        let told = |unable: Unable| unable.to_string();
        self.lane(case.lane).map_err(told)?;
        let guest = case.linux.as_ref();
        if guest.is_none_or(|guest| guest.accelerator == Accelerator::Tcg) {
            return Ok(());
        }
        self.lane(Lane::Kvm).map_err(told)?;
        match kvm_modules().iter().any(|module| module == "kvm_pvm") {
            true => Err("KVM of kvm_pvm starts no Linux kernel that does not know it".to_owned()),
            false => Ok(()),
        }
    }

    /// Whether a lane can run here.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn lane(&self, lane: Lane) -> Result<(), Unable> {
        match lane {
            Lane::Definition | Lane::Tcg | Lane::Lab | Lane::Linux => Ok(()),
            Lane::Kvm | Lane::KvmDirect => self.kvm.clone().map_err(Unable::from),
            Lane::Libvirt => self.libvirt.clone().map_err(Unable::from),
        }
    }
}
