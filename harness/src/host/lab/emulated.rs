//! What the lab asks of an emulated host: a machine with hardware virtualization, on which an unmodified kernel loads KVM.

use std::ffi::OsString;
use std::fmt::Debug;
use std::path::Path;

/// Where the parts of L1 are.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// The bzImage.
    pub kernel: &'a Path,
    /// The initramfs.
    pub initramfs: &'a Path,
    /// The kernel's whole command line.
    pub command_line: &'a str,
    /// MiB of RAM.
    pub megabytes: u64,
    /// File of [`super::wire::SIZE`] bytes that appears as the shared memory of an inter-VM memory device.
    pub shared: &'a str,
    /// File that takes what comes out of the first serial port.
    pub console: &'a str,
    /// Number of the inherited socket that is the second serial port.
    pub doorbell: i32,
}

/// An emulated host. Implementations build a command line and know what their processor needs; nothing here starts a process.
pub trait EmulatedHost: Debug + Send + Sync {
    /// What names it, in the cache and among expectations: `svm`.
    fn label(&self) -> &'static str;

    /// What it is, for messages: `QEMU TCG with AMD SVM`.
    fn name(&self) -> &'static str;

    /// KVM's module for its processor, as /sys/module has it.
    fn module(&self) -> &'static str;

    /// The options of the kernel's configuration without which it has no KVM for this processor, outermost first.
    fn options(&self) -> &'static [&'static str];

    /// Program and arguments. It must end when L1 powers off, reboots or panics, and must wait for nothing but L1.
    fn command(&self, parts: Parts<'_>) -> Vec<OsString>;

    /// The program that emulates, as far as it decides what L1 sees; part of the name of what is kept.
    fn program(&self) -> &Path;
}
