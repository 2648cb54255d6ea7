//! What is asked for, before anything is filtered.

use super::row::{LayerRow, Step, absent, present, row};
use crate::explain::cause::Cause;
use crate::explain::evidence::{Claim, Evidence, State};

/// What is asked for: QEMU's names, the model, the machine type, the accelerator's defaults, the flags.
pub(super) fn asked_rows(evidence: &Evidence) -> Vec<LayerRow> {
    let known = absent(&evidence.known).then(|| Cause::QemuDoesNotKnow {
        since: evidence.since.clone(),
    });
    let any = any_version(evidence);
    let version = version(evidence);
    let machine = &evidence.on_machine;
    let mut rows = vec![
        row(Step::QemuName, &evidence.known, known),
        row(Step::Model, &any, model(evidence, &any)),
        row(Step::ModelVersion, &version, in_version(evidence, &version)),
        row(Step::MachineType, machine, removed(evidence, &version)),
    ];
    let under_kvm = evidence.under_kvm.as_ref();
    rows.extend(under_kvm.map(|claim| row(Step::UnderKvm, claim, off_by_default(evidence, claim))));
    rows.push(row(Step::Flags, &evidence.with_flags, flags(evidence)));
    rows
}

/// Why no version of the model has it.
fn model(evidence: &Evidence, any: &Claim) -> Option<Cause> {
    match any.state {
        _ if evidence.not_migratable => Some(Cause::NotMigratable),
        State::Absent if absent(&evidence.known) => None,
        State::Absent if evidence.at.is_hypervisors() => not_asked(evidence),
        State::Absent => Some(match &evidence.needs {
            Some(feature) if evidence.dependent => Cause::DependsOn {
                feature: feature.clone(),
            },
            _ => Cause::NotInModel {
                model: evidence.model.clone(),
            },
        }),
        _ => None,
    }
}

fn in_version(evidence: &Evidence, version: &Claim) -> Option<Cause> {
    let first = evidence.versions.iter().find(|(_, claim)| present(claim));
    let lost = first.filter(|_| absent(version));
    lost.map(|(since, _)| Cause::NotInModelVersion {
        version: evidence.resolved.clone(),
        since: since.clone(),
    })
}

fn removed(evidence: &Evidence, version: &Claim) -> Option<Cause> {
    let removed = absent(&evidence.on_machine) && present(version);
    removed.then(|| Cause::RemovedByMachineType {
        machine: evidence.machine.clone(),
    })
}

/// No model has a hypervisor's features.
fn not_asked(evidence: &Evidence) -> Option<Cause> {
    let flag = evidence.asks_for.clone();
    flag.map(|flag| Cause::NotAsked { flag })
}

fn off_by_default(evidence: &Evidence, under_kvm: &Claim) -> Option<Cause> {
    if evidence.at.is_hypervisors() && absent(under_kvm) {
        return not_asked(evidence);
    }
    let of_host = evidence.versions.is_empty() && absent(under_kvm);
    let offered = evidence
        .host
        .as_ref()
        .is_some_and(|host| present(&host.kvm));
    if let Some(feature) = evidence.needs.clone().filter(|_| of_host && offered) {
        return Some(Cause::DependsOn { feature });
    }
    let off = present(&evidence.on_machine) && absent(under_kvm);
    let flags = evidence.asks_for.clone().filter(|_| off)?;
    Some(Cause::OffByDefault { flags })
}

fn any_version(evidence: &Evidence) -> Claim {
    let versions = &evidence.versions;
    let having: Vec<&str> = versions
        .iter()
        .filter(|(_, claim)| present(claim))
        .map(|(name, _)| name.as_str())
        .collect();
    let unknown = versions
        .iter()
        .find(|(_, claim)| claim.state == State::Unknown);
    match (having.as_slice(), unknown) {
        _ if evidence.not_migratable => {
            Claim::new(State::Absent, "with migratable=off the guest has it")
        }
        ([], None) if versions.is_empty() => {
            Claim::unknown(format!("{} has no definition of its own", evidence.model))
        }
        ([], None) => Claim::new(
            State::Absent,
            format!("definition of none of its {} versions", versions.len()),
        ),
        ([], Some((_, claim))) => claim.clone(),
        (having, _) => Claim::new(
            State::Present,
            format!("definition of {}", having.join(", ")),
        ),
    }
}

fn version(evidence: &Evidence) -> Claim {
    let mut versions = evidence.versions.iter();
    let found = versions.find(|(name, _)| *name == evidence.resolved);
    found.map_or_else(
        || {
            Claim::unknown(format!(
                "{} has no definition of its own",
                evidence.resolved
            ))
        },
        |(_, claim)| claim.clone(),
    )
}

/// Why the flags do not give it.
fn flags(evidence: &Evidence) -> Option<Cause> {
    if !absent(&evidence.with_flags) {
        return None;
    }
    if let Some(with) = &evidence.conflict {
        return Some(Cause::Conflicts { with: with.clone() });
    }
    if let Some(flag) = &evidence.taken_by {
        return Some(Cause::TurnedOffByFlag {
            flag: flag.text.clone(),
        });
    }
    let before = evidence.under_kvm.as_ref().unwrap_or(&evidence.on_machine);
    let asked = evidence.flag.as_ref().is_some_and(|flag| flag.on);
    match &evidence.needs {
        Some(feature) if asked => Some(Cause::DependsOn {
            feature: feature.clone(),
        }),
        _ => (asked || present(before)).then(|| Cause::Withheld {
            by: "QEMU".to_owned(),
        }),
    }
}
