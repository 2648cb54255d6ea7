//! Which lanes this host can run.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::Path;

use crate::matrix::Lane;

/// Why a lane cannot run here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unable {
    /// There is no KVM.
    #[error("no /dev/kvm: the kernel has no KVM, or its module is not loaded")]
    NoKvm,
    /// KVM is there, for others.
    #[error("no permission on /dev/kvm: be in the group that owns it (usually kvm)")]
    KvmPermission,
    /// KVM is there and does not open.
    #[error("failed to open /dev/kvm: {0}")]
    KvmBroken(String),
}

/// What this host can do, found out once.
#[derive(Clone, Debug)]
pub struct Ability {
    kvm: Result<(), Unable>,
}

impl Ability {
    /// Of this host.
    pub fn of_this_host() -> Ability {
        Ability {
            kvm: open_kvm(Path::new("/dev/kvm")),
        }
    }

    /// Whether a lane can run here.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn lane(&self, lane: Lane) -> Result<(), Unable> {
        match lane {
            Lane::Definition | Lane::Tcg => Ok(()),
            Lane::Kvm => self.kvm.clone(),
        }
    }
}

fn open_kvm(path: &Path) -> Result<(), Unable> {
    match OpenOptions::new().read(true).write(true).open(path) {
        Ok(_) => Ok(()),
        Err(error) => Err(match error.kind() {
            ErrorKind::NotFound => Unable::NoKvm,
            ErrorKind::PermissionDenied => Unable::KvmPermission,
            _ => Unable::KvmBroken(error.to_string()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_without_kvm_says_so() {
        let missing = Path::new("/nonexistent/kvm");
        assert_eq!(open_kvm(missing), Err(Unable::NoKvm));
    }
}
