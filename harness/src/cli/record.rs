//! `record`: all layers of one case, in a file.

use anyhow::Context as _;
use cpuid_fidelity::matrix::Case;
use cpuid_fidelity::report::write_whole;
use cpuid_fidelity::run::record::record;

use super::arguments::Record;
use super::explain::offered;
use super::{Context, NOT_RUN};

/// Runs the guest and writes the file; the exit status.
pub fn run(context: &Context, arguments: &Record) -> anyhow::Result<u8> {
    let qemu = super::run::one_qemu(&context.inventory()?)?;
    offered(&qemu, &arguments.cpu, &arguments.machine)?;
    let case = Case {
        qemu,
        lane: arguments.lane,
        machine: arguments.machine.clone(),
        cpu: arguments.cpu.clone(),
        smp: arguments.smp.clone(),
        spared: Vec::new(),
    };
    let engine = context.engine()?;
    let record = match record(&engine, &case, !arguments.no_host) {
        Ok(record) => record,
        Err(reason) => {
            eprintln!("ERROR {reason}");
            return Ok(NOT_RUN);
        }
    };
    let text = serde_json::to_string(&record)? + "\n";
    write_whole(&arguments.out, text.as_bytes())
        .with_context(|| format!("failed to write {}", arguments.out.display()))?;
    Ok(0)
}
