//! How a vCPU is called out of the guest: a signal that its thread blocks and KVM_RUN does not.
//!
//! The signal makes KVM_RUN return EINTR, also when it was sent before KVM_RUN began, and stays pending: no handler, no race
//! and nothing process-wide. pthread_kill is libc's, to which std links anyhow.

use std::os::unix::thread::RawPthread;

use kvm_ioctls::VcpuFd;
use nix::sys::signal::Signal;

use crate::util::signals::block;
use crate::vmm::kvm::raw::set_signal_mask;

/// Not used for anything else here; only threads that block it ever get it.
const KICK: Signal = Signal::SIGUSR1;
unsafe extern "C" {
    fn pthread_kill(thread: RawPthread, signal: i32) -> i32;
}

/// Prepares this thread to run `vcpu`.
///
/// # Errors
/// KVM or the kernel refuses.
pub(super) fn listen(vcpu: &VcpuFd) -> std::io::Result<()> {
    block(KICK)?;
    Ok(set_signal_mask(vcpu, KICK as i32)?)
}

/// Calls the vCPU of `thread` out of the guest. The thread must have been through [`listen`], and not be joined yet.
pub(super) fn kick(thread: RawPthread) {
    // SAFETY: a thread that is not joined has a valid handle, even if it has ended; the signal is blocked there.
    let _ = unsafe { pthread_kill(thread, KICK as i32) };
}
