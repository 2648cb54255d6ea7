//! `merge`: several runs → one.

use std::path::PathBuf;

use clap::Args;
use cpuid_fidelity::report::styled::Manner;
use cpuid_fidelity::results::row::exit_status;
use cpuid_fidelity::results::{RunFile, merge};

use super::common::outputs::{Outputs, history};

/// `merge`.
#[derive(Debug, Args)]
pub struct Merge {
    /// JSON lines of `run`: parts of one plan, later attempts, other hosts. The last attempt at a case counts
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Write the joined JSON lines here
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    #[command(flatten)]
    pub outputs: Outputs,
}

/// Joins the files and prints what became of the cases; the exit status.
pub fn run(arguments: &Merge, manner: &Manner) -> anyhow::Result<u8> {
    arguments.outputs.writable(arguments.json.as_ref())?;
    let mut files = Vec::new();
    for path in &arguments.files {
        let file = RunFile::read(path)?;
        if let Some(why) = file.why_not_whole() {
            note!("{why}, where no other file has one");
        }
        files.push(file);
    }
    let merged = merge(&files)?;
    let earlier = history(arguments.outputs.history.as_deref())?;
    let took = merged.head.took();
    arguments.outputs.with_json(arguments.json.as_ref()).print(
        &merged,
        took,
        &earlier,
        &[],
        manner,
    );
    arguments
        .outputs
        .write(arguments.json.as_ref(), &merged, &earlier)?;
    Ok(exit_status(&merged.rows))
}
