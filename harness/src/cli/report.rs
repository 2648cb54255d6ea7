//! `report`: a run's results in other formats.

use std::path::PathBuf;

use clap::Args;
use cpuid_fidelity::report::styled::Manner;
use cpuid_fidelity::results::RunFile;
use cpuid_fidelity::results::row::exit_status;

use super::NOT_RUN;
use super::common::outputs::{Outputs, history};

/// `report`.
#[derive(Debug, Args)]
pub struct Report {
    /// JSON lines of `run` or `merge`; `-` for standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub outputs: Outputs,
}

/// Prints the summary and writes the files; the exit status is that of the run.
pub fn run(arguments: &Report, manner: &Manner) -> anyhow::Result<u8> {
    arguments.outputs.writable(None)?;
    let file = RunFile::read(&arguments.file)?;
    if let Some(why) = file.why_not_whole() {
        note!("{why}");
    }
    let file = file.filled();
    let lacking = file.lacking();
    let earlier = history(arguments.outputs.history.as_deref())?;
    let took = file.head.took();
    let reports = arguments.outputs.with_json(None);
    reports.print(&file, took, &earlier, &[], manner);
    arguments.outputs.write(None, &file, &earlier)?;
    let cut = if lacking > 0 { NOT_RUN } else { 0 };
    Ok(exit_status(&file.rows).max(cut))
}
