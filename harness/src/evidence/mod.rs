//! What each layer claims of a guest's CPU, in one shape, so that checks can compare the claims with one another and with the guest.

pub mod flow;
pub mod host_record;
pub mod libvirt;
pub mod linux_lines;
pub mod linux_report;
pub mod promised;
pub mod qemu;
pub mod record;
pub mod warnings;
pub mod way;

pub use host_record::HostRecord;
pub use linux_report::LinuxReport;
pub use promised::Promised;
pub use qemu::QemuLayer;
pub use record::{Evidence, RecordError, RecordedCase};
pub use warnings::Warnings;
pub use way::way;
