//! /init of the Linux guest: what the guest's kernel made of CPUID, in the shared wire format.
//!
//! It collects and never judges: whole files of /proc and /sys, CPUID of each CPU from user space, feature MSRs through the msr
//! driver, the kernel's log, and what instructions do in user space. All goes as frames into guest RAM that the host keeps from
//! the kernel and tells by two words of the command line (`memmap=SIZE$ADDRESS fidelity.area=ADDRESS,SIZE`), mapped from
//! /dev/mem, so that a guest that dies has delivered what was said until then. Then it powers off. (Cloud kernels have no
//! /dev/port, hence no isa-debug-exit: measured.)

mod area;
mod behaviour;
mod cpus;
mod files;
mod pages;
mod stream;
mod traps;

use std::fs;

use rustix::mount::{MountFlags, mount};
use rustix::system::{RebootCommand, reboot};

use area::Area;

fn main() {
    match report() {
        Ok(()) => {
            let _ = reboot(RebootCommand::PowerOff);
        }
        // The console; the kernel then panics, for its init is gone, and the host reads both.
        Err(reason) => eprintln!("init: {reason}"),
    }
}

/// Reports everything.
fn report() -> Result<(), String> {
    // Exactly what is needed of a root: no shell, no udev.
    let none = None::<&std::ffi::CStr>;
    for (kind, place) in [("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev")] {
        mount(kind, place, kind, MountFlags::empty(), none)
            .map_err(|error| format!("failed to mount {place}: {error}"))?;
    }
    let line = fs::read_to_string("/proc/cmdline").map_err(|error| error.to_string())?;
    let mut area = Area::open(&area::Asked::read(&line)?)?;
    cpus::report(&mut area, &behaviour::asked(&line))
}
