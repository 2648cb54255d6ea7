//! What each layer claims of a guest's CPU, in one shape, so that checks can compare the claims with one another and with the guest.

pub mod flow;
pub mod libvirt;
pub mod linux_lines;
pub mod linux_report;
pub mod qemu;
pub mod warnings;

pub use linux_report::LinuxReport;
pub use qemu::QemuLayer;
pub use warnings::Warnings;
