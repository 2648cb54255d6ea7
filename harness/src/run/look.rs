//! One candidate of a bisect: a QEMU or a kernel, and what it shows.

use std::sync::Arc;

use super::engine::{Engine, Gathered};
use crate::bisect::{Guest, Lines, Outcome, Target};
use crate::case::guest::SUPPORTED;
use crate::case::{Case, EmulatedHost, Qemu, Starter};
use crate::check::all;
use crate::config::Config;
use crate::lanes::lab::offer;

/// The guest that `target` names, under `qemu` or with its recorded definitions; where it is KVM itself that is asked, no guest. `host` is
/// the emulated host where a kernel is the candidate.
///
/// # Errors
/// The QEMU has no q35 machine type.
pub fn case(
    target: &Target,
    qemu: &Arc<Qemu>,
    config: &Config,
    host: Option<&Arc<EmulatedHost>>,
) -> Result<Case, String> {
    let in_lab = offer::LANE;
    let (lane, starter, machine, cpu) = match &target.guest {
        Guest::Kvm => (in_lab, Starter::Nobody, Some("-"), SUPPORTED),
        Guest::Qemu { lane, machine, cpu } => (*lane, Starter::Qemu, machine.as_deref(), &**cpu),
        Guest::Direct { cpu } => (in_lab, Starter::Harness, None, &**cpu),
        Guest::Under { cpu, .. } => (in_lab, Starter::Qemu, None, &**cpu),
    };
    let machine = match machine.or_else(|| qemu.newest_machine()) {
        Some(machine) => machine,
        // No QEMU runs, and no definition is looked up.
        None if cpu == SUPPORTED && starter == Starter::Harness => "-",
        None => return Err(format!("{} has no q35 machine type", qemu.path.display())),
    };
    let mut case = Case::new(qemu, lane, machine, cpu);
    case.run_as.starter = starter;
    case.host = host.cloned();
    case.skipped_phases = config.skipped_phases(case.phases_lane(), &qemu.label, case.model());
    Ok(case)
}

/// What it shows; `None` where the run was cancelled. Waivers do not count: what was wrong at the good end is known there.
pub fn look(engine: &Engine, case: &Case) -> Option<Outcome> {
    let outcome = outcome(engine, case);
    (!engine.bench.cancelled()).then_some(outcome)
}

fn outcome(engine: &Engine, case: &Case) -> Outcome {
    let Gathered { guest, evidence } = engine.gather(case);
    if let Some(Err(broken)) = guest.as_deref() {
        return Outcome::Broken {
            reason: broken.reason.clone(),
            command: broken.command.clone(),
        };
    }
    let command = match guest.as_deref() {
        Some(Ok(seen)) => seen.command.clone(),
        _ => command_of_kvm(case),
    };
    let (evidence, lane) = match (evidence, engine.lane(case)) {
        (Ok(evidence), Ok(lane)) => (evidence, lane),
        (Err(problem), _) => {
            let reason = problem.to_string();
            return Outcome::Broken { reason, command };
        }
        (_, Err(broken)) => {
            let reason = broken.reason;
            return Outcome::Broken { reason, command };
        }
    };
    // What KVM offers is compared with the good end's, not with the emulated processor; a definition is compared line by line.
    let whole = case.run_as.compares_whole(&case.cpu, case.smp.as_str());
    let own = match guest {
        Some(_) if !whole => all(&evidence, engine.rules()),
        _ => Vec::new(),
    };
    Outcome::Seen {
        lines: Lines(lane.lines(&engine.bench, case, &evidence)),
        own,
        command,
    }
}

/// The command line that shows what the KVM of the case's machine reports.
fn command_of_kvm(case: &Case) -> Vec<String> {
    let arguments = ["cpuid-fidelity", "dump", "--view", "kvm"].map(str::to_owned);
    let host = case.host.iter().flat_map(|host| host.kernel.arguments());
    arguments.into_iter().chain(host).collect()
}
