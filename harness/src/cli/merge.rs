//! `merge`: several runs → one.

use std::time::Duration;

use cpuid_fidelity::results::row::exit_status;
use cpuid_fidelity::results::{RunFile, merge};

use super::arguments::Merge;
use super::outputs::history;

/// Joins the files and tells what became of the cases; the exit status.
pub fn run(arguments: &Merge) -> anyhow::Result<u8> {
    arguments.outputs.writable(arguments.json.as_ref())?;
    let mut files = Vec::new();
    for path in &arguments.files {
        let file = RunFile::read(path)?;
        if file.cut {
            eprintln!(
                "{}: cut off in the middle of a line, which is left out",
                path.display()
            );
        }
        files.push(file);
    }
    let merged = merge(&files)?;
    let earlier = history(arguments.outputs.history.as_deref())?;
    let took = Duration::from_secs_f64(merged.head.seconds.max(0.0));
    arguments.outputs.print(&merged, took, &earlier);
    arguments
        .outputs
        .write(arguments.json.as_ref(), &merged, &earlier)?;
    Ok(exit_status(&merged.rows))
}
