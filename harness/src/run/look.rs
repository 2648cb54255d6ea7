//! One look at a QEMU or a kernel of a bisect.

use std::sync::Arc;

use super::engine::Engine;
use super::judge::text;
use super::lab::kvm_lines;
use super::layered;
use crate::bisect::{Asked, Guest, Outcome};
use crate::case::guest::SUPPORTED;
use crate::case::guest::{Case, Lane, Qemu, Topology};
use crate::plan::config::Config;

/// The guest that `asked` names, under `qemu` or with its recorded definitions; `None` where it is KVM itself that is asked.
///
/// # Errors
/// The QEMU has no q35 machine type.
pub fn case(asked: &Asked, qemu: &Arc<Qemu>, config: &Config) -> Result<Option<Case>, String> {
    let (lane, machine, cpu) = match &asked.guest {
        Guest::Kvm => return Ok(None),
        Guest::Qemu { lane, machine, cpu } => (*lane, machine.clone(), cpu),
        Guest::Direct { cpu } => (Lane::KvmDirect, None, cpu),
        Guest::Under { cpu, .. } => (Lane::Kvm, None, cpu),
    };
    let newest = || qemu.offers.newest_machine().map(str::to_owned);
    let machine = match machine.or_else(newest) {
        Some(machine) => machine,
        // No QEMU runs, and no definition is looked up.
        None if cpu == SUPPORTED && lane == Lane::KvmDirect => "-".to_owned(),
        None => return Err(format!("{} has no q35 machine type", qemu.path.display())),
    };
    let model = cpu.split(',').next().unwrap_or(cpu);
    Ok(Some(Case {
        spared: config.spared(lane, &qemu.label, model),
        qemu: Arc::clone(qemu),
        lane,
        machine,
        cpu: cpu.clone(),
        smp: Topology::single(),
        linux: None,
    }))
}

/// What it shows; `None` where the run was cancelled. Waivers do not count: what was wrong at the good end is known there.
pub fn look(engine: &Engine, case: Option<&Case>) -> Option<Outcome> {
    let outcome = match case {
        None => kvm(engine),
        Some(case) => guest(engine, case),
    };
    (!engine.cancelled()).then_some(outcome)
}

fn kvm(engine: &Engine) -> Outcome {
    match kvm_lines(engine) {
        Ok(lines) => Outcome::Seen {
            lines: text(&lines),
            own: Vec::new(),
            command: shown(engine),
        },
        Err(reason) => Outcome::Broken {
            reason,
            command: Vec::new(),
        },
    }
}

/// The command line that shows what the lab's KVM says.
fn shown(engine: &Engine) -> Vec<String> {
    let words = ["cpuid-fidelity", "dump", "--view", "kvm"].map(str::to_owned);
    words.into_iter().chain(engine.kernel.clone()).collect()
}

fn guest(engine: &Engine, case: &Case) -> Outcome {
    match &*engine.observe(case) {
        Err(broken) => Outcome::Broken {
            reason: broken.reason.clone(),
            command: broken.command.clone(),
        },
        Ok(seen) => match layered::findings(engine, case, seen) {
            Err(reason) => Outcome::Broken {
                reason,
                command: seen.command.clone(),
            },
            Ok(changes) => Outcome::Seen {
                lines: text(&seen.lines),
                own: changes,
                command: seen.command.clone(),
            },
        },
    }
}
