//! Everything that this program starts, and whatever that starts, ends with it, also when it is killed outright.
//!
//! At its start it becomes three processes. The *front* has the process number that the user knows: it hands signals on, and ends with
//! the status of the work. The *reaper* is the parent of all that is left behind: as init of a PID namespace where one can be had, so that
//! the kernel kills everything with it, else as a subreaper (PR_SET_CHILD_SUBREAPER), which kills what it adopts. The *worker* goes on
//! with what the program is for. All this costs a run two forks, and a guest nothing.
//!
//! A namespace is made only by whoever may without a namespace of users (root): in one of these root's files are nobody's, and sudo and
//! containers, which a build may need, do not work.

mod front;
mod namespace;
mod reaper;

pub use front::{front_id, supervise};
