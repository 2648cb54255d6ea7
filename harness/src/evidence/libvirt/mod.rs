//! What libvirt reports of a CPU, read from its XML: its own tables of features and models ([`cpu_map`]), what it reports of a domain
//! ([`domain`]) and of what a QEMU can do ([`answers`]), how a `-cpu` argument is translated
//! ([`translate`]), and what of a domain a guest of it is given ([`passed`]).

pub mod answers;
pub mod cpu_map;
pub mod domain;
pub mod layer;
pub mod map_error;
pub mod passed;
pub mod translate;

pub use cpu_map::{CpuMap, Feature, Model, Spot};
pub use domain::DomainXml;
pub use layer::{Claim, LibvirtLayer, Request};
pub use map_error::MapError;
