//! The command line: one file or folder a verb, and in `common` what verbs share. No verb knows another one, but `nightly`, which
//! is a `run`.

#[macro_use]
mod common;

mod arguments;
mod behaviour;
mod bisect;
mod catalogue;
mod check;
mod compat;
mod context;
mod diff;
mod domain;
mod dump;
mod examples;
mod explain;
mod features;
mod fleet;
mod lab;
mod libvirt;
mod list;
mod machines;
mod merge;
mod migrate;
mod models;
mod nightly;
mod package;
mod record;
mod release_day;
mod releases;
mod report;
mod run;
mod show;

pub use arguments::{Arguments, run};
pub use bisect::{ABORT, is_step};
pub use common::exit::{NOT_RUN, USAGE, status_of, unless_lost};
use common::exit::{NotRun, print, print_json, print_line};
use context::Context;
pub use examples::command;
pub use package::answer_shell;
