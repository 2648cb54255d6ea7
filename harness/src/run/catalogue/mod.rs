//! Measuring QEMU's feature names: toggle a boolean property of a CPU, and see which bits move in the guest.
//!
//! [`Ground`] says where: in lane `definition`, where neither TCG nor the host filters anything, or under KVM, which alone has feature MSRs.
//! [`measure`](fn@measure) toggles, [`moved`] compares two dumps, [`table`] compares what was measured with the table of features, and
//! [`lines`] prints a measurement and reads it back.

pub mod ground;
pub mod lines;
pub mod measure;
pub mod moved;
pub mod table;

pub use ground::{Chosen, Ground};
pub use measure::{Catalogue, Evidence, measure};
pub use table::{disagreements, seen};
