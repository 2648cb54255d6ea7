//! Which commit, or which version, first shows it.
//!
//! [`target`] is the case, by its name. The two ends settle the [`question`]: what a guest is compared with, and which differences
//! are sought; it turns what a guest showed into good, bad or untestable. [`versions`] searches an ordered list. [`git`] drives
//! `git bisect run` in a repository and leaves it as it was; [`state`] keeps what is known, with expectation [`lines`], so that an
//! interrupted bisect goes on; [`build`] makes a QEMU or a kernel of a commit. The [`conclusion`] is the result as text.

pub mod build;
pub mod conclusion;
pub mod git;
pub mod lines;
pub mod question;
pub mod state;
pub mod target;
pub mod versions;

pub use conclusion::{Conclusion, FirstBad};
pub use lines::Lines;
pub use question::{EndsError, Outcome, Question, Verdict};
pub use state::{State, Step};
pub use target::{Guest, Target};
