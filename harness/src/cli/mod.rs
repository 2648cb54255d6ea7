//! The verbs.

mod arguments;
mod bisect;
mod catalogue;
mod compat;
mod context;
mod diff;
mod diff_machines;
mod diff_models;
mod domain;
mod dump;
mod explain;
mod lab;
mod libvirt;
mod libvirt_answers;
mod linux;
mod list;
mod merge;
mod migrate;
mod nightly;
mod outputs;
mod record;
mod report;
mod run;
mod view;

pub use arguments::Arguments;
use arguments::Verb;
pub use bisect::{ABORT, is_step};
use context::Context;

/// Exit status of usage and configuration errors.
const USAGE: u8 = 2;
/// Exit status where something could not be run.
const NOT_RUN: u8 = 3;

/// A guest or a binary that could not be run, as against a bad request.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct NotRun(String);

/// Runs the verb; the exit status.
pub fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    match &arguments.verb {
        Verb::Run(run) => run::run(&Context::new(&arguments.global)?, run),
        Verb::List(list) => list::run(&Context::new(&arguments.global)?, list),
        Verb::Dump(dump) => dump::run(&arguments.global, dump),
        Verb::Explain(explain) => explain::run(&Context::new(&arguments.global)?, explain),
        Verb::Lab(lab) => lab::run(&Context::new(&arguments.global)?, lab),
        Verb::Migrate(migrate) => migrate::run(&Context::new(&arguments.global)?, migrate),
        Verb::Libvirt(libvirt) => libvirt::run(&Context::new(&arguments.global)?, libvirt),
        Verb::Domain(domain) => domain::run(&Context::new(&arguments.global)?, domain),
        Verb::Record(record) => record::run(&Context::new(&arguments.global)?, record),
        Verb::Nightly(nightly) => nightly::run(&Context::new(&arguments.global)?, nightly),
        Verb::Bisect(what) => bisect::run(&arguments.global, what),
        Verb::Merge(merge) => merge::run(merge),
        Verb::Report(report) => report::run(report),
        Verb::Diff(diff) => diff::run(&Context::new(&arguments.global)?, diff),
        Verb::Catalogue(catalogue) => catalogue::run(&Context::new(&arguments.global)?, catalogue),
    }
}

/// The exit status that an error stands for.
pub fn status_of(error: &anyhow::Error) -> u8 {
    if error.downcast_ref::<NotRun>().is_some() {
        NOT_RUN
    } else {
        USAGE
    }
}

/// Prints to standard output; a reader that has gone away (`| head`) is no error.
fn print(text: &str) {
    use std::io::Write as _;
    let _ = std::io::stdout().write_all(text.as_bytes());
}
