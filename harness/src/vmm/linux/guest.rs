//! A Linux guest: booted, and its report brought back however it ended.

use std::ffi::OsString;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::{Path, PathBuf};

use fidelity_protocol::config::Config;
use fidelity_protocol::frame::Phase;
use rustix::fs::{MemfdFlags, memfd_create};
use serde::{Deserialize, Serialize};

use crate::case::guest::Case;
use crate::cpuid::probes::ProbeSet;
use crate::cpuid::user_probes::in_user_space;
use crate::util::cancel::Cancel;
use crate::util::process::Process;
use crate::vmm::command::accelerator;
use crate::vmm::console::last_lines;
use crate::vmm::guest::{Boot, Options, readable};
use crate::vmm::memory::GuestMemory;
use crate::vmm::start::StartError;

/// Where the report goes: above the kernel, which a PVH start puts at 16 MiB, and below the initramfs at the top of RAM.
const AREA: u32 = 128 << 20;
/// Bytes of report: what is about the whole machine, and a share a CPU.
const AREA_MACHINE: u32 = 1 << 20;
const AREA_CPU: u32 = 32 << 10;
/// MiB of RAM beside the report, and a share a CPU.
const RAM: u64 = 256;
const RAM_CPU: u64 = 4;

/// Parameters that every guest's kernel gets. Whatever goes wrong shall end the machine: a panic and an oops are reboots, and a
/// reboot is the end.
///
/// `quiet`, because each line on a serial port costs a millisecond and the log is read at the end anyway. `no_timer_check` and
/// `nowatchdog`, because on a busy host the kernel takes TCG's timer for a dead one and then hangs for ever (measured). The rest
/// leaves out what costs a third of the boot under TCG and has no say in what is reported (measured, 1.8 s → 1.2 s): self-tests
/// and jitter entropy of the crypto API, the built-in certificates, long grace periods.
const PARAMETERS: [&str; 11] = [
    "console=ttyS0",
    "quiet",
    "panic=-1",
    "oops=panic",
    "rdinit=/init",
    "no_timer_check",
    "nowatchdog",
    "cryptomgr.notests",
    "random.trust_cpu=on",
    "rcupdate.rcu_expedited=1",
    "initcall_blacklist=jent_mod_init,load_system_certificate_list",
];

/// What a guest boots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinuxFiles {
    /// The kernel: an ELF file, or a bzImage.
    pub image: PathBuf,
    /// The initramfs.
    pub initramfs: PathBuf,
}

/// Where the parts of the guest are.
#[derive(Clone, Copy, Debug)]
struct Wiring<'a> {
    image: &'a Path,
    initramfs: &'a Path,
    line: &'a str,
    megabytes: u64,
    /// File that backs guest RAM; `None` leaves RAM to QEMU.
    memory: Option<&'a str>,
    /// File that takes what comes out of the serial port; `None` for standard output.
    console: Option<&'a str>,
}

/// How many times what a guest may take a Linux guest may: it executes a hundred times as much as the agent.
const TIMEOUT_FACTOR: u32 = 3;

/// Boots the Linux guest of `case` and waits for its end.
///
/// # Errors
/// QEMU cannot be started, or the kernel refuses the guest's RAM. All that happens later is reported in [`Boot`].
pub fn boot_linux(
    case: &Case,
    files: &LinuxFiles,
    options: &Options,
    cancel: &Cancel,
) -> Result<Boot, StartError> {
    run(case, files, options, cancel)
        .map_err(|error| StartError::new(case.qemu.path.display(), error))
}

