//! All checks over one case. Each rule runs where its inputs are there, whoever gathered them: a run, a record, a bug report.

use super::agreement::{Layers, agreement};
use super::behaviour::{self, Facts};
use super::finding::{Finding, Layer};
use super::identity::identity;
use super::kvm_given::{given_and_kept, given_and_seen};
use super::kvm_supported::supported_by_hardware;
use super::kvm_table::beyond_supported;
use super::linux::{Guest, linux};
use super::linux_hwcap::auxiliary_vector;
use super::promise::promise;
use super::topology::linux::linux_topology;
use super::topology::{Asked, as_asked};
use super::user_space::user_space_and_agent;
use super::{architecture, host_cpus, libvirt_live, self_consistency};
use crate::case::guest::{HOST, SUPPORTED};
use crate::case::{Accelerator, Starter};
use crate::cpuid::{LinuxRules, Table};
use crate::evidence::Evidence;

/// The tables that rules are about.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// The feature table.
    pub table: &'a Table,
    /// What Linux makes of CPUID; `None` where no Linux guest is to be checked.
    pub linux: Option<&'a LinuxRules>,
    /// What probes do otherwise than the manual has it, by who runs the guest; `None` where behaviour is not to be checked.
    pub behaviour: Option<&'a Facts>,
}

