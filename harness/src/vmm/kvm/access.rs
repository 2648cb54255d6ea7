//! Opening /dev/kvm, and what can be wrong with it.

use super::table::CpuidTable;
use kvm_bindings::KVM_MAX_CPUID_ENTRIES;
use std::borrow::Cow;
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::fd::{FromRawFd as _, IntoRawFd as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use crate::util::limits::TEXT;
use crate::util::read;
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
    #[error(
        "no permission on /dev/kvm: it belongs to group {group}, mode {mode:03o}; be in that group"
    )]
    Permission {
        /// Name of the group that owns it, or its number.
        group: String,
        /// Permission bits.
        mode: u32,
    },
    /// It does not open for another reason.
    #[error("failed to open /dev/kvm: {0}")]
    Open(String),
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
    let Ok(data) = std::fs::metadata(path) else {
        return KvmError::Open("no permission on its folder".to_owned());
    };
    let groups = read::text("/etc/group", TEXT).unwrap_or_default();
    KvmError::Permission {
        group: group(&groups, data.gid()),
        mode: data.permissions().mode() & 0o777,
    }
}

/// The name of a group by the text of /etc/group; its number where it has none.
fn group(groups: &str, gid: u32) -> String {
    let mut rows = groups.lines().map(|row| row.split(':').collect::<Vec<_>>());
    let row = rows.find(|row| row.get(2).and_then(|number| number.parse().ok()) == Some(gid));
    row.map_or_else(|| gid.to_string(), |row| row[0].to_owned())
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
    fn the_group_to_be_in_is_named() {
        let name = group("root:x:0:\nkvm:x:104:qemu\n", 104);
        assert_eq!(name, "kvm");
        assert_eq!(group("root:x:0:\n", 104), "104");
        let error = KvmError::Permission {
            group: name,
            mode: 0o660,
        };
        assert_eq!(
            error.to_string(),
            "no permission on /dev/kvm: it belongs to group kvm, mode 660; be in that group"
        );
    }

    #[test]
    fn another_hypervisor_is_reported_apart() {
        let busy = kvm_ioctls::Error::new(Errno::BUSY.raw_os_error());
        assert_eq!(KvmError::ioctl("KVM_CREATE_VM", busy), KvmError::Busy);
    }
}
