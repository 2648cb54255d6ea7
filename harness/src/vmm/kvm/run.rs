//! A guest on our own VMM, from the first ioctl to the last.

use std::os::fd::AsFd as _;
use std::os::unix::thread::JoinHandleExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Instant;

use kvm_ioctls::VcpuFd;
use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::machine::{Machine, ROM_BASE};
use super::mapping::Mapping;
use super::signal;
use super::vcpu;
use super::vcpu::Stop;
use crate::case::guest::Case;
use crate::case::guest::SUPPORTED;
use crate::util::cancel::Cancel;
use crate::util::deadline::Deadline;
use crate::util::process::Ending;
use crate::vmm::AGENT_ROM;
use crate::vmm::guest::{Boot, Options, exit_status, mailbox};
use crate::vmm::kvm::access::KvmError;
use crate::vmm::kvm::table::CpuidTable;
use crate::vmm::memory::GuestMemory;

/// A guest that is gone, and the CPUID tables that KVM was given for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Direct {
    /// In the form of every lane; `stderr` has KVM's error where KVM gave up on the guest.
    pub boot: Boot,
    /// What KVM_SET_CPUID2 was given, by vCPU.
    pub given: Vec<CpuidTable>,
    /// What KVM_GET_CPUID2 answered before the guest ran, by vCPU.
    pub kept: Vec<CpuidTable>,
}

/// Runs the agent on vCPUs with `table`, and waits for the end. `case` gives the number of vCPUs and the name; no QEMU is
/// started.
///
/// # Errors
/// KVM cannot be used or refuses the VM. All that happens later is reported in [`Direct`].
pub fn boot_direct(
    case: &Case,
    table: &CpuidTable,
    options: &Options,
    cancel: &Cancel,
) -> Result<Direct, KvmError> {
    let (started, deadline) = (Instant::now(), Deadline::after(options.timeout));
    let system = |error: std::io::Error| KvmError::Resources(error.into());
    let kvm = crate::vmm::kvm::open()?;
    let memory = GuestMemory::new(mailbox(case, options)).map_err(system)?;
    let size = usize::try_from(memory.megabytes() << 20).unwrap_or(usize::MAX);
    let ram = Mapping::new(memory.as_fd(), size).map_err(system)?;
    rustix::io::pwrite(memory.as_fd(), AGENT_ROM, ROM_BASE)
        .map_err(|error| system(error.into()))?;
    let mut machine = Machine::new(&kvm, table, case.smp.vcpus(), &ram)?;
    let crew = Crew::start(std::mem::take(&mut machine.vcpus)).map_err(system)?;
    let (ending, error) = crew.finish(deadline, cancel);
    let (given, kept) = (machine.given.clone(), machine.kept.clone());
    let slots = memory.slots();
    // Taking a VM apart waits for RCU grace periods (kvm_main.c, kvm_destroy_vm), longer than the guest ran; nobody need wait
    // for that here. The VM goes before the memory that it uses.
    std::thread::spawn(move || {
        drop(machine);
        drop(ram);
    });
    let boot = Boot {
        view: None,
        console: None,
        command: command(case),
        ending,
        stderr: error,
        elapsed: started.elapsed(),
        slots,
    };
    Ok(Direct { boot, given, kept })
}

/// What runs this guest again.
fn command(case: &Case) -> Vec<String> {
    // Without a QEMU there is no model: the table is KVM's own, or comes from the file that is named in its place.
    let file = case.qemu.path.as_os_str().is_empty() && case.cpu != SUPPORTED;
    let source = if file { "--table" } else { "--cpu" };
    let arguments = [
        "cpuid-fidelity",
        "dump",
        "--lane",
        "kvm-direct",
        source,
        &case.cpu,
    ];
    arguments
        .map(str::to_owned)
        .into_iter()
        .chain(["--smp".to_owned(), case.smp.as_str().to_owned()])
        .collect()
}

/// The threads of a guest's vCPUs.
struct Crew {
    threads: Vec<JoinHandle<()>>,
    over: Arc<AtomicBool>,
    woken: Cancel,
    stops: Receiver<(usize, Stop)>,
}

impl Crew {
    fn start(vcpus: Vec<VcpuFd>) -> std::io::Result<Crew> {
        let (sender, stops) = channel();
        let mut crew = Crew {
            threads: Vec::new(),
            over: Arc::default(),
            woken: Cancel::new()?,
            stops,
        };
        for (index, vcpu) in vcpus.into_iter().enumerate() {
            match crew.thread(index, vcpu, sender.clone()) {
                Ok(thread) => crew.threads.push(thread),
                Err(error) => {
                    crew.call();
                    return Err(error);
                }
            }
        }
        Ok(crew)
    }

