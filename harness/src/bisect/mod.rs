//! Which commit, or which version, first shows it.
//!
//! [`account`] is what it ends with. [`asked`] is the case, by its name. [`question`] is what a guest is held against and what of it is hunted, settled by the
//! two ends; it turns what a guest showed into good, bad or untestable. [`versions`] searches an ordered list. [`git`] drives
//! `git bisect run` in a repository and leaves it as it was found; [`state`] keeps what is known, so that a bisect that was
//! interrupted goes on; [`build`] makes a QEMU or a kernel of a commit.

pub mod account;
pub mod asked;
pub mod build;
pub mod git;
pub mod question;
pub mod state;
pub mod versions;

pub use account::{Account, Turned};
pub use asked::{Asked, Guest};
pub use question::{EndsError, Outcome, Question, Verdict};
pub use state::{State, Step};
