//! What a dump of a guest contradicts in what was promised to it, where only its dump and its command line are known.

use std::collections::BTreeSet;

use super::finding::{Finding, Layer};
use super::identity::{identity, promised_fields};
use super::promise::{due, promise};
use super::shown::Shown;
use super::topology::leaves::topology;
use super::topology::{Asked, as_asked};
use crate::case::{Accelerator, Lane, RunAs, Starter, Topology};
use crate::cpuid::Dump;
use crate::cpuid::table::Table;
use crate::evidence::{Evidence, Promised, RecordedCase};
use crate::host::Found;
use crate::input::Input;

mod argument;

/// What was promised to a guest, and of which QEMU.
#[derive(Clone, Debug)]
pub struct Promise {
    /// `11.1`.
    pub release: String,
    /// The `-machine` argument.
    pub machine: String,
    /// The `-cpu` argument.
    pub cpu: String,
    /// The `-smp` argument.
    pub smp: Topology,
    /// The reviewed definition of the model; `None` of one that nobody recorded.
    pub promised: Option<Promised>,
}

/// What came of comparing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Where the guest is another than was promised.
    pub findings: Vec<Finding>,
    /// What was promised and the input does not say.
    pub unknown: Vec<String>,
}

/// Compares the guest with what was promised. Nobody says what QEMU filtered, so what the model has and the guest lacks is a finding.
pub fn of_guest(input: &Input, promised: &Promise, table: &Table) -> Compared {
    let Some(dump) = input.dump().filter(Dump::shows_anything) else {
        return Compared::default();
    };
    let shown = Shown::new(input, table);
    let evidence = evidence(dump, promised);
    let mut findings = placed(&evidence, &shown, table);
    findings.extend(identity(&evidence, table));
    findings.extend(promise(&evidence, table));
    findings.extend(argument::beside_the_model(&evidence, &shown, table));
    findings.retain(|finding| shown.says(&finding.place));
    Compared {
        findings,
        unknown: unknown(&evidence, &shown, table),
    }
}

/// Nobody but our own agent says that it shows all vCPUs there are.
fn placed(evidence: &Evidence, shown: &Shown<'_>, table: &Table) -> Vec<Finding> {
    let Some(asked) = Asked::of_case(&evidence.case) else {
        return Vec::new();
    };
    let layer = Layer::Qemu;
    if shown.has_all_vcpus() {
        as_asked(&evidence.guest, asked, &layer, table)
    } else {
        topology(&evidence.guest, asked.parts.as_ref(), layer, table)
    }
}

/// What was promised, and is not in the input.
fn unknown(evidence: &Evidence, shown: &Shown<'_>, table: &Table) -> Vec<String> {
    let vcpus = Asked::of_case(&evidence.case).map_or(1, |asked| asked.vcpus);
    let mut unknown = Vec::new();
    if vcpus > 1 && !shown.has_all_vcpus() {
        unknown.push(format!("vCPUs 2 to {vcpus}"));
    }
    match due(evidence, table) {
        Some(features) => unknown.extend(shown.unknown(features)),
        None => unknown.push(format!(
            "identity and features of {}, which nobody recorded",
            evidence.case.cpu
        )),
    }
    unknown.extend(shown.unknown(promised_fields(evidence, table)));
    unknown.extend(argument::unknown(evidence, shown, table));
    let mut seen = BTreeSet::new();
    unknown.retain(|name| seen.insert(name.clone()));
    unknown
}

fn evidence(guest: Dump, promised: &Promise) -> Evidence {
    let case = RecordedCase {
        qemu: promised.release.clone(),
        lane: Lane::KVM,
        run_as: RunAs {
            accelerator: Accelerator::Kvm,
            starter: Starter::Qemu,
            // Nothing is filtered but what somebody reports, and nobody does.
            forced_features: true,
        },
        machine: promised.machine.clone(),
        cpu: promised.cpu.clone(),
        smp: promised.smp.as_str().to_owned(),
        host: None,
    };
    Evidence {
        record: crate::evidence::record::VERSION,
        case,
        command: Vec::new(),
        host: None,
        kvm: Found::default(),
        qemu: None,
        definition: None,
        promised: promised.promised.clone(),
        given: Vec::new(),
        kept: Vec::new(),
        libvirt: None,
        bare_metal: None,
        kernel_names: None,
        guest,
    }
}
