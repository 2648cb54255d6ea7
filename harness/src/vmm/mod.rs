//! Guests: how one is started, asked, migrated and ended. Mechanism only.

pub mod bochs;
pub mod command;
pub mod console;
pub mod failure;
pub mod firmware;
pub mod guest;
pub mod kvm;
pub mod libvirt;
pub mod linux;
pub mod memory;
pub mod messages;
pub mod migrate;
pub mod monitor;
pub mod qmp;
pub mod start;
pub mod view;

pub use failure::{BootFailure, BootFailureKind};
pub use guest::{Boot, Options, boot};
pub use start::StartError;
pub use view::RawView;

/// The agent: a 64 KiB ROM for `-bios`, built by harness/build.rs from guest-image/firmware.
pub static AGENT_ROM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/agent.rom"));
/// /init of Linux guests: a static program, built by harness/build.rs from guest-image/linux.
pub static LINUX_INIT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/linux-init"));
/// A ROM that exits at once: QEMU's own life, the floor that a case's time is measured against.
pub static FLOOR_ROM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/floor.rom"));