    fn thread(
        &self,
        index: usize,
        mut vcpu: VcpuFd,
        sender: Sender<(usize, Stop)>,
    ) -> std::io::Result<JoinHandle<()>> {
        let (over, woken) = (Arc::clone(&self.over), self.woken.clone());
        let (ready, is_ready) = channel::<()>();
        let work = move || {
            let listening = signal::listen(&vcpu);
            drop(ready);
            let stop = match listening {
                Ok(()) => vcpu::run(&mut vcpu, &over),
                Err(error) => Stop::Fault(vcpu::Fault::Run(format!(
                    "failed to set the signal mask: {error}"
                ))),
            };
            // Gone before the thread is joined: the last descriptor of a VM ends it.
            drop(vcpu);
            if stop != Stop::Called {
                let _ = sender.send((index, stop));
                woken.throw();
            }
        };
        let thread = std::thread::Builder::new()
            .name(format!("vcpu {index}"))
            .spawn(work)?;
        // Until then a kick would end the whole process. The channel closes, and nothing ever comes through it.
        let _ = is_ready.recv();
        Ok(thread)
    }

    /// Waits for the first vCPU that stops by itself, the deadline or the switch, then ends the others.
    fn finish(mut self, deadline: Deadline, cancel: &Cancel) -> (Ending, String) {
        let waited = self.wait(deadline, cancel);
        self.call();
        match (self.stops.try_recv(), waited) {
            (Ok((_, Stop::Exit(value))), _) => (Ending::Exited(exit_status(value)), String::new()),
            (Ok((index, Stop::Fault(fault))), _) => {
                (Ending::Stopped, format!("vCPU {index}: {fault}"))
            }
            (_, Some(ending)) => (ending, String::new()),
            (_, None) => (Ending::Stopped, "the vCPUs ended without a word".to_owned()),
        }
    }

    /// `None` when a vCPU has stopped.
    fn wait(&self, mut deadline: Deadline, cancel: &Cancel) -> Option<Ending> {
        loop {
            if deadline.is_over() {
                return Some(Ending::TimedOut);
            }
            let mut fds = [
                PollFd::new(&self.woken, PollFlags::IN),
                PollFd::new(cancel, PollFlags::IN),
            ];
            let polled = deadline.poll(&mut fds);
            let [stopped, cancelled] = fds.map(|fd| !fd.revents().is_empty());
            match polled {
                Err(Errno::INTR) => {}
                Ok(()) if stopped => return None,
                Ok(()) if !cancelled => {}
                _ => return Some(Ending::Cancelled),
            }
        }
    }

    /// Calls all vCPUs out of the guest and waits for their threads.
    fn call(&mut self) {
        self.over.store(true, Ordering::Release);
        for thread in &self.threads {
            signal::kick(thread.as_pthread_t());
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.call();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fidelity_protocol::slot::DONE;

    use super::*;
    use crate::case::{Lane, Qemu};
    use crate::require::{Capability, require};

    /// A guest with KVM's own table, cancelled beforehand at will; skipped on a host without KVM.
    fn ran(smp: &str, timeout: Duration, cancelled: bool) -> Option<Direct> {
        require(Capability::Kvm)?;
        let kvm = crate::vmm::kvm::open().expect("KVM");
        let table = crate::vmm::kvm::access::supported(&kvm).expect("KVM's own table");
        let case = Case {
            smp: smp.parse().expect("a topology"),
            ..Case::new(&Qemu::none().into(), Lane::KVM_DIRECT, "-", "supported")
        };
        let cancel = Cancel::new().expect("an eventfd");
        if cancelled {
            cancel.throw();
        }
        let options = Options {
            timeout,
            ..Options::default()
        };
        Some(boot_direct(&case, &table, &options, &cancel).expect("a guest"))
    }

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn every_vcpu_reports() {
        let direct = or_skip!(ran("3", LONG, false));
        assert!(direct.boot.completed(), "{:?}", direct.boot);
        let headers = direct.boot.slots.iter().map(|slot| slot.header);
        let mut ids: Vec<u32> = headers
            .filter(|header| header.state == DONE)
            .map(|header| header.vcpu)
            .collect();
        ids.sort_unstable();
        assert_eq!(ids, [0, 1, 2]);
        assert_eq!(direct.given.len(), 3);
    }

    #[test]
    fn the_deadline_calls_every_vcpu_out_of_the_guest() {
        let direct = or_skip!(ran("2", Duration::from_millis(1), false));
        assert_eq!(direct.boot.ending, Ending::TimedOut);
        assert!(
            direct.boot.elapsed < Duration::from_secs(10),
            "{:?}",
            direct.boot.elapsed
        );
    }

    #[test]
    fn a_cancelled_guest_ends_at_once() {
        let direct = or_skip!(ran("1", LONG, true));
        assert_eq!(direct.boot.ending, Ending::Cancelled);
    }
}
