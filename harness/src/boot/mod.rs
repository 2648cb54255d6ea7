//! Starting guests: the only stage that starts processes.
//!
//! [`command`] builds a QEMU command line, a pure function. [`process`] runs one with a deadline and leaves nothing
//! behind. [`memory`] is the guest's RAM, shared with the host, in which the agent leaves its dump. [`monitor`] speaks QMP,
//! [`qmp`] asks a QEMU about itself, [`view`] asks one about the CPU of the guest it is about to run. [`guest`] puts them
//! together: boot one guest, bring back its streams. [`migrate`] takes one from a QEMU to another, [`vmm`] runs one without QEMU. [`linux`] is what a Linux kernel is
//! booted with.
//! [`tool`] runs what a bisect needs, git and builds.
//! [`libvirt`] has libvirt start a guest.

pub mod cancel;
pub mod command;
mod console;
pub mod guest;
pub mod lab;
pub mod launch;
pub mod libvirt;
pub mod linux;
pub mod memory;
pub mod migrate;
pub mod monitor;
pub mod process;
pub mod qmp;
pub mod site;
pub mod tool;
pub mod view;
pub mod vmm;

pub use cancel::Cancel;
pub use guest::{Boot, Options, boot};
pub use process::{Ending, Finished};
pub use site::{Here, Site};
pub use view::RawView;
pub use vmm::{Direct, boot_direct};

/// The agent: a 64 KiB ROM for `-bios`, built by harness/build.rs from guest-image/firmware.
pub static AGENT_ROM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/agent.rom"));
/// /init of Linux guests: a static program, built by harness/build.rs from guest-image/linux.
pub static LINUX_INIT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/linux-init"));
/// A ROM that exits at once: QEMU's own life, the floor that a case's time is measured against.
pub static FLOOR_ROM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/floor.rom"));
