//! A host recorded: itself, and the guests of its KVM lanes.

use std::path::{Path, PathBuf};

use super::baseline::{HOST, HostRecord};
use super::engine::Engine;
use super::record::record;
use crate::case::Trial;
use crate::util::files::write_whole;
use crate::util::path::leads_down;

/// Records this host and the cases of `trials` in `folder`; how many cases there are. Cases whose guest could not be run are printed by
/// name with the reason.
///
/// # Errors
/// The folder cannot be written to.
pub fn write(
    engine: &Engine,
    trials: &[Trial],
    folder: &Path,
) -> anyhow::Result<(usize, Vec<String>)> {
    let text = serde_json::to_string(&HostRecord::of_this_host())? + "\n";
    write_whole(&folder.join(HOST), text.as_bytes())?;
    let (mut written, mut broken) = (0, Vec::new());
    for trial in trials {
        for case in &trial.cases {
            let name = trial.case_name(case);
            let file = PathBuf::from(format!("{name}.json"));
            if !leads_down(&file) {
                broken.push(format!("{name}: leads out of the folder"));
                continue;
            }
            match record(engine, case, false) {
                Err(reason) => broken.push(format!("{name}: {reason}")),
                Ok(record) => {
                    let text = serde_json::to_string(&record)? + "\n";
                    write_whole(&folder.join(file), text.as_bytes())?;
                    written += 1;
                }
            }
        }
    }
    Ok((written, broken))
}
