//! The ioctls that kvm-ioctls 0.25 lacks.

use std::os::fd::{AsRawFd as _, BorrowedFd};

use kvm_bindings::{
    CpuId, KVM_MAX_CPUID_ENTRIES, KVM_X86_XCOMP_GUEST_SUPP, KVMIO, kvm_cpuid2, kvm_device_attr,
};
use kvm_ioctls::{Kvm, VcpuFd};
use rustix::io::Errno;
use rustix::ioctl::{Opcode, Setter, Updater, ioctl, opcode};

use super::table::CpuidTable;

const GROUP: u8 = KVMIO as u8;
const KVM_GET_SUPPORTED_HV_CPUID: Opcode = opcode::read_write::<kvm_cpuid2>(GROUP, 0xC1);
const KVM_GET_DEVICE_ATTR: Opcode = opcode::write::<kvm_device_attr>(GROUP, 0xE2);
const KVM_SET_SIGNAL_MASK: Opcode = opcode::write::<u32>(GROUP, 0x8B);

/// KVM_GET_SUPPORTED_HV_CPUID on the system descriptor (KVM_CAP_SYS_HYPERV_CPUID): Hyper-V's leaves as KVM would answer them.
///
/// # Errors
/// KVM's.
pub fn supported_hv_cpuid(kvm: &Kvm) -> Result<CpuidTable, Errno> {
    let mut table = CpuId::new(KVM_MAX_CPUID_ENTRIES).map_err(|_| Errno::NOMEM)?;
    // SAFETY: the descriptor is open as long as `kvm` is.
    let fd = unsafe { BorrowedFd::borrow_raw(kvm.as_raw_fd()) };
    // SAFETY: behind the header there is room for as many entries as its `nent` says, and KVM writes no more than that.
    unsafe {
        let header = &mut *table.as_mut_fam_struct_ptr();
        ioctl(
            fd,
            Updater::<KVM_GET_SUPPORTED_HV_CPUID, kvm_cpuid2>::new(header),
        )?;
    }
    Ok(CpuidTable::from(&table))
}

/// KVM reads the attribute and writes where its `addr` points to. rustix declares a `Setter` as one that writes no memory at all, and an
/// optimised build then returns what stood in `value` before.
type GetDeviceAttribute<'a> = Updater<'a, KVM_GET_DEVICE_ATTR, kvm_device_attr>;

/// KVM_X86_XCOMP_GUEST_SUPP: the XSAVE components a guest can have (KVM_CAP_SYS_ATTRIBUTES).
///
/// # Errors
/// KVM's.
pub fn xcomp_guest_supp(kvm: &Kvm) -> Result<u64, Errno> {
    let mut value = 0u64;
    let mut attribute = kvm_device_attr {
        attr: KVM_X86_XCOMP_GUEST_SUPP.into(),
        addr: std::ptr::from_mut(&mut value) as u64,
        ..kvm_device_attr::default()
    };
    // SAFETY: the descriptor is open as long as `kvm` is.
    let fd = unsafe { BorrowedFd::borrow_raw(kvm.as_raw_fd()) };
    // SAFETY: KVM reads the attribute and writes the 8 bytes of `value`, which lives until the call is over.
    unsafe { ioctl(fd, GetDeviceAttribute::new(&mut attribute))? };
    Ok(value)
}

/// As `struct kvm_signal_mask` with the kernel's 8-byte set behind it.
#[repr(C, packed)]
struct SignalMask {
    len: u32,
    set: u64,
}

/// KVM_SET_SIGNAL_MASK: while the guest runs, every signal but `open` is blocked. If the thread itself blocks `open`, it makes
/// KVM_RUN return EINTR and stays pending, so that no handler is needed (Documentation/virt/kvm/api.rst).
///
/// # Errors
/// KVM's.
pub fn set_signal_mask(vcpu: &VcpuFd, open: i32) -> Result<(), Errno> {
    let mask = SignalMask {
        len: 8,
        set: !(1 << (open - 1)),
    };
    // SAFETY: the descriptor is open as long as `vcpu` is.
    let fd = unsafe { BorrowedFd::borrow_raw(vcpu.as_raw_fd()) };
    // SAFETY: KVM reads `len` and then `len` bytes of the set, which is what the struct holds; the number in the opcode is
    // the size of the header alone, as for every struct with a tail.
    unsafe { ioctl(fd, Setter::<KVM_SET_SIGNAL_MASK, _>::new(mask)) }
}

#[cfg(test)]
mod tests {
    use rustix::ioctl::Ioctl;

    use super::*;

    fn writes<I: Ioctl>() -> bool {
        I::IS_MUTATING
    }

    /// A test is built without optimisation, where a wrong declaration changes nothing: so the declaration itself is looked at.
    #[test]
    fn an_ioctl_through_which_kvm_writes_memory_is_declared_so() {
        assert!(writes::<GetDeviceAttribute<'_>>());
        assert!(writes::<Updater<'_, KVM_GET_SUPPORTED_HV_CPUID, kvm_cpuid2>>());
    }
}