fn run(
    case: &Case,
    files: &LinuxFiles,
    options: &Options,
    cancel: &Cancel,
) -> std::io::Result<Boot> {
    let vcpus = case.smp.vcpus();
    let config = area(vcpus);
    let megabytes = RAM + RAM_CPU * u64::from(vcpus);
    let memory = GuestMemory::sized(config, megabytes)?;
    let console = memfd_create("console", MemfdFlags::CLOEXEC)?;
    let line = command_line(case, &config, &probes(case, options));
    let wiring = Wiring {
        image: &files.image,
        initramfs: &files.initramfs,
        line: &line,
        megabytes,
        memory: Some(&memory.path()),
        console: Some(&format!("/proc/self/fd/{}", console.as_raw_fd())),
    };
    let inherit = [memory.as_fd(), console.as_fd()];
    let process = Process::start(&command(case, &wiring), &inherit, options.timeout, cancel)?;
    let finished = process.finish();
    // The files are gone when the line is read.
    let paste = Wiring {
        memory: None,
        console: None,
        ..wiring
    };
    Ok(Boot {
        command: readable(&command(case, &paste)),
        ending: finished.ending,
        stderr: finished.stderr,
        elapsed: finished.elapsed,
        view: None,
        console: Some(last_lines(&console)),
        slots: memory.slots(),
    })
}

/// How long a Linux guest may take.
pub fn boot_timeout(options: &Options) -> std::time::Duration {
    options.timeout * TIMEOUT_FACTOR
}

/// One slot, for the streams of all CPUs.
fn area(vcpus: u32) -> Config {
    Config {
        slot_base: AREA,
        slot_size: AREA_MACHINE + AREA_CPU * vcpus,
        slots: 1,
        ..Config::default()
    }
}

/// The probes that /init tries: of those that were asked for what needs no privilege.
fn probes(case: &Case, options: &Options) -> ProbeSet {
    let skipped = case.skipped_phases.contains(&Phase::Behaviour);
    if skipped || !options.phases.contains(&Phase::Behaviour) {
        return ProbeSet::NONE;
    }
    in_user_space(options.probes)
}

/// The kernel's command line: our parameters, then the case's, which may override them.
fn command_line(case: &Case, config: &Config, probes: &ProbeSet) -> String {
    let Config {
        slot_base,
        slot_size,
        ..
    } = config;
    let mut line = format!(
        "{} memmap={slot_size:#x}${slot_base:#x} fidelity.area={slot_base:x},{slot_size:x}",
        PARAMETERS.join(" ")
    );
    if !probes.is_empty() {
        line.push_str(&format!(" fidelity.probes={}", probes.digits()));
    }
    for parameter in case.linux.iter().flat_map(|guest| &guest.parameters) {
        line.push(' ');
        line.push_str(parameter);
    }
    line
}

fn command(case: &Case, wiring: &Wiring<'_>) -> Vec<OsString> {
    let mut line: Vec<OsString> = vec![case.qemu.path.clone().into()];
    let mut add = |arguments: &[&str]| line.extend(arguments.iter().map(OsString::from));
    add(&[
        "-nodefaults",
        "-no-user-config",
        "-display",
        "none",
        "-no-reboot",
    ]);
    let size = wiring.megabytes;
    match wiring.memory {
        Some(path) => {
            let machine = format!("{},memory-backend=ram", case.machine);
            let backend =
                format!("memory-backend-file,id=ram,share=on,mem-path={path},size={size}M");
            add(&["-machine", &machine, "-object", &backend]);
        }
        None => add(&["-machine", &case.machine]),
    }
    add(&["-m", &format!("{size}M"), "-accel", accelerator(case)]);
    add(&["-cpu", &case.cpu_argument()]);
    if case.smp.as_str() != "1" {
        add(&["-smp", case.smp.as_str()]);
    }
    match wiring.console {
        Some(path) => {
            let device = format!("file,id=console,path={path}");
            add(&["-chardev", &device, "-serial", "chardev:console"]);
        }
        None => add(&["-serial", "stdio"]),
    }
    let mut file = |name: &str, path: &Path| {
        line.push(name.into());
        line.push(path.into());
    };
    file("-kernel", wiring.image);
    file("-initrd", wiring.initramfs);
    line.push("-append".into());
    line.push(wiring.line.into());
    line
}
