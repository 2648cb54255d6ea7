//! Which lanes this host can run.

use super::kvm::{self, KvmError};
use crate::matrix::Lane;

/// Why a lane cannot run here.
pub type Unable = KvmError;

/// What this host can do, found out once.
#[derive(Clone, Debug)]
pub struct Ability {
    kvm: Result<(), Unable>,
}

impl Ability {
    /// Of this host.
    pub fn of_this_host() -> Ability {
        Ability {
            kvm: kvm::open().map(drop),
        }
    }

    /// Whether a lane can run here.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn lane(&self, lane: Lane) -> Result<(), Unable> {
        match lane {
            Lane::Definition | Lane::Tcg | Lane::Lab | Lane::Linux => Ok(()),
            Lane::Kvm | Lane::KvmDirect => self.kvm.clone(),
        }
    }
}
