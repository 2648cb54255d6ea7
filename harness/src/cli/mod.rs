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
mod examples;
mod explain;
mod features;
mod lab;
mod libvirt;
mod list;
mod machines;
mod merge;
mod migrate;
mod models;
mod nightly;
mod record;
mod releases;
mod report;
mod run;
mod show;

pub use arguments::{Arguments, run};
pub use bisect::{ABORT, is_step};
pub use common::exit::status_of;
use common::exit::{NOT_RUN, NotRun, print};
use context::Context;
pub use examples::command;
