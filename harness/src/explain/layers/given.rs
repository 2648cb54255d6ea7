//! What the guest is given of what was asked for.

use super::row::{LayerRow, Step, absent, present, row};
use crate::case::{Accelerator, Starter};
use crate::explain::cause::Cause;
use crate::explain::evidence::{Claim, Evidence, Filtered, State};
use crate::explain::place::At;

/// What the guest is given of that.
pub(super) fn given_rows(evidence: &Evidence) -> Vec<LayerRow> {
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
        (State::Present, State::Absent) => Some(Cause::ShownUnasked {
            by: giver(evidence),
        }),
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
