//! What each layer makes of a feature, from the hardware down to the guest.

use serde::{Deserialize, Serialize};

use super::cause::Cause;
use super::evidence::{Claim, Evidence, Filtered, HostEvidence, State};
use super::place::At;
use crate::case::{Accelerator, Starter};

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
    /// What QEMU changes in a model under KVM.
    UnderKvm,
    /// The flags in `-cpu`.
    Flags,
    /// What libvirt makes of it.
    Libvirt,
    /// What QEMU gives after filtering.
    Filtering,
    /// Where Hyper-V puts KVM's leaves.
    HyperV,
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
            Step::UnderKvm => "under KVM",
            Step::Flags => "flags",
            Step::Libvirt => "libvirt",
            Step::Filtering => "filtering",
            Step::HyperV => "Hyper-V",
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
    rows.extend(forgiven(evidence, asked_rows(evidence)));
    rows.extend(given_rows(evidence));
    if let Some((claim, cause)) = &evidence.kernel {
        rows.push(row(Step::GuestKernel, claim, cause.clone()));
    }
    rows
}

/// What a later layer or the guest has was not lost by an earlier one.
fn forgiven(evidence: &Evidence, mut rows: Vec<LayerRow>) -> Vec<LayerRow> {
    let last = rows.iter().rposition(|row| row.state == State::Present);
    let until = if present(&evidence.guest) { rows.len() } else { last.unwrap_or(0) };
    rows.iter_mut().take(until).for_each(|row| row.cause = None);
    rows
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

/// What is asked for: QEMU's names, the model, the machine type, the accelerator's defaults, the flags.
fn asked_rows(evidence: &Evidence) -> Vec<LayerRow> {
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
    if evidence.at.is_kvms() && absent(under_kvm) {
        return not_asked(evidence);
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

/// What the guest is given of that.
fn given_rows(evidence: &Evidence) -> Vec<LayerRow> {
    let mut rows = Vec::new();
    let libvirt = evidence.libvirt.as_ref();
    rows.extend(libvirt.map(|(claim, cause)| row(Step::Libvirt, claim, cause.clone())));
    let given = evidence.given.as_ref();
    rows.extend(given.map(|given| row(Step::Filtering, given, filtering(evidence, given))));
    if evidence.moved {
        let signed = "CPUID.40000000H is signed by Hyper-V: KVM's leaves start at 40000100H";
        let claim = Claim::new(evidence.guest.state, signed);
        rows.push(row(Step::HyperV, &claim, None));
    }
    rows.push(row(Step::Guest, &evidence.guest, guest(evidence)));
    rows
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

fn filtering(evidence: &Evidence, given: &Claim) -> Option<Cause> {
    if !absent(given) {
        return None;
    }
    if let Some(with) = &evidence.conflict {
        return Some(Cause::Conflicts { with: with.clone() });
    }
    let by = match evidence.run_as.accelerator {
        Accelerator::Kvm => "KVM",
        Accelerator::Tcg => "TCG",
    };
    let by_libvirt = matches!(&evidence.libvirt, Some((_, Some(_))));
    match evidence.filtered {
        // What lacks a feature that it needs is marked as filtered too.
        Filtered::Unsupported if evidence.needs.is_none() => {
            Some(Cause::Filtered { by: by.to_owned() })
        }
        _ if by_libvirt || !present(&evidence.with_flags) => None,
        _ if evidence.run_as.starter == Starter::Harness => Some(Cause::NotInGivenDefinition),
        Filtered::No => Some(Cause::Withheld {
            by: "QEMU".to_owned(),
        }),
        _ => None,
    }
}

/// Why the guest shows something else than the last layer above it that is known: what QEMU reports that it gives, or what was asked for.
fn guest(evidence: &Evidence) -> Option<Cause> {
    let given = evidence.given.as_ref();
    let given = given.filter(|given| given.state != State::Unknown);
    let above = given.unwrap_or(&evidence.with_flags);
    match (evidence.guest.state, above.state) {
        (State::Present, _) if evidence.moved => moved(evidence),
        (State::Present, State::Absent) => Some(Cause::ShownUnasked { by: giver(evidence) }),
        (State::Absent, above) => lost(evidence, above),
        _ => None,
    }
}

fn moved(evidence: &Evidence) -> Option<Cause> {
    match evidence.at.moved() {
        At::Cpuid(bit) => Some(Cause::MovedByHyperV { leaf: bit.key.leaf }),
        At::Msr(..) => None,
    }
}

/// Why the guest lacks it, given what the layer above has.
fn lost(evidence: &Evidence, above: State) -> Option<Cause> {
    let known = present(&evidence.known);
    let tcg = evidence.run_as.accelerator == Accelerator::Tcg;
    match evidence.at {
        At::Msr(..) if tcg && known => return Some(Cause::NoFeatureMsrs),
        at if at.is_hypervisors() && tcg && known => return Some(Cause::OnlyUnderKvm),
        at if at.is_moved() && known && !evidence.moved => return Some(Cause::NotMoved),
        _ => {}
    }
    if above != State::Present {
        return None;
    }
    if let Some((base, last)) = evidence.level {
        return Some(Cause::BeyondLevel { base, last });
    }
    Some(match &evidence.owner {
        Some(feature) => Cause::DependsOn {
            feature: feature.clone(),
        },
        None => Cause::Withheld {
            by: giver(evidence),
        },
    })
}

/// Who stands between what is reported as given and the guest.
fn giver(evidence: &Evidence) -> String {
    let name = match (evidence.run_as.accelerator, evidence.run_as.starter) {
        (Accelerator::Tcg, _) => "QEMU",
        (Accelerator::Kvm, Starter::Harness) => "KVM",
        (Accelerator::Kvm, _) => "QEMU or KVM",
    };
    name.to_owned()
}

#[cfg(test)]
#[path = "layers_tests.rs"]
mod tests;
