//! The command line: one file or folder a verb, and in `common` what verbs share. No verb knows another one, but `nightly`, which
//! is a `run`.

mod arguments;
mod bisect;
mod catalogue;
mod check;
mod common;
mod compat;
mod context;
mod diff;
mod domain;
mod dump;
mod explain;
mod lab;
mod libvirt;
mod list;
mod merge;
mod migrate;
mod nightly;
mod package;
mod record;
mod report;
mod run;
mod show;

pub use arguments::{Arguments, run};
pub use bisect::{ABORT, is_step};
pub use common::exit::status_of;
use common::exit::{NOT_RUN, NotRun, print};
use context::Context;
pub use package::answer_shell;
