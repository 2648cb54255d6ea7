//! A host recorded: itself, and the guests of its KVM lanes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::baseline::HOST;
use super::engine::Engine;
use super::record::record;
use crate::case::guest::HOST as HOST_MODEL;
use crate::case::{Case, EmulatedHost, Lane, Qemu, Trial};
use crate::evidence::HostRecord;
use crate::evidence::host_record::Expansion;
use crate::lanes::lab::offer;
use crate::util::files::write_whole;
use crate::util::path::leads_down;
use crate::vmm::Options;

/// What each of these QEMUs makes of `-cpu host` under this host's KVM; nothing of those that cannot start it.
pub fn expansions(engine: &Engine, qemus: &[Arc<Qemu>]) -> Vec<Expansion> {
    let options = Options {
        view: true,
        expand: true,
        ..engine.bench.options.clone()
    };
    let one = |qemu: &Arc<Qemu>| {
        let case = Case::new(qemu, Lane::KVM, "q35", HOST_MODEL);
        let seen = engine.boot(&case, &options).ok()?;
        Some(Expansion {
            qemu: qemu.offers.version.clone(),
            properties: seen.qemu?.full_properties?,
        })
    };
    qemus.iter().filter_map(one).collect()
}

/// An emulated host, as its own kernel and KVM describe it.
///
/// # Errors
/// It did not come up, or has no KVM.
pub fn emulated(engine: &Engine, host: &Arc<EmulatedHost>) -> Result<HostRecord, String> {
    let case = offer::case(host);
    let evidence = engine
        .gather(&case)
        .evidence
        .map_err(|error| error.to_string())?;
    let layer = evidence
        .host
        .ok_or("the lab's host did not describe itself")?;
    let kvm = evidence.kvm.map(|kvm| (*kvm).clone());
    Ok(HostRecord::new((*layer).clone(), kvm))
}

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
