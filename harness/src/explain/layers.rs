//! What each layer makes of a feature, from the hardware down to the guest, and what that comes to.

use serde::{Deserialize, Serialize};

use super::cause::Cause;
use super::evidence::{Claim, Evidence, HostEvidence, State};
use crate::case::Accelerator;

/// A layer on a feature's way from the hardware to the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// The processor.
    Hardware,
    /// The host's kernel.
    HostKernel,
    /// KVM's offer.
    Kvm,
    /// Whether QEMU has a name for it.
    QemuName,
    /// Any version of the model.
    Model,
    /// The version that is asked for.
    ModelVersion,
    /// The machine type's compat properties.
    MachineType,
    /// The flags in `-cpu`.
    Flags,
    /// What libvirt makes of it.
    Libvirt,
    /// What QEMU gives after filtering.
    Filtering,
    /// CPUID and MSRs of the guest.
    Guest,
    /// /proc/cpuinfo of a Linux guest.
    GuestKernel,
}

impl Step {
    /// The name that people read: `host kernel`, `QEMU's names`.
    pub fn name(self) -> &'static str {
        match self {
            Step::Hardware => "hardware",
            Step::HostKernel => "host kernel",
            Step::Kvm => "KVM",
            Step::QemuName => "QEMU's names",
            Step::Model => "model",
            Step::ModelVersion => "model version",
            Step::MachineType => "machine type",
            Step::Flags => "flags",
            Step::Libvirt => "libvirt",
            Step::Filtering => "filtering",
            Step::Guest => "guest",
            Step::GuestKernel => "guest kernel",
        }
    }
}

/// What one layer makes of the feature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerRow {
    /// The layer.
    pub layer: Step,
    /// Whether it has the feature.
    pub state: State,
    /// Where that was read: bit, QMP field, ioctl, file, line of the guest's dump.
    pub evidence: String,
    /// Why it has not got what the layer above has (or the other way round).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cause: Option<Cause>,
}

/// One row a layer, top to bottom.
pub fn layers(evidence: &Evidence) -> Vec<LayerRow> {
    let mut rows = Vec::new();
    if let Some(host) = &evidence.host {
        rows.extend(host_rows(host));
    }
    rows.extend(model_rows(evidence));
    rows.extend(case_rows(evidence));
    if let Some((claim, cause)) = &evidence.kernel {
        rows.push(row(Step::GuestKernel, claim, cause.clone()));
    }
    rows
}

/// What it comes to: where the feature was lost last, or that the guest has it.
pub fn verdict(rows: &[LayerRow]) -> String {
    let Some(guest) = rows.last() else {
        return "nothing is known".to_owned();
    };
    if guest.layer == Step::GuestKernel && guest.state == State::Present {
        return "the guest's kernel shows it".to_owned();
    }
    match (guest.state, &guest.cause) {
        (State::Unknown, _) => format!("unknown: {}", guest.evidence),
        (State::Present, None) => "the guest has it".to_owned(),
        (State::Present, Some(cause)) => format!("the guest has it: {cause}"),
        (State::Absent, _) => lost(rows),
    }
}

fn lost(rows: &[LayerRow]) -> String {
    let causes = |row: &&LayerRow| row.state != State::Present && row.cause.is_some();
    let Some(last) = rows.iter().rev().find(causes) else {
        return "the guest has not got it, and no layer says why".to_owned();
    };
    let cause = last.cause.as_ref().map_or(String::new(), Cause::to_string);
    let below =
        |row: &&LayerRow| matches!(row.layer, Step::Hardware | Step::HostKernel | Step::Kvm);
    let root = rows.iter().filter(below).find(causes);
    match (last.layer, root.and_then(|row| row.cause.as_ref())) {
        (Step::Filtering, Some(root)) => format!("{cause} ({root})"),
        _ => cause,
    }
}

fn row(layer: Step, claim: &Claim, cause: Option<Cause>) -> LayerRow {
    LayerRow {
        layer,
        state: claim.state,
        evidence: claim.evidence.clone(),
        cause,
    }
}

fn absent(claim: &Claim) -> bool {
    claim.state == State::Absent
}

fn present(claim: &Claim) -> bool {
    claim.state == State::Present
}

