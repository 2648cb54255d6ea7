//! What `check`, `match` and `policy` of a domain's CPU really do, beside QEMU's `enforce`.
//!
//! Four features stand for the four cases there are; each is asked for in every way, in a guest of its own, and the outcome is what the
//! guest reports.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use crate::case::{Case, Qemu};
use crate::cpuid::dump::Dump;
use crate::evidence::libvirt::cpu_map::Spot;
use crate::lanes::libvirt::{boot_domain, domain, lane, maps};
use crate::lanes::{Broken, Observed};
use crate::run::Engine;
use crate::util::text::wrapped;
use crate::vmm::libvirt::domain::{GuestCpu, Policy};

/// Values of `check`.
const CHECKS: [&str; 3] = ["none", "partial", "full"];
/// Values of `match`.
const MATCHES: [&str; 3] = ["minimum", "exact", "strict"];

/// A model that TCG gives whole but for the feature, the feature, and which case it stands for.
const SUBJECTS: [(&str, &str, &str); 4] = [
    ("Nehalem", "sse4.2", "in the model, TCG has it"),
    ("Nehalem-IBRS", "spec-ctrl", "in the model, TCG has not"),
    ("Nehalem", "sse4a", "not in the model, TCG has it"),
    ("Nehalem", "avx512f", "not in the model, TCG has not"),
];

/// Where the table is tried: the newest machine type of a QEMU.
pub fn case(qemu: &Arc<Qemu>) -> Option<Case> {
    Some(lane::case(qemu, qemu.newest_machine()?, "custom"))
}

/// Its expectation, below the folder of all.
pub fn expectation(version: &str, qemu: &Qemu) -> PathBuf {
    let folder = maps::folder(version).join(qemu.release_folder());
    folder.join("policies.snap")
}

/// The table, a line each: the cases, then what became of each way to ask.
pub fn table(engine: &Engine, case: &Case) -> Vec<String> {
    let mut lines: Vec<String> = SUBJECTS
        .iter()
        .map(|(model, feature, what)| format!("# {feature:<10}{model}: {what}"))
        .collect();
    let columns = SUBJECTS.map(|(_, feature, _)| feature.to_owned());
    lines.push(row("# asked for", &columns));
    let mut ways: Vec<Way> = vec![];
    for check in CHECKS {
        for matching in MATCHES {
            let of_policy = |policy| Way::Libvirt {
                check,
                matching,
                policy,
            };
            ways.extend(Policy::ALL.map(of_policy));
        }
    }
    for enforce in [false, true] {
        ways.extend([true, false].map(|on| Way::Qemu { on, enforce }));
    }
    let notes = Notes::default();
    let tried = |way: &Way| {
        let outcomes =
            SUBJECTS.map(|(model, feature, _)| way.outcome(engine, case, (model, feature), &notes));
        row(&way.name(), &outcomes)
    };
    let rows: Vec<String> = engine
        .bench
        .pool()
        .install(|| ways.par_iter().map(tried).collect());
    lines.extend(rows);
    let notes = notes.into_inner().unwrap_or_else(PoisonError::into_inner);
    lines.extend(notes.iter().flat_map(|note| wrapped(note, 160, "#   ")));
    lines
}

fn row(name: &str, cells: &[String; 4]) -> String {
    let [a, b, c, d] = cells;
    let row = format!("{name:<32}{a:<12}{b:<12}{c:<12}{d}");
    row.trim_end().to_owned()
}

/// The messages of the refusals, each once.
type Notes = Mutex<BTreeSet<String>>;

/// A way to ask for a feature.
enum Way {
    Libvirt {
        check: &'static str,
        matching: &'static str,
        policy: Policy,
    },
    Qemu {
        on: bool,
        enforce: bool,
    },
}

impl Way {
    fn name(&self) -> String {
        match self {
            Way::Libvirt {
                check,
                matching,
                policy,
            } => format!("{check:<9}{matching:<9}{}", policy.name()),
            Way::Qemu { on, enforce } => {
                let enforce = if *enforce { ",enforce" } else { "" };
                format!("-cpu M,F={}{enforce}", if *on { "on" } else { "off" })
            }
        }
    }

