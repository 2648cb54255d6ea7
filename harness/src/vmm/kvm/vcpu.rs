//! One vCPU, run until its guest is over.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use kvm_ioctls::{VcpuExit, VcpuFd};
use rustix::io::Errno;

use crate::vmm::command::EXIT_PORT;

/// Why a vCPU stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The agent wrote this to the exit port.
    Exit(u8),
    /// It was called out, because another vCPU or the deadline ended the guest.
    Called,
    /// KVM gave up on it.
    Fault(Fault),
}

/// How KVM gives up on a vCPU (Documentation/virt/kvm/api.rst, struct kvm_run).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// KVM_EXIT_SHUTDOWN: a triple fault.
    Shutdown {
        /// Where.
        ip: u64,
    },
    /// KVM_EXIT_INTERNAL_ERROR.
    Internal {
        /// 1 emulation, 2 simultaneous exceptions, 3 event delivery, 4 an exit KVM does not know.
        suberror: u32,
        /// Where.
        ip: u64,
        /// The instruction's bytes, where KVM gives them.
        bytes: Vec<u8>,
    },
    /// KVM_EXIT_FAIL_ENTRY: the processor refuses the guest's state.
    FailEntry {
        /// The processor's reason.
        reason: u64,
    },
    /// The guest touched memory that is not there.
    Mmio {
        /// Guest-physical address.
        address: u64,
        /// Written, not read.
        write: bool,
    },
    /// An exit that no guest of ours has a reason for.
    Other(String),
    /// KVM_RUN itself failed.
    Run(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Shutdown { ip } => write!(f, "KVM_EXIT_SHUTDOWN (triple fault) at {ip:#x}"),
            Fault::Internal {
                suberror,
                ip,
                bytes,
            } => {
                let what = match suberror {
                    1 => "an instruction that KVM cannot emulate",
                    2 => "exceptions at the same time",
                    3 => "an exit while an event was delivered",
                    4 => "an exit that KVM does not know",
                    _ => "unknown",
                };
                write!(
                    f,
                    "KVM_EXIT_INTERNAL_ERROR, suberror {suberror} ({what}) at {ip:#x}"
                )?;
                if !bytes.is_empty() {
                    write!(f, ", bytes")?;
                    bytes.iter().try_for_each(|byte| write!(f, " {byte:02x}"))?;
                }
                Ok(())
            }
            Fault::FailEntry { reason } => {
                write!(
                    f,
                    "KVM_EXIT_FAIL_ENTRY: the processor refused the guest's state, reason {reason:#x}"
                )
            }
            Fault::Mmio { address, write } => {
                let verb = if *write { "wrote to" } else { "read from" };
                write!(f, "the guest {verb} address {address:#x}, where nothing is")
            }
            Fault::Other(exit) => write!(f, "unexpected exit {exit}"),
            Fault::Run(error) => write!(f, "KVM_RUN failed: {error}"),
        }
    }
}

/// Runs `vcpu` until its guest is over or `over` is set and the thread was kicked. Output to other ports than the exit port is
/// swallowed (the debug port), input reads as from an empty bus.
pub fn run(vcpu: &mut VcpuFd, over: &AtomicBool) -> Stop {
    loop {
        let fault = match vcpu.run() {
            Ok(VcpuExit::IoOut(EXIT_PORT, [value, ..])) => return Stop::Exit(*value),
            Ok(VcpuExit::IoOut(..)) => continue,
            Ok(VcpuExit::IoIn(_, data)) => {
                data.fill(0xFF);
                continue;
            }
            Ok(VcpuExit::MmioRead(address, _)) => Fault::Mmio {
                address,
                write: false,
            },
            Ok(VcpuExit::MmioWrite(address, _)) => Fault::Mmio {
                address,
                write: true,
            },
            Ok(VcpuExit::FailEntry(reason, _)) => Fault::FailEntry { reason },
            Ok(VcpuExit::Shutdown) => Fault::Shutdown { ip: ip(vcpu) },
            Ok(VcpuExit::InternalError) => internal(vcpu),
            Ok(other) => Fault::Other(format!("{other:?}")),
            Err(error) if again(error.errno()) && over.load(Ordering::Acquire) => {
                return Stop::Called;
            }
            Err(error) if again(error.errno()) => continue,
            Err(error) => Fault::Run(error.to_string()),
        };
        return Stop::Fault(fault);
    }
}

/// EINTR: called. EAGAIN: an application processor got its INIT or SIPI (x86.c, kvm_arch_vcpu_ioctl_run).
fn again(errno: i32) -> bool {
    [Errno::INTR, Errno::AGAIN]
        .iter()
        .any(|known| known.raw_os_error() == errno)
}

fn ip(vcpu: &VcpuFd) -> u64 {
    vcpu.get_regs().map_or(0, |regs| regs.rip)
}

fn internal(vcpu: &mut VcpuFd) -> Fault {
    let ip = ip(vcpu);
    // SAFETY: after KVM_EXIT_INTERNAL_ERROR the union holds `internal`, of which `emulation_failure` is a view.
    let (error, emulation) = unsafe {
        let union = &vcpu.get_kvm_run().__bindgen_anon_1;
        (union.internal, union.emulation_failure)
    };
    // KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES, a bit of the first of the values behind `ndata`.
    let has_bytes = error.suberror == 1 && error.ndata > 1 && emulation.flags & 1 != 0;
    // SAFETY: the flag says that KVM filled in these fields.
    let bytes = unsafe { emulation.__bindgen_anon_1.__bindgen_anon_1 };
    let length = usize::from(bytes.insn_size).min(bytes.insn_bytes.len());
    Fault::Internal {
        suberror: error.suberror,
        ip,
        bytes: if has_bytes {
            bytes.insn_bytes[..length].to_vec()
        } else {
            Vec::new()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_say_what_happened() {
        let emulation = Fault::Internal {
            suberror: 1,
            ip: 0xF1B2B,
            bytes: vec![0x0F, 0x57],
        };
        assert_eq!(
            emulation.to_string(),
            "KVM_EXIT_INTERNAL_ERROR, suberror 1 (an instruction that KVM cannot emulate) at 0xf1b2b, bytes 0f 57"
        );
        let shutdown = Fault::Shutdown { ip: 0xF0000 };
        assert_eq!(
            shutdown.to_string(),
            "KVM_EXIT_SHUTDOWN (triple fault) at 0xf0000"
        );
        let entry = Fault::FailEntry {
            reason: 0x8000_0021,
        };
        assert_eq!(
            entry.to_string(),
            "KVM_EXIT_FAIL_ENTRY: the processor refused the guest's state, reason 0x80000021"
        );
        let mmio = Fault::Mmio {
            address: 0xFED0_0000,
            write: true,
        };
        assert_eq!(
            mmio.to_string(),
            "the guest wrote to address 0xfed00000, where nothing is"
        );
    }
}
