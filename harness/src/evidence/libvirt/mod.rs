//! What libvirt reports of a CPU, read from its XML: its own tables of features and models ([`cpu_map`]), what it reports of a domain
//! ([`domain`]) and of what a QEMU can do ([`answers`]), and how a `-cpu` argument is translated ([`translate`]).

pub mod answers;
pub mod cpu_map;
pub mod domain;
pub mod layer;
pub mod map_error;
pub mod translate;
pub mod xml;

pub use cpu_map::{CpuMap, Feature, Model, Spot};
pub use domain::DomainXml;
pub use layer::{Claim, LibvirtLayer, Request};
pub use map_error::MapError;
