//! `report`: a run's results in other formats.

use std::time::Duration;

use cpuid_fidelity::results::RunFile;
use cpuid_fidelity::results::row::exit_status;

use super::arguments::Report;
use super::outputs::history;

/// Prints the summary and writes the files; the exit status is that of the run.
pub fn run(arguments: &Report) -> anyhow::Result<u8> {
    arguments.outputs.writable(None)?;
    let file = RunFile::read(&arguments.file)?;
    if file.cut {
        eprintln!(
            "{}: cut off in the middle of a line, which is left out",
            file.name
        );
    }
    let earlier = history(arguments.outputs.history.as_deref())?;
    let took = Duration::from_secs_f64(file.head.seconds.max(0.0));
    arguments.outputs.print(&file, took, &earlier);
    arguments.outputs.write(None, &file, &earlier)?;
    Ok(exit_status(&file.rows))
}
