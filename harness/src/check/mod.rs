//! Expected × actual → findings. No I/O: everything a check needs is in its arguments.
//!
//! [`finding`] is what a check finds and [`place`] where; [`registry`] runs every rule over one case's evidence. [`compare`] is check 1,
//! and how most others find a difference. [`agreement`] is checks 2 and 3. [`topology`] is check 4: vCPUs and their leaves against `-smp`.
//! [`mod@promise`] compares a guest with its model's reviewed definition, [`mod@identity`] whose CPU it shows with whose was promised.
//! [`architecture`] are rules that hold for every processor. [`self_consistency`] is what needs nothing but one dump and the accelerator:
//! checks 5 ([`limits`], [`xsave`]), 6 ([`mod@msrs`]) and 8 ([`mod@vendor`]). [`kvm_given`], [`kvm_supported`] and [`kvm_table`] are check
//! 7, with [`kvm_answer`] as the rule by which KVM looks a leaf up. [`mod@linux`] and [`user_space`] are check 9, [`migration`] is check 10,
//! [`libvirt_live`] and [`libvirt_map`] are check 11. [`host_cpus`] compares the host's processors, [`baseline`] a host with its own past.
//!
//! [`groups`] are the files of machine types, [`releases`] those of pairs of releases, and [`waivers`] says which findings are
//! accepted. Bits that a check treats otherwise stand in tables with reasons, made of [`bits`].

pub mod agreement;
pub mod architecture;
pub mod baseline;
pub mod behaviour;
pub mod bits;
pub mod compare;
pub mod finding;
#[cfg(test)]
mod fixture;
pub mod groups;
pub mod host_cpus;
pub mod identity;
pub mod inputs;
pub mod kvm_answer;
pub mod kvm_given;
pub mod kvm_supported;
pub mod kvm_table;
pub mod libvirt_host;
pub mod libvirt_live;
pub mod libvirt_map;
pub mod libvirt_pair;
pub mod limits;
pub mod linux;
mod linux_hwcap;
pub mod migration;
pub mod msrs;
mod names;
pub mod of_guest;
mod of_input;
pub mod place;
mod place_text;
pub mod promise;
pub mod registry;
pub mod releases;
pub mod repeated;
pub mod self_consistency;
mod shown;
pub mod signature;
mod silicon;
pub mod topology;
pub mod user_space;
pub mod vendor;
mod view;
pub mod waivers;
pub mod xsave;

pub use agreement::agreement;
pub use compare::{compare, compare_with_emptied};
pub use finding::{CheckId, Finding, Kind, Layer, Origin};
pub use groups::{Groups, Shift};
pub use kvm_given::{given_and_kept, given_and_seen};
pub use kvm_supported::supported_by_hardware;
pub use kvm_table::beyond_supported;
pub use linux::linux;
pub use of_input::{Owner, of_dump, of_input};
pub use registry::{Lacking, Rules, all, checked, complete};
pub use releases::Releases;
pub use user_space::user_space_and_agent;
pub use waivers::Waivers;
