//! Machines that run guests: this host, and labs, which are emulated hosts.
//!
//! [`layer`] records a host: [`cpus`] asks every processor, [`cpuinfo`] and [`kernel`] the kernel, [`kvm`] its KVM. [`ability`] says which
//! lanes can run, before anything runs. [`site`] is a machine as guests are started on it, [`lab`] an emulated one. [`tool`] runs git and builds.

pub mod ability;
pub mod cpuinfo;
pub mod cpus;
pub mod found;
pub mod kernel;
pub mod kind;
pub mod kvm;
pub mod kvm_lines;
pub mod lab;
pub mod layer;
pub mod libvirt;
pub mod native;
pub mod parameters;
pub mod site;
pub mod tool;

pub use ability::{Ability, Unable};
pub use found::Found;
pub use kind::HostKind;
pub use kvm::KvmLayer;
pub use layer::HostLayer;
pub use site::{Here, Site, SiteError};
