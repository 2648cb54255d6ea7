//! The command line; see `cpuid-fidelity --help`. Exit status: 0 all as expected, 1 findings, 2 usage or configuration,
//! 3 something could not be run.

use std::process::ExitCode;

use clap::Parser as _;

mod cli;

fn main() -> ExitCode {
    // Inside a lab this very program is /init.
    cpuid_fidelity::boot::lab::inside::init_if_inside();
    let arguments = cli::Arguments::parse();
    match cli::run(&arguments) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(cli::status_of(&error))
        }
    }
}
