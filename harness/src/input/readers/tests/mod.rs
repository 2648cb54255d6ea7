//! Texts of registers as people hold them, and as they should not be.

mod around;
mod bad;
mod files;
mod firecracker;
mod forms;
mod libvirt;
mod linux;
mod many;
mod own;
mod qmp;
mod repeated;
mod structure;
mod support;
mod written;
