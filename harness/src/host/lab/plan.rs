//! What a lab is to be.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::emulated::EmulatedHost;
use super::error::LabError;
use crate::vmm::linux::kernel::Kernel;

/// What a lab is to be.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The machine.
    pub host: Arc<dyn EmulatedHost>,
    /// The kernel under test.
    pub kernel: Kernel,
    /// Further parameters of its command line; those of modules as `kvm_amd.nested=0`.
    pub parameters: Vec<String>,
    /// The initramfs.
    pub initramfs: PathBuf,
    /// MiB of RAM; `None` for as much as it needs.
    pub megabytes: Option<u64>,
    /// MiB of RAM that guests of its own have which need more than the agent.
    pub guests: u64,
    /// How long L1 may take to come up.
    pub timeout: Duration,
}

/// Parameters that the lab itself gives the kernel. Whatever goes wrong shall end the machine: a panic and an oops are reboots.
///
/// From `no_timer_check` on as Linux guests get them (`vmm/linux/guest.rs`): a busy host is no dead timer, and what takes a sixth of the
/// boot and has no say in what KVM offers is left out (measured, 3.5 s → 3.0 s of processor time).
const OWN_PARAMETERS: &str = "console=ttyS0 loglevel=4 panic=-1 oops=panic rdinit=/init nokaslr no_timer_check nowatchdog \
     cryptomgr.notests random.trust_cpu=on rcupdate.rcu_expedited=1 initcall_blacklist=jent_mod_init";

/// MiB that a kernel and its guests need beside the initramfs.
const BESIDE: u64 = 384;

impl Plan {
    /// The kernel's whole command line.
    pub fn command_line(&self) -> String {
        let own = OWN_PARAMETERS.split(' ').map(str::to_owned);
        let host = self.host.parameters().split_whitespace().map(str::to_owned);
        let all: Vec<String> = own
            .chain(host)
            .chain(self.parameters.iter().cloned())
            .collect();
        all.join(" ")
    }

    /// MiB of RAM: the archive lies there twice while it is unpacked, and a tmpfs takes up to half of all RAM.
    ///
    /// # Errors
    /// The initramfs cannot be read, or the RAM asked for is too little for it.
    pub fn megabytes(&self) -> Result<u64, LabError> {
        let size = std::fs::metadata(&self.initramfs)
            .map_err(|error| LabError::Initramfs {
                path: self.initramfs.clone(),
                source: error.into(),
            })?
            .len();
        let archive = (size >> 20) + 1;
        let needed = (archive * 2 + BESIDE).max(archive * 3) + self.guests;
        match self.megabytes {
            Some(asked) if asked < needed => Err(LabError::Memory {
                asked,
                archive,
                needed,
            }),
            Some(asked) => Ok(asked),
            None => Ok(needed),
        }
    }
}
