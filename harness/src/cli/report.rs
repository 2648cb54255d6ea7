//! `report`: a run's results in other formats.

use std::path::PathBuf;

use clap::Args;
use cpuid_fidelity::results::RunFile;
use cpuid_fidelity::results::row::exit_status;

use super::common::outputs::{Outputs, history};

/// `report`.
#[derive(Debug, Args)]
pub struct Report {
    /// JSON lines of `run` or `merge`
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub outputs: Outputs,
}

/// Prints the summary and writes the files; the exit status is that of the run.
pub fn run(arguments: &Report) -> anyhow::Result<u8> {
    arguments.outputs.writable(None)?;
    let file = RunFile::read(&arguments.file)?;
    if file.cut {
        note!(
            "{}: cut off in the middle of a line, which is left out",
            file.name
        );
    }
    let earlier = history(arguments.outputs.history.as_deref())?;
    let took = file.head.took();
    arguments.outputs.print(&file, took, &earlier);
    arguments.outputs.write(None, &file, &earlier)?;
    Ok(exit_status(&file.rows))
}
