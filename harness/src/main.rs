//! The command line; see `cpuid-fidelity --help`. Exit status: 0 all as expected, 1 findings, 2 usage or configuration,
//! 3 something could not be run.

#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

use std::process::ExitCode;

use clap::FromArgMatches as _;
use cpuid_fidelity::util::supervise::supervise;
use cpuid_fidelity::util::{printable, terminal};

#[macro_use]
mod cli;

fn main() -> ExitCode {
    // Inside a lab this very program is /init.
    cpuid_fidelity::host::lab::inside::init_if_inside();
    // Where the kernel refuses, a file that is too large ends this program as it ends others.
    let _ = cpuid_fidelity::util::signals::block_file_size();
    let is_step = cli::is_step(std::env::args_os());
    let (usage, lost) = if is_step {
        aborting_panics();
        (cli::ABORT, cli::ABORT)
    } else {
        (cli::USAGE, cli::NOT_RUN)
    };
    let status = match arguments(usage) {
        Err(status) => status,
        Ok(arguments) => supervised(&arguments, is_step, lost),
    };
    ExitCode::from(cli::unless_lost(status, lost))
}

/// Runs the verb, in a process with which all that it starts ends.
fn supervised(arguments: &cli::Arguments, is_step: bool, not_run: u8) -> u8 {
    // What `git bisect run` starts knows this program by its number outside.
    if let Err(error) = supervise(!is_step) {
        note!("error: failed to make the processes that end with this one: {error}");
        return not_run;
    }
    status(arguments)
}

fn status(arguments: &cli::Arguments) -> u8 {
    cli::run(arguments).unwrap_or_else(|error| {
        note!("error: {error:#}");
        cli::status_of(&error)
    })
}

/// The arguments, or the exit status where there is nothing to run: of a mistake `usage`, 0 of `--help`.
fn arguments(usage: u8) -> Result<cli::Arguments, u8> {
    let matches = cli::command().try_get_matches();
    let parsed = matches.and_then(|matches| cli::Arguments::from_arg_matches(&matches));
    parsed.map_err(|error| {
        let printed = show(&error);
        if error.use_stderr() {
            return usage;
        }
        terminal::keep(printed);
        0
    })
}

/// In clap's colours, unless an argument that it repeats is not printable.
fn show(error: &clap::Error) -> std::io::Result<()> {
    let mut arguments = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned());
    if arguments.all(|argument| printable::line(&argument) == argument) {
        return error.print();
    }
    terminal::note(&error.render().to_string());
    Ok(())
}

/// Of `bisect step` no mistake may pass for a bad commit: clap's status 2 and a panic's 101 would.
fn aborting_panics() {
    std::panic::set_hook(Box::new(|panic| {
        note!("{panic}");
        std::process::exit(i32::from(cli::ABORT));
    }));
}