fn host_rows(host: &HostEvidence) -> [LayerRow; 3] {
    let hardware = absent(&host.hardware).then_some(Cause::NotInHardware);
    let kernel = (absent(&host.kernel) && !absent(&host.hardware)).then(|| match &host.parameter {
        Some(parameter) => Cause::KernelCommandLine {
            parameter: parameter.clone(),
        },
        None => Cause::LeftOutByHostKernel,
    });
    let taken = matches!(kernel, Some(Cause::KernelCommandLine { .. }));
    let kvm = match host.kvm.state {
        State::Present => absent(&host.hardware).then_some(Cause::OnlyEmulatedByKvm),
        State::Absent if host.emulated => Some(Cause::OnlyEmulatedByKvm),
        State::Absent if absent(&host.hardware) || taken => None,
        State::Absent => Some(match &host.option {
            Some(option) => Cause::ModuleOption {
                option: option.clone(),
            },
            None => Cause::KvmDoesNotKnow,
        }),
        State::Unknown => None,
    };
    [
        row(Step::Hardware, &host.hardware, hardware),
        row(Step::HostKernel, &host.kernel, kernel),
        row(Step::Kvm, &host.kvm, kvm),
    ]
}

fn model_rows(evidence: &Evidence) -> [LayerRow; 3] {
    let known = absent(&evidence.known).then(|| Cause::QemuDoesNotKnow {
        since: evidence.since.clone(),
    });
    let any = any_version(evidence);
    let named = known.is_none();
    let model = match absent(&any) {
        true if evidence.not_migratable => Some(Cause::NotMigratable),
        true if named => Some(Cause::NotInModel {
            model: evidence.model.clone(),
        }),
        _ => None,
    };
    let version = version(evidence);
    let first = evidence.versions.iter().find(|(_, claim)| present(claim));
    let lost = first.filter(|_| absent(&version));
    let in_version = lost.map(|(since, _)| Cause::NotInModelVersion {
        version: evidence.resolved.clone(),
        since: since.clone(),
    });
    [
        row(Step::QemuName, &evidence.known, known),
        row(Step::Model, &any, model),
        row(Step::ModelVersion, &version, in_version),
    ]
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

fn case_rows(evidence: &Evidence) -> Vec<LayerRow> {
    let removed = absent(&evidence.on_machine) && present(&version(evidence));
    let machine = removed.then(|| Cause::RemovedByMachineType {
        machine: evidence.machine.clone(),
    });
    let mut rows = vec![
        row(Step::MachineType, &evidence.on_machine, machine),
        row(Step::Flags, &evidence.with_flags, flags(evidence)),
    ];
    let libvirt = evidence.libvirt.as_ref();
    rows.extend(libvirt.map(|(claim, cause)| row(Step::Libvirt, claim, cause.clone())));
    rows.extend(
        evidence
            .given
            .as_ref()
            .map(|given| row(Step::Filtering, given, filtering(evidence, given))),
    );
    rows.push(row(Step::Guest, &evidence.guest, guest(evidence)));
    rows
}

/// Why the flags do not give it.
fn flags(evidence: &Evidence) -> Option<Cause> {
    if !absent(&evidence.with_flags) {
        return None;
    }
    let had = present(&evidence.on_machine);
    match (&evidence.flag, &evidence.needs) {
        (Some(flag), _) if !flag.on => had.then(|| Cause::TurnedOffByFlag {
            flag: flag.text.clone(),
        }),
        (_, Some(feature)) => Some(Cause::DependsOn {
            feature: feature.clone(),
        }),
        (asked, None) => (had || asked.is_some()).then(|| Cause::Withheld {
            by: "QEMU".to_owned(),
        }),
    }
}

fn filtering(evidence: &Evidence, given: &Claim) -> Option<Cause> {
    let by = match evidence.lane.run_as().accelerator {
        Accelerator::Kvm => "KVM",
        Accelerator::Tcg => "TCG",
    };
    match given.state {
        // What lacks a feature that it needs is marked as filtered too.
        State::Absent if evidence.filtered && evidence.needs.is_none() => {
            Some(Cause::Filtered { by: by.to_owned() })
        }
        State::Absent
            if evidence
                .libvirt
                .as_ref()
                .is_some_and(|(_, cause)| cause.is_some()) =>
        {
            None
        }
        State::Absent if present(&evidence.with_flags) => Some(match &evidence.off_by_default {
            Some(flags) => Cause::OffByDefault {
                flags: flags.clone(),
            },
            None => Cause::Withheld {
                by: "QEMU".to_owned(),
            },
        }),
        _ => None,
    }
}

/// The guest's last layer above is what QEMU reports that it gives, or the definition where nothing is filtered.
fn guest(evidence: &Evidence) -> Option<Cause> {
    let above = evidence.given.as_ref().unwrap_or(&evidence.with_flags);
    let by = match evidence.lane.run_as().accelerator {
        Accelerator::Kvm => "KVM",
        Accelerator::Tcg => "QEMU",
    };
    let by = by.to_owned();
    match (above.state, evidence.guest.state) {
        (State::Present, State::Absent) => Some(Cause::Withheld { by }),
        (State::Absent, State::Present) => Some(Cause::ShownUnasked { by }),
        _ => None,
    }
}

#[cfg(test)]
#[path = "layers_tests.rs"]
mod tests;
