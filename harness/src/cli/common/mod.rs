//! What several verbs share: options, the QEMU and the kernel that a command line names, output, exit status. Nothing here knows a verb.

#[macro_use]
mod message;

pub mod choice;
pub mod described;
pub mod exit;
pub mod feature;
pub mod given;
pub mod global;
pub mod kernel;
pub mod libvirt;
pub mod lines;
pub mod offered;
pub mod outputs;
pub mod place;
pub mod qemu;
pub mod screen;
pub mod subject;
pub mod table;