/// A rule: what the layers of a case contradict one another in; nothing where it has no inputs.
type Rule = fn(&Evidence, Rules<'_>) -> Vec<Finding>;

/// Every rule over one case, in the order of reports.
const RULES: [Rule; 13] = [
    of_qemu,
    of_smp,
    of_identity,
    of_the_promise,
    of_the_guest_itself,
    of_the_architecture,
    of_a_given_table,
    of_kvm_and_hardware,
    of_a_table_beyond_kvm,
    of_the_host,
    of_libvirt,
    of_linux,
    of_behaviour,
];

/// Everything that the layers of a case contradict one another in.
pub fn all(evidence: &Evidence, rules: Rules<'_>) -> Vec<Finding> {
    RULES
        .iter()
        .flat_map(|rule| rule(evidence, rules))
        .collect()
}

/// What QEMU reports over QMP and on stderr, and what the guest has. Where features are forced nothing is filtered.
fn of_qemu(evidence: &Evidence, rules: Rules<'_>) -> Vec<Finding> {
    let Some(qemu) = evidence
        .qemu
        .as_ref()
        .filter(|_| is_agent_of_qemu(evidence))
    else {
        return Vec::new();
    };
    // Under KVM QEMU adds and removes features by default (kvm_default_props), so the definition is no measure there.
    let uses_kvm = evidence.case.uses_kvm();
    agreement(Layers {
        definition: evidence.definition.as_ref().filter(|_| !uses_kvm),
        guest: &evidence.guest,
        below: if uses_kvm { Layer::Kvm } else { Layer::Qemu },
        qemu,
        table: rules.table,
    })
}

/// The guest's vCPUs and their topology against its `-smp`, which every guest of QEMU's has.
fn of_smp(evidence: &Evidence, rules: Rules<'_>) -> Vec<Finding> {
    let asked = Asked::of_case(&evidence.case).filter(|_| !evidence.guest.vcpus.is_empty());
    asked
        .map(|asked| as_asked(&evidence.guest, asked, &Layer::Qemu, rules.table))
        .unwrap_or_default()
}

/// Whose CPU the guest shows, and whose was promised.
fn of_identity(evidence: &Evidence, rules: Rules<'_>) -> Vec<Finding> {
    if is_compared_whole(evidence) {
        return Vec::new();
    }
    identity(evidence, rules.table)
}

/// The features of the model's reviewed definition.
fn of_the_promise(evidence: &Evidence, rules: Rules<'_>) -> Vec<Finding> {
    if is_compared_whole(evidence) {
        return Vec::new();
    }
    promise(evidence, rules.table)
}

/// Whether the guest is compared whole with its model's reviewed definition, as an expectation: a model as it is, with forced features.
/// What such a definition contradicts in the architecture was found when it was reviewed (tests/replay/rules.rs).
fn is_compared_whole(evidence: &Evidence) -> bool {
    let case = &evidence.case;
    case.run_as.compares_whole(&case.cpu, &case.smp) && evidence.promised.is_some()
}

/// The guest's CPUID and MSRs against its vendor's manual and themselves. A table that QEMU did not choose need not agree with
/// itself, what is forced may well contradict itself, and libvirt has no hand in it.
fn of_the_guest_itself(evidence: &Evidence, rules: Rules<'_>) -> Vec<Finding> {
    if !is_agent_of_qemu(evidence) {
        return Vec::new();
    }
    self_consistency::all(&evidence.guest, evidence.case.run_as, rules.table)
}

/// What CPUID and MSRs of any guest of a QEMU contradict in the architecture: forced or filtered, started by libvirt, with a Linux kernel.
fn of_the_architecture(evidence: &Evidence, rules: Rules<'_>) -> Vec<Finding> {
    let run_as = evidence.case.run_as;
    let by_qemu = matches!(run_as.starter, Starter::Qemu | Starter::Libvirt);
    if !by_qemu || is_compared_whole(evidence) {
        return Vec::new();
    }
    architecture::all(&evidence.guest, run_as.accelerator, rules.table)
}

/// Whether QEMU chose the CPUID of the agent's guest, and could filter it.
fn is_agent_of_qemu(evidence: &Evidence) -> bool {
    let run_as = evidence.case.run_as;
    let by_qemu = run_as.starter == Starter::Qemu && !run_as.forced_features;
    by_qemu && !evidence.is_linux()
}

/// What KVM made of the CPUID table that it was given.
fn of_a_given_table(evidence: &Evidence, rules: Rules<'_>) -> Vec<Finding> {
    if evidence.given.is_empty() {
        return Vec::new();
    }
    let mut changes = given_and_seen(&evidence.given, &evidence.guest, rules.table);
    for (given, kept) in evidence.given.iter().zip(&evidence.kept) {
        changes.extend(given_and_kept(given, kept, rules.table));
    }
    changes
}

/// What KVM calls supported, and the hardware below it.
fn of_kvm_and_hardware(evidence: &Evidence, rules: Rules<'_>) -> Vec<Finding> {
    let asked = evidence.case.cpu == SUPPORTED;
    let Some(host) = evidence.host.as_deref().filter(|_| asked) else {
        return Vec::new();
    };
    let kvm = evidence.kvm.value().map(|kvm| &kvm.supported);
    let supported = evidence.given.first().or(kvm);
    let check = |supported| supported_by_hardware(supported, host, rules.table);
    supported.map(check).unwrap_or_default()
}

/// A table that somebody made for KVM, and what KVM supports. A definition that is given whole is no such table: it is to announce more.
fn of_a_table_beyond_kvm(evidence: &Evidence, rules: Rules<'_>) -> Vec<Finding> {
    let kvm = evidence.kvm.value();
    let kvm = kvm.filter(|_| evidence.case.is_of_a_file());
    let given = evidence.given.first();
    given
        .zip(kvm)
        .map(|(given, kvm)| beyond_supported(given, &kvm.supported, rules.table))
        .unwrap_or_default()
}

/// The processors of a host against one another.
fn of_the_host(evidence: &Evidence, rules: Rules<'_>) -> Vec<Finding> {
    let asked = evidence.case.cpu == HOST && evidence.guest.vcpus.is_empty();
    let host = evidence.host.as_deref().filter(|_| asked);
    host.map(|host| host_cpus::differences(host, rules.table))
        .unwrap_or_default()
}

/// libvirt's live XML and the guest.
fn of_libvirt(evidence: &Evidence, rules: Rules<'_>) -> Vec<Finding> {
    let layer = evidence.libvirt.as_ref();
    layer
        .map(|layer| libvirt_live::all(layer, &evidence.guest, rules.table))
        .unwrap_or_default()
}

/// What the kernel of a Linux guest shows, its `-smp` and CPUID of the same guest; its user space, and the agent on the same CPU.
fn of_linux(evidence: &Evidence, rules: Rules<'_>) -> Vec<Finding> {
    let Some(report) = evidence.linux_report() else {
        return Vec::new();
    };
    let asked = Asked::of_case(&evidence.case);
    let mut changes = asked
        .map(|asked| linux_topology(&report, &evidence.guest, asked, rules.table))
        .unwrap_or_default();
    if let (Some(names), Some(linux_rules)) = (&evidence.kernel_names, rules.linux) {
        let guest = Guest {
            report: &report,
            dump: &evidence.guest,
            names,
            table: rules.table,
            rules: linux_rules,
        };
        changes.extend(linux(guest));
        changes.extend(auxiliary_vector(guest));
    }
    if let Some(agent) = &evidence.bare_metal {
        changes.extend(user_space_and_agent(&evidence.guest, agent, rules.table));
    }
    changes
}

/// What the guest does, against what CPUID says that it can.
fn of_behaviour(evidence: &Evidence, rules: Rules<'_>) -> Vec<Finding> {
    let facts = rules.behaviour.into_iter();
    facts
        .flat_map(|facts| behaviour::findings(evidence, facts, rules.table))
        .collect()
}

/// Everything that the layers of a record contradict one another in.
///
/// # Errors
/// A layer that its rules need is missing.
pub fn checked(evidence: &Evidence, rules: Rules<'_>) -> Result<Vec<Finding>, Lacking> {
    complete(evidence)?;
    Ok(all(evidence, rules))
}

/// Why a case cannot be checked from its evidence: a layer that every guest of its kind has is missing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the evidence has no {0}, which checks of this case need")]
pub struct Lacking(&'static str);

/// Refuses evidence without a layer that its rules need: a check that has no inputs would pass unseen.
///
/// # Errors
/// The layer that is missing.
pub fn complete(evidence: &Evidence) -> Result<(), Lacking> {
    let case = &evidence.case;
    let tcg = case.run_as.accelerator == Accelerator::Tcg;
    if case.run_as.starter != Starter::Nobody && evidence.guest.vcpus.is_empty() {
        return Err(Lacking("vCPU of the guest"));
    }
    if evidence.guest.has_cpuid && !evidence.guest.shows_anything() {
        return Err(Lacking("answer of CPUID"));
    }
    if is_agent_of_qemu(evidence) {
        if evidence.qemu.is_none() {
            return Err(Lacking("QEMU layer"));
        }
        if tcg && evidence.definition.is_none() {
            return Err(Lacking("definition"));
        }
    }
    if case.has_qemu() && Asked::of_case(case).is_none() {
        return Err(Lacking("-smp"));
    }
    match case.run_as.starter {
        Starter::Libvirt if evidence.libvirt.is_none() => Err(Lacking("libvirt layer")),
        Starter::Harness if evidence.given.is_empty() => Err(Lacking("CPUID table given to KVM")),
        Starter::Harness if case.is_of_a_file() && evidence.kvm.value().is_none() => {
            Err(Lacking("what KVM supports"))
        }
        Starter::Harness if case.cpu == SUPPORTED && evidence.host.is_none() => Err(NO_HOST),
        Starter::Nobody if case.cpu == HOST && evidence.host.is_none() => Err(NO_HOST),
        _ if evidence.is_linux() => complete_linux(evidence),
        _ => Ok(()),
    }
}

const NO_HOST: Lacking = Lacking("host layer");

fn complete_linux(evidence: &Evidence) -> Result<(), Lacking> {
    if evidence.linux_report().is_none() {
        return Err(Lacking("/proc/cpuinfo of the guest"));
    }
    if evidence.bare_metal.is_none() {
        return Err(Lacking("dump without an operating system"));
    }
    if evidence.kernel_names.is_none() {
        return Err(Lacking("names that the kernel knows"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::fixture::qemu;
    use crate::case::{Case, Lane};
    use crate::cpuid::{Dump, Vcpu};
    use crate::evidence::RecordedCase;

    /// Evidence of a guest with one vCPU and no other layer.
    fn bare(lane: Lane, cpu: &str) -> Evidence {
        let case = Case::new(&qemu("10.0", &[], &[]), lane, "pc-q35-10.0", cpu);
        Evidence {
            guest: Dump {
                vcpus: vec![Vcpu::default()],
                ..Dump::default()
            },
            ..Evidence::new(&case)
        }
    }

    fn lacks(evidence: &Evidence) -> Option<&'static str> {
        complete(evidence).err().map(|Lacking(layer)| layer)
    }

    #[test]
    fn a_guest_without_a_vcpu_is_no_evidence_in_any_lane() {
        for lane in [Lane::DEFINITION, Lane::TCG, Lane::KVM, Lane::KVM_DIRECT] {
            let evidence = Evidence {
                guest: Dump::default(),
                ..bare(lane, "EPYC")
            };
            assert_eq!(lacks(&evidence), Some("vCPU of the guest"), "{lane}");
        }
    }

    #[test]
    fn a_guest_that_answered_nothing_is_no_evidence() {
        let mut evidence = bare(Lane::DEFINITION, "EPYC");
        evidence.guest.has_cpuid = true;
        assert_eq!(lacks(&evidence), Some("answer of CPUID"));
    }

    #[test]
    fn a_layer_that_rules_need_is_missed() {
        for (lane, cpu, missing) in [
            (Lane::TCG, "EPYC", Some("QEMU layer")),
            (Lane::KVM, "EPYC", Some("QEMU layer")),
            (Lane::LIBVIRT, "EPYC", Some("libvirt layer")),
            (Lane::KVM_DIRECT, "EPYC", Some("CPUID table given to KVM")),
            (Lane::DEFINITION, "EPYC", None),
        ] {
            assert_eq!(lacks(&bare(lane, cpu)), missing, "{lane}");
        }
    }

    #[test]
    fn every_lane_with_an_smp_has_its_vcpus_and_topology_checked() {
        let table = crate::check::fixture::table();
        let rules = Rules {
            table: &table,
            linux: None,
            behaviour: None,
        };
        let found = |lane: Lane, smp: &str| {
            let mut evidence = bare(lane, "EPYC");
            evidence.case.smp = smp.to_owned();
            let ids = [0, 1].map(|id| {
                let rows = [crate::check::fixture::vendor(0xB, "GenuineIntel")];
                crate::check::fixture::vcpu(id, &rows)
            });
            evidence.guest.vcpus = ids.into();
            crate::check::fixture::sentences(&of_smp(&evidence, rules))
        };
        let missing = ["vcpus: changed vcpus : 3; 2"];
        for lane in [
            Lane::DEFINITION,
            Lane::TCG,
            Lane::KVM,
            Lane::LIBVIRT,
            Lane::LINUX,
        ] {
            assert_eq!(
                found(lane, "2,sockets=2,cores=1,threads=1"),
                Vec::<String>::new(),
                "{lane}"
            );
            assert_eq!(
                found(lane, "3,sockets=3,cores=1,threads=1"),
                missing,
                "{lane}"
            );
            let socket = "topology: changed apic-id vcpu1: an APIC id of a socket below 1; socket 1, APIC id 1";
            let single = found(lane, "1,sockets=1,cores=1,threads=1");
            assert!(single.contains(&socket.to_owned()), "{single:?}");
        }
        assert_eq!(found(Lane::KVM_DIRECT, "3"), Vec::<String>::new());
    }

    #[test]
    fn libvirt_makes_a_socket_of_each_vcpu() {
        let asked = |lane| {
            Asked::of_case(&RecordedCase {
                smp: "4".into(),
                ..bare(lane, "EPYC").case
            })
        };
        let sockets = |lane| asked(lane).and_then(|asked| asked.parts?.sockets);
        assert_eq!(sockets(Lane::LIBVIRT), Some(4));
        assert_eq!(sockets(Lane::TCG), Some(1));
    }

    #[test]
    fn a_host_that_could_not_be_asked_is_missed() {
        let mut evidence = bare(Lane::KVM_DIRECT, HOST);
        evidence.case.run_as.starter = Starter::Nobody;
        evidence.guest = Dump::default();
        assert_eq!(lacks(&evidence), Some("host layer"));
        let mut evidence = bare(Lane::KVM_DIRECT, SUPPORTED);
        evidence.given.push(crate::vmm::kvm::CpuidTable::default());
        assert_eq!(lacks(&evidence), Some("host layer"));
    }
}
