//! Two inputs of any format compared, bit by bit: what differs, what only one of them can say, and what is left out with its reason.
//!
//! [`compare`] takes two [`Side`]s and gives a [`Comparison`]. Unknown is no difference: a bit is compared where both sides know it. States are
//! brought together first (`states.rs`); volatile fields and what follows control state of different states are left out, and listed.

mod bits;
mod compare;
mod difference;
mod identity;
mod leaving;
mod phases;
mod processors;
mod side;
mod states;

pub use compare::{Comparison, compare};
pub use difference::{Difference, Group, Value};
pub use phases::phases;
pub use processors::Variant;
pub use side::Side;
pub use states::FOLLOWS_CONTROL_STATE;
