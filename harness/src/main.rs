//! The command line; see `cpuid-fidelity --help`. Exit status: 0 all as expected, 1 findings, 2 usage or configuration,
//! 3 something could not be run.

#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

use std::process::ExitCode;

use clap::Parser as _;
use cpuid_fidelity::util::console::complain;
use cpuid_fidelity::util::printable;

#[macro_use]
mod cli;

fn main() -> ExitCode {
    // Inside a lab this very program is /init.
    cpuid_fidelity::host::lab::inside::init_if_inside();
    let arguments = arguments();
    match cli::run(&arguments) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            complain!("error: {error:#}");
            ExitCode::from(cli::status_of(&error))
        }
    }
}

/// The arguments. Of `bisect step` no mistake may pass for a bad commit: clap's status 2 and a panic's 101 would.
fn arguments() -> cli::Arguments {
    if !cli::is_step(std::env::args_os()) {
        return cli::Arguments::try_parse().unwrap_or_else(|error| refuse(&error));
    }
    std::panic::set_hook(Box::new(|panic| {
        complain!("{panic}");
        std::process::exit(i32::from(cli::ABORT));
    }));
    cli::Arguments::try_parse().unwrap_or_else(|error| {
        show(&error);
        std::process::exit(if error.use_stderr() {
            i32::from(cli::ABORT)
        } else {
            0
        })
    })
}

fn refuse(error: &clap::Error) -> ! {
    show(error);
    std::process::exit(error.exit_code())
}

/// In clap's colours, unless an argument that it repeats is not printable.
fn show(error: &clap::Error) {
    let shown = error.render().to_string();
    let mut arguments = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned());
    if arguments.all(|argument| printable::line(&argument) == argument) {
        let _ = error.print();
    } else {
        complain(&shown);
    }
}
