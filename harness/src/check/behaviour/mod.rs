//! What features do against what CPUID says of them: announced and refused is a lie, hidden and running a hole.
//!
//! [`mod@judge`] says of each probe which it is, by the guest's own bits; [`facts`] is what was measured and reviewed of an
//! emulator's release or of a kernel, so that a known lie is expected and an unknown one a finding; [`findings`] compares both.
//! [`user_space`] judges what a Linux guest's user space tried, by what its kernel shows. [`explained`] compares processors of Bochs with what is
//! known of them, which is how the table of probes is held true.

pub mod deviation;
pub mod explained;
pub mod facts;
mod findings;
mod ground;
mod in_user_space;
pub mod judge;
pub mod record;
#[cfg(test)]
mod tests;
pub mod user_space;
#[cfg(test)]
mod user_space_tests;
pub mod when;

pub use deviation::{Deviation, deviations, of_feature, sentences};
pub use facts::{Fact, Facts, FactsError, Recorded};
pub use findings::findings;
pub use ground::Ground;
pub use in_user_space::{InUserSpace, Shown};
pub use judge::{Judged, Verdict, judge};
pub use user_space::worth_trying;
pub use when::When;
