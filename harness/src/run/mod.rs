//! The stages joined: what `run`, `dump` and `cargo test` have in common.
//!
//! [`inventory`] finds the QEMUs and asks each what it offers, through the cache. [`engine`] boots a case and turns it into
//! lines. [`all`](mod@all) runs the trials of a plan. [`judge`] holds a trial's cases against its expectation. [`layered`] holds the layers of a case
//! against one another. [`explain`] asks all layers of one feature. [`migrate`] takes guests from one QEMU to another. [`releases`] holds two
//! releases against one another, [`versions`] two models; [`causes`] measures which compat property a machine type's difference comes from.
//! [`record`] keeps all layers of a case, to be checked again elsewhere, [`mod@baseline`] those of a host, to hold it against later. [`mod@linux`]
//! makes kernels of Linux guests ready and holds what they made of CPUID. [`libvirt`] has libvirt start guests and tries its answers.
//! [`mod@look`] is one look at a QEMU or kernel of a bisect. [`store`] reads the expectations and the two tables.

pub mod all;
pub mod baseline;
pub mod catalogue;
pub mod causes;
pub mod direct;
pub mod engine;
pub mod explain;
pub mod flow;
pub mod inventory;
pub mod judge;
pub mod lab;
pub mod layered;
pub mod libvirt;
pub mod linux;
pub mod look;
pub mod migrate;
pub mod record;
pub mod releases;
pub mod versions;

pub use all::all;
pub use baseline::Baseline;
pub use engine::{Engine, Observation};
pub use inventory::{Inventory, Unusable};
pub use judge::vanished;
