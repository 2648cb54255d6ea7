//! Opening /dev/kvm, and what can be wrong with it.

use super::permission::Permission;
use super::table::CpuidTable;
use crate::util::os_error::OsError;
use kvm_bindings::KVM_MAX_CPUID_ENTRIES;
use std::borrow::Cow;
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::fd::{FromRawFd as _, IntoRawFd as _};
use std::path::Path;

use kvm_ioctls::Kvm;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// The device.
pub const DEVICE: &str = "/dev/kvm";
/// The only version there has been since Linux 2.6.22 (Documentation/virt/kvm/api.rst, KVM_GET_API_VERSION).
pub const API_VERSION: i32 = 12;

/// Why KVM cannot be used, or did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum KvmError {
    /// There is no KVM.
    #[error("no /dev/kvm: the kernel has no KVM, or its module is not loaded")]
    NoDevice,
    /// KVM is there, for others.
    #[error("no permission on /dev/kvm: {0}")]
    Permission(Permission),
    /// It does not open for another reason.
    #[error("failed to open /dev/kvm: {0}")]
    Open(String),
    /// Memory, a thread or a file descriptor could not be had for the guest.
    #[error("failed to set up a guest of KVM: {0}")]
    Resources(OsError),
    /// Not the API that this program speaks.
    #[error("KVM speaks API version {0}, wanted {API_VERSION}")]
    Version(i32),
    /// Another hypervisor holds the processor's virtualization (vmx.c, hardware_enable: EBUSY where CR4.VMXE is set already).
    #[error(
        "failed to create a VM: another hypervisor on this host holds the processor's virtualization (EBUSY)"
    )]
    Busy,
    /// A capability that is needed.
    #[error("this KVM lacks {0}")]
    Lacks(Cow<'static, str>),
    /// An ioctl failed.
    #[error("{ioctl} failed: {error}{hint}")]
    Ioctl {
        /// Its name.
        ioctl: Cow<'static, str>,
        /// The kernel's answer.
        error: String,
        /// What it may mean; empty, or starts with a space.
        hint: Cow<'static, str>,
    },
}

/// Whether this host's KVM runs all of a guest's ring 0 in its instruction emulator, as kvm_pvm does.
pub fn emulates_ring_0() -> bool {
    Path::new("/sys/module/kvm_pvm").exists()
}

impl KvmError {
    /// The failure of `ioctl`.
    pub fn ioctl(ioctl: &'static str, error: kvm_ioctls::Error) -> KvmError {
        let is = |errno: Errno| error.errno() == errno.raw_os_error();
        let hint = match ioctl {
            "KVM_CREATE_VM" if is(Errno::BUSY) => return KvmError::Busy,
            "KVM_SET_CPUID2" if is(Errno::PERM) => {
                " (the table offers AMX: the process lacks the permission of arch_prctl ARCH_REQ_XCOMP_GUEST_PERM)"
            }
            "KVM_SET_CPUID2" if is(Errno::TOOBIG) => {
                " (more entries than this KVM takes: 256, before Linux 5.13 80)"
            }
            "KVM_SET_CPUID2" if is(Errno::INVAL) => {
                " (cpuid.c, kvm_check_cpuid: linear addresses must have 48 or 57 bits)"
            }
            _ => "",
        };
        KvmError::Ioctl {
            ioctl: ioctl.into(),
            error: error.to_string(),
            hint: hint.into(),
        }
    }
}

/// Opens the device.
///
/// # Errors
/// It is not there, it may not be opened, or it speaks another version.
pub fn open() -> Result<Kvm, KvmError> {
    open_at(Path::new(DEVICE))
}

fn open_at(path: &Path) -> Result<Kvm, KvmError> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => KvmError::NoDevice,
            ErrorKind::PermissionDenied => permission(path),
            _ => KvmError::Open(error.to_string()),
        })?;
    // SAFETY: the descriptor is open, and nobody else owns it any more.
    let kvm = unsafe { Kvm::from_raw_fd(file.into_raw_fd()) };
    match kvm.get_api_version() {
        API_VERSION => Ok(kvm),
        other => Err(KvmError::Version(other)),
    }
}

fn permission(path: &Path) -> KvmError {
    match Permission::of_this_process(path) {
        Some(permission) => KvmError::Permission(permission),
        None => KvmError::Open("no permission on its folder".to_owned()),
    }
}

/// Bit of CPUID.01H:ECX.
const XSAVE: u32 = 1 << 26;

/// KVM_GET_SUPPORTED_CPUID.
///
/// # Errors
/// KVM refuses.
pub fn supported(kvm: &Kvm) -> Result<CpuidTable, KvmError> {
    let table = kvm.get_supported_cpuid(KVM_MAX_CPUID_ENTRIES);
    let table = table.map_err(|error| KvmError::ioctl("KVM_GET_SUPPORTED_CPUID", error))?;
    Ok(CpuidTable::from(&table))
}

/// Whether a guest of this KVM can have XSAVE; without it XCR0 can never be set.
pub fn supports_xsave(supported: &CpuidTable) -> bool {
    supported
        .find(1, 0)
        .is_some_and(|row| row.regs[2] & XSAVE != 0)
}

/// [`supports_xsave`] of this host's KVM, asked once; true where KVM cannot be asked.
pub fn host_supports_xsave() -> bool {
    static ANSWER: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    let ask = || {
        open()
            .and_then(|kvm| supported(&kvm))
            .map_or(true, |table| supports_xsave(&table))
    };
    *ANSWER.get_or_init(ask)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_without_kvm_says_so() {
        let error = open_at(Path::new("/nonexistent/kvm")).err();
        assert_eq!(error, Some(KvmError::NoDevice));
    }

    #[test]
    fn a_device_that_is_not_kvm_is_reported() {
        let error = open_at(Path::new("/dev/null")).err();
        assert_eq!(
            error.map(|error| error.to_string()).as_deref(),
            Some("KVM speaks API version -1, wanted 12")
        );
    }

    #[test]
    fn another_hypervisor_is_reported_apart() {
        let busy = kvm_ioctls::Error::new(Errno::BUSY.raw_os_error());
        assert_eq!(KvmError::ioctl("KVM_CREATE_VM", busy), KvmError::Busy);
    }
}
