//! Check 4: a guest has the vCPUs that its `-smp` asks for, placed as it says. Whoever starts QEMU and whatever it runs, the argument is a
//! promise; a table that QEMU did not make ([`crate::case::Starter::Harness`]) knows nothing of it.

mod asked;
pub mod leaves;
pub mod linux;
mod placement;
mod shape;
pub mod vcpus;

pub use asked::{Asked, as_asked};
