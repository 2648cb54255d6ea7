//! What libvirt reports of a CPU, read from its XML: its own tables of features and models ([`cpu_map`]), what it reports of a domain
//! ([`domain`], [`cpu`]) and of what a QEMU can do ([`answers`]), how a `-cpu` argument is translated
//! ([`translate`], [`to_libvirt`], [`to_qemu`]), which command line libvirt makes of a domain ([`command_line`]), and what of a domain
//! a guest of it is given ([`passed`]).

pub mod answers;
pub mod command_line;
pub mod cpu;
pub mod cpu_map;
pub mod domain;
#[cfg(test)]
pub mod fixture;
pub mod layer;
pub mod map_error;
pub mod passed;
#[cfg(test)]
mod round_trip_tests;
mod settings;
pub mod to_libvirt;
pub mod to_qemu;
pub mod translate;
mod unread;
pub mod xml;

pub use cpu_map::{CpuMap, Feature, Model, Spot};
pub use domain::DomainXml;
pub use layer::{Claim, LibvirtLayer, Request};
pub use map_error::MapError;
