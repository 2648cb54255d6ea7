//! One guest: booted with the agent, and its streams brought back however it ended.

use std::ffi::OsString;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::time::Duration;

use fidelity_protocol::config::{self, Config, EXIT_FAULT, EXIT_OK};
use fidelity_protocol::frame::Phase;
use fidelity_protocol::slot;
use serde::{Deserialize, Serialize};

use super::command::{Wiring, command};
use super::memory::{GuestMemory, Slot};
use super::monitor::{Gone, Monitor, command as command_named};
use super::start::StartError;
use super::view::{RawView, expansions};
use crate::case::Accelerator;
use crate::case::guest::Case;
use crate::cpuid::probes::{PROBES, ProbeSet};
use crate::util::cancel::Cancel;
use crate::util::process::{Ending, Process};
use crate::vmm::kvm::access::{emulates_ring_0, host_supports_xsave};

/// What is asked of the agent, and how long it may take.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Options {
    /// From the start of QEMU to its end.
    pub timeout: Duration,
    /// Phases to run.
    pub phases: Vec<Phase>,
    /// MSR index ranges for phase `sweep`, first and last inclusive.
    pub sweep: Vec<(u32, u32)>,
    /// Ask QEMU over QMP, before the guest runs, what it thinks of the CPU.
    pub view: bool,
    /// With `view`: have QEMU expand the model too.
    pub expand: bool,
    /// Probe CPUID.1FH past its end too; aborts QEMU 10.0 and 11.1 under TCG.
    pub probe_1f: bool,
    /// What phase `behaviour` tries.
    pub probes: ProbeSet,
    /// Leave out what the host's KVM cannot run, where nobody asked for it by name.
    pub probes_by_host: bool,
}

impl Default for Options {
    fn default() -> Self {
        let all = Phase::ALL.into_iter();
        Options {
            timeout: Duration::from_secs(20),
            phases: all.filter(|phase| *phase != Phase::Sweep).collect(),
            sweep: Vec::new(),
            view: false,
            expand: false,
            probe_1f: false,
            probes: ProbeSet::all(),
            probes_by_host: true,
        }
    }
}

/// A guest that is gone.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Boot {
    /// The command line to paste: the one that ran, but with RAM of its own, where the agent sends its dump to the debug port.
    pub command: Vec<String>,
    /// How QEMU ended.
    pub ending: Ending,
    /// What QEMU said.
    pub stderr: String,
    /// QEMU's whole life.
    pub elapsed: Duration,
    /// What QEMU said of the first vCPU, if it was asked and answered.
    pub view: Option<RawView>,
    /// Last lines of the console of a Linux guest; `None` where no operating system ran.
    #[serde(default)]
    pub console: Option<String>,
    /// What each vCPU left behind, the boot processor first; a Linux guest leaves one slot for all.
    pub slots: Vec<Slot>,
}

impl Boot {
    /// Whether the agent ended the guest as it does when all is done.
    pub fn completed(&self) -> bool {
        match self.console {
            // A panic reboots, and QEMU ends with the same status.
            Some(_) => self.ending == Ending::Exited(0) && self.reported(),
            None => self.ending == Ending::Exited(exit_status(EXIT_OK)),
        }
    }

    /// Whether /init of a Linux guest said that nothing more follows.
    pub fn reported(&self) -> bool {
        let slot = self.slots.first();
        slot.is_some_and(|slot| slot.header.state == slot::DONE)
    }

    /// Whether the agent ended the guest because of an exception it did not expect.
    pub fn faulted(&self) -> bool {
        self.ending == Ending::Exited(exit_status(EXIT_FAULT))
    }

    /// What a guest that did not complete was last seen doing: `CPUID 0000001fH.06H`.
    pub fn last_operation(&self) -> Option<String> {
        let unfinished = self
            .slots
            .iter()
            .find(|slot| slot.header.state == slot::RUNNING)?;
        let slot::Header {
            op,
            operand,
            operand2,
            ..
        } = unfinished.header;
        match op {
            slot::OP_CPUID => Some(format!("CPUID {operand:#x} with ECX {operand2:#x}")),
            slot::OP_RDMSR => Some(format!("RDMSR {operand:#x}")),
            slot::OP_WRMSR => Some(format!("WRMSR {operand:#x}")),
            slot::OP_CONTROL => {
                let control = fidelity_protocol::entry::Control::from_id(operand)?;
                Some(format!("setting {}", control.name().to_uppercase()))
            }
            slot::OP_PROBE => {
                let probe = usize::try_from(operand)
                    .ok()
                    .and_then(|row| PROBES.get(row))?;
                Some(format!("probe {}", probe.name))
            }
            slot::OP_WAIT_APS => Some("waiting for application processors".to_owned()),
            slot::OP_WAIT_HOST => Some("waiting for the host".to_owned()),
            _ => None,
        }
    }
}

