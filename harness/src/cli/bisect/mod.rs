//! `bisect`: the commit or the version that first shows a difference.

mod arguments;
mod candidate;
mod ends;
mod head;
mod output;
mod search;
mod step;
mod tree;
mod verb;
mod versions;
mod working_tree;

pub use arguments::Bisect;
pub use step::{ABORT, is_step};
pub use verb::run;
