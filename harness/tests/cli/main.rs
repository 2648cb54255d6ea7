//! The command line against real QEMU binaries, and against wrapper scripts in QEMU's place that do what broken ones do.
//!
//! Each test has a folder of its own with a configuration, expectations recorded there from the unwrapped QEMU, and a
//! cache. Without a QEMU on this machine a test says that it was skipped; under CI it fails.

mod bad_input;
mod bisect;
mod broken_qemu;
mod browser;
mod compat;
mod dumps;
mod findings;
mod interrupt;
mod lab;
mod layers;
mod libvirt;
mod linux;
mod migrate;
mod output;
mod results;
mod world;
