//! Expected × actual → findings. No I/O: everything a check needs is in its arguments.
//!
//! [`compare`] is check 1 and how most others find a difference; [`finding`] is what they find, and [`place`] where. [`kvm_given`] and [`kvm_supported`] are check 7, with
//! [`kvm_answer`] as the rule by which KVM looks a leaf up. [`agreement`] is checks 2 and 3, [`groups`] the files of machine types,
//! [`releases`] those of pairs of releases. [`mod@linux`] and [`user_space`] are check 9, [`migration`] is check 10. [`outcome`] is what can become
//! of a case, [`passage`] of a migration, [`crossing`] of a CPU from one QEMU to another, and [`waivers`] what of it is accepted. [`host_cpus`] holds
//! the host's processors against one another, [`baseline`] a host against its own past.
//! Bits that a check treats otherwise stand in tables with reasons, made of [`bits`].

pub mod agreement;
pub mod baseline;
pub mod bits;
pub mod compare;
pub mod crossing;
pub mod finding;
#[cfg(test)]
mod fixture;
pub mod groups;
pub mod host_cpus;
pub mod kvm_answer;
pub mod kvm_given;
pub mod kvm_supported;
pub mod libvirt_live;
pub mod libvirt_map;
pub mod limits;
pub mod linux;
pub mod migration;
pub mod msrs;
mod names;
pub mod outcome;
pub mod passage;
pub mod place;
pub mod registry;
pub mod releases;
pub mod self_consistency;
pub mod topology;
pub mod user_space;
pub mod vcpus;
pub mod vendor;
mod view;
pub mod waivers;
pub mod xsave;

pub use agreement::agreement;
pub use compare::{compare, compare_with_emptied};
pub use crossing::Crossing;
pub use finding::{CheckId, Finding, Kind, Layer};
pub use groups::{Groups, Shift};
pub use kvm_given::{given_and_kept, given_and_seen};
pub use kvm_supported::supported_by_hardware;
pub use linux::linux;
pub use outcome::{CaseResult, Status};
pub use passage::{Outcome, Passage};
pub use registry::{Lacking, Rules, all, checked, complete};
pub use releases::Releases;
pub use user_space::user_space_and_agent;
pub use waivers::Waivers;