    fn outcome(
        &self,
        engine: &Engine,
        case: &Case,
        (model, feature): (&str, &str),
        notes: &Notes,
    ) -> String {
        let observed = match self {
            Way::Libvirt {
                check,
                matching,
                policy,
            } => {
                let cpu = GuestCpu {
                    matching: Some((*matching).to_owned()),
                    check: Some((*check).to_owned()),
                    features: vec![(feature.to_owned(), *policy)],
                    ..GuestCpu::custom(model)
                };
                let domain = domain(case, cpu.xml());
                boot_domain(&engine.bench, case, domain, &engine.bench.options)
            }
            Way::Qemu { on, enforce } => {
                let value = if *on { "on" } else { "off" };
                let enforce = if *enforce { ",enforce" } else { "" };
                engine.boot(
                    &case
                        .under_tcg()
                        .with_cpu(format!("{model},{feature}={value}{enforce}")),
                    &engine.bench.options,
                )
            }
        };
        outcome(engine, &observed, feature, notes)
    }
}

fn outcome(engine: &Engine, observed: &Observed, feature: &str, notes: &Notes) -> String {
    let map = engine.bench.libvirt.map().ok();
    let spot = map.and_then(|map| map.feature(feature)?.spots.first().copied());
    match (observed, spot) {
        (Ok(seen), Some(spot)) => {
            if has(&seen.dump, spot) {
                "given".to_owned()
            } else {
                "withheld".to_owned()
            }
        }
        (Ok(_), None) => "unknown".to_owned(),
        (Err(broken), _) => {
            let Refusal { cell, message } = refusal(broken);
            notes
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(format!("# {cell}: {message}"));
            cell.to_owned()
        }
    }
}

/// Who refused, and with which message.
struct Refusal {
    cell: &'static str,
    message: String,
}

/// Who refused: QEMU, or libvirt, either before the start, from what it thinks of the host, or after it, from what QEMU gave. virsh
/// prints libvirt's message and no error code, so that libvirt's two refusals can only be distinguished by their message.
fn refusal(broken: &Broken) -> Refusal {
    let of_libvirt = [
        ("guest cpu doesn't match specification", "by guest"),
        ("host cpu", "by host"),
    ];
    let reason = broken.reason.to_lowercase();
    let found = of_libvirt
        .into_iter()
        .find(|(message, _)| reason.contains(message));
    let cell = match found {
        _ if broken.refused_by_enforce() => "by QEMU",
        Some((_, cell)) => cell,
        None => "ERROR",
    };
    Refusal {
        cell,
        message: broken.last_message().replace("libvirt: ", ""),
    }
}

fn has(dump: &Dump, spot: Spot) -> bool {
    let Spot::Cpuid(bit) = spot else { return false };
    let boot = dump.boot_processor();
    let regs = boot.and_then(|boot| boot.cpuid(bit.key.leaf, bit.key.subleaf));
    regs.is_some_and(|regs| bit.is_set(regs))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vmm::failure::{BootFailure, BootFailureKind};

    #[test]
    fn a_refusal_names_who_refused() {
        use BootFailureKind as Kind;
        let cell = |kind, reason: &str| {
            let Refusal { cell, message } = refusal(&Broken::from(BootFailure::new(kind, reason)));
            format!("{cell}: {message}")
        };
        let guest =
            "unsupported configuration: guest CPU doesn't match specification: missing features: x";
        assert_eq!(
            cell(Kind::RefusedByLibvirt, &format!("libvirt: {guest}")),
            format!("by guest: {guest}")
        );
        let host =
            "the CPU is incompatible with host CPU: Host CPU does not provide required features: x";
        assert_eq!(
            cell(Kind::RefusedByLibvirt, &format!("libvirt: {host}")),
            format!("by host: {host}")
        );
        let enforce = "TCG doesn't support requested features";
        assert_eq!(
            cell(Kind::RefusedByEnforce(1), enforce),
            format!("by QEMU: {enforce}")
        );
        assert_eq!(cell(Kind::NotPrepared, "timed out"), "ERROR: timed out");
    }
}
