//! The host layer: everything below KVM that decides what a guest can be given.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::cpuinfo::{Cpuinfo, cpuinfo};
use super::cpus::{HostCpu, every_cpu};
use super::found::{Found, text};
use super::kernel::{Kernel, kernel};
use crate::cpuid::answers::execute;

/// What the hardware and the host's kernel say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostLayer {
    /// Release, command line, module parameters.
    pub kernel: Kernel,
    /// What the kernel made of the processors.
    pub cpuinfo: Found<Cpuinfo>,
    /// Microcode revision of processor 0, as sysfs prints it; a guest has none.
    pub microcode: Found<String>,
    /// The twelve letters of CPUID.40000000H where this host is itself a guest.
    pub hypervisor: Found<String>,
    /// Every processor: the first whole, others where they differ.
    pub cpus: Vec<HostCpu>,
}

impl HostLayer {
    /// Looks at this host. Reads files and executes CPUID; starts nothing, changes nothing.
    pub fn of_this_host() -> HostLayer {
        HostLayer {
            kernel: kernel(),
            cpuinfo: cpuinfo(),
            microcode: text(Path::new("/sys/devices/system/cpu/cpu0/microcode/version")),
            hypervisor: hypervisor(execute),
            cpus: every_cpu(),
        }
    }
}

/// CPUID.01H:ECX[31] announces the range (Intel and AMD reserve it for hypervisors).
fn hypervisor(read: impl Fn(u32, u32) -> [u32; 4]) -> Found<String> {
    if read(1, 0)[2] >> 31 == 0 {
        return Found::Absent;
    }
    let [_, ebx, ecx, edx] = read(0x4000_0000, 0);
    let letters = [ebx, ecx, edx].map(u32::to_le_bytes).concat();
    let letters = letters.strip_suffix(&[0, 0, 0]).unwrap_or(&letters);
    Found::Value(letters.escape_ascii().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_read_only_where_it_is_announced() {
        let word = |text: &[u8; 4]| u32::from_le_bytes(*text);
        let kvm = [0, word(b"KVMK"), word(b"VMKV"), word(b"M\0\0\0")];
        let guest = |leaf, _| if leaf == 1 { [0, 0, 1 << 31, 0] } else { kvm };
        assert_eq!(hypervisor(guest), Found::Value("KVMKVMKVM".to_owned()));
        let bare = |leaf, _| if leaf == 1 { [0; 4] } else { kvm };
        assert_eq!(hypervisor(bare), Found::Absent);
    }

    #[test]
    fn the_layer_reads_back_as_written() {
        let layer = HostLayer::of_this_host();
        let text = serde_json::to_string(&layer).expect("a text");
        assert_eq!(
            serde_json::from_str::<HostLayer>(&text).expect("a layer"),
            layer
        );
    }
}
