//! The command line; see `cpuid-fidelity --help`. Exit status: 0 all as expected, 1 findings, 2 usage or configuration,
//! 3 something could not be run.

use std::process::ExitCode;

use clap::Parser as _;
use cpuid_fidelity::util::terminal;

/// Prints a line to standard error ([`terminal::note`]).
macro_rules! note {
    ($($text:tt)*) => {
        cpuid_fidelity::util::terminal::note(&format!("{}\n", format_args!($($text)*)))
    };
}

mod cli;

fn main() -> ExitCode {
    // Inside a lab this very program is /init.
    cpuid_fidelity::host::lab::inside::init_if_inside();
    let is_step = cli::is_step(std::env::args_os());
    let (usage, lost) = if is_step {
        aborting_panics();
        (cli::ABORT, cli::ABORT)
    } else {
        (cli::USAGE, cli::NOT_RUN)
    };
    let status = arguments(usage).map_or_else(|status| status, |arguments| status(&arguments));
    ExitCode::from(cli::unless_lost(status, lost))
}

fn status(arguments: &cli::Arguments) -> u8 {
    cli::run(arguments).unwrap_or_else(|error| {
        note!("error: {error:#}");
        cli::status_of(&error)
    })
}

/// The arguments, or the exit status where there is nothing to run: of a mistake `usage`, 0 of `--help`.
fn arguments(usage: u8) -> Result<cli::Arguments, u8> {
    cli::Arguments::try_parse().map_err(|error| {
        let printed = error.print();
        if error.use_stderr() {
            return usage;
        }
        terminal::keep(printed);
        0
    })
}

/// Of `bisect step` no mistake may pass for a bad commit: clap's status 2 and a panic's 101 would.
fn aborting_panics() {
    std::panic::set_hook(Box::new(|panic| {
        note!("{panic}");
        std::process::exit(i32::from(cli::ABORT));
    }));
}
