//! The command line; see `cpuid-fidelity --help`. Exit status: 0 all as expected, 1 findings, 2 usage or configuration,
//! 3 something could not be run.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

mod cli;

fn main() -> ExitCode {
    // Inside a lab this very program is /init.
    cpuid_fidelity::host::lab::inside::init_if_inside();
    let command = cli::Arguments::command;
    cli::answer_shell(command);
    let arguments = arguments();
    match cli::run(&arguments, command) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(cli::status_of(&error))
        }
    }
}

/// The arguments. Of `bisect step` no mistake may pass for a bad commit: clap's status 2 and a panic's 101 would.
fn arguments() -> cli::Arguments {
    if !cli::is_step(std::env::args_os()) {
        return cli::Arguments::parse();
    }
    std::panic::set_hook(Box::new(|panic| {
        eprintln!("{panic}");
        std::process::exit(i32::from(cli::ABORT));
    }));
    cli::Arguments::try_parse().unwrap_or_else(|error| {
        let _ = error.print();
        std::process::exit(if error.use_stderr() {
            i32::from(cli::ABORT)
        } else {
            0
        })
    })
}