/// isa-debug-exit ends QEMU with `(value << 1) | 1` (hw/misc/debugexit.c).
pub fn exit_status(value: u8) -> i32 {
    i32::from(value) << 1 | 1
}

/// Boots the guest of `case` with the ROM at `rom` and waits for its end.
///
/// # Errors
/// QEMU cannot be started, or the kernel refuses the guest's RAM. All that happens later is reported in [`Boot`].
pub fn boot(
    case: &Case,
    rom: &Path,
    options: &Options,
    cancel: &Cancel,
) -> Result<Boot, StartError> {
    run(case, rom, options, cancel)
        .map_err(|error| StartError::new(case.qemu.path.display(), error))
}

fn run(case: &Case, rom: &Path, options: &Options, cancel: &Cancel) -> std::io::Result<Boot> {
    let memory = GuestMemory::new(mailbox(case, options))?;
    let path = memory.path();
    let wiring = Wiring {
        rom,
        megabytes: memory.megabytes(),
        memory: Some(&path),
        extra: &[],
    };
    let line = command(case, &wiring);
    let mut view = None;
    // The RAM file is gone when the line is read; with RAM of its own the guest sees the same CPU.
    let paste = Wiring {
        memory: None,
        ..wiring
    };
    let finished = if options.view {
        let mut waiting = line.clone();
        waiting.push("-S".into());
        let mut monitor = Monitor::start(waiting, &[memory.as_fd()], options.timeout, cancel)?;
        // Of what `max` is nobody but QEMU can say.
        let expand = options.expand || case.model() == "max";
        view = asked(&mut monitor, expand.then_some(case.cpu.as_str())).ok();
        monitor.finish()
    } else {
        Process::start(&line, &[memory.as_fd()], options.timeout, cancel)?.finish()
    };
    Ok(Boot {
        command: readable(&command(case, &paste)),
        ending: finished.ending,
        stderr: finished.stderr,
        elapsed: finished.elapsed,
        view,
        console: None,
        slots: memory.slots(),
    })
}

/// Asks, then lets the guest run. A QEMU that is gone says so by how it ended.
fn asked(monitor: &mut Monitor, expand: Option<&str>) -> Result<RawView, Gone> {
    monitor.greet()?;
    let mut view = RawView::ask(monitor)?;
    if let Some(cpu) = expand {
        view.expansions = Some(expansions(monitor, cpu)?);
    }
    // The guest may be through before the answer to `cont` is.
    let _ = monitor.execute(&command_named("cont"));
    Ok(view)
}

pub(super) fn readable(line: &[OsString]) -> Vec<String> {
    line.iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect()
}

fn flags(case: &Case, options: &Options) -> u32 {
    let probe = if options.probe_1f {
        config::FLAG_PROBE_1F
    } else {
        0
    };
    let without_xsave = case.accelerator() == Accelerator::Kvm && !host_supports_xsave();
    let no_xcr0 = if without_xsave {
        config::FLAG_NO_XCR0
    } else {
        0
    };
    let uses_kvm = case.accelerator() == Accelerator::Kvm;
    let hidden = if uses_kvm { config::FLAG_HIDDEN_CR4 } else { 0 };
    let each = if uses_kvm || !options.probes_by_host {
        config::FLAG_EACH_PROBE
    } else {
        0
    };
    probe | no_xcr0 | hidden | each
}

/// Whether phase `behaviour` makes sense: what an operating system enables must be on.
fn tries_anything(case: &Case, options: &Options) -> bool {
    !options.probes.is_empty() && !case.skipped_phases.contains(&Phase::Enabled)
}

/// What is tried of what was asked for: under TCG nothing that it hangs on.
fn probes(case: &Case, options: &Options) -> ProbeSet {
    match case.accelerator() {
        Accelerator::Kvm if options.probes_by_host && emulates_ring_0() => {
            options.probes.under_emulation()
        }
        Accelerator::Kvm => options.probes,
        Accelerator::Tcg => options.probes.under_tcg(),
    }
}

pub(super) fn mailbox(case: &Case, options: &Options) -> Config {
    let vcpus = case.smp.vcpus();
    let phases = options
        .phases
        .iter()
        .filter(|phase| !case.skipped_phases.contains(phase))
        .filter(|phase| **phase != Phase::Behaviour || tries_anything(case, options));
    let mut ranges = [(0, 0); config::MAX_RANGES];
    for (slot, range) in ranges.iter_mut().zip(&options.sweep) {
        *slot = *range;
    }
    Config {
        flags: flags(case, options),
        phases: phases.fold(0, |bits, phase| bits | phase.bit()),
        vcpus,
        slots: vcpus,
        range_count: u32::try_from(options.sweep.len().min(config::MAX_RANGES)).unwrap_or(0),
        ranges,
        probes: probes(case, options).0,
        ..Config::default()
    }
}
