//! What a dump of a guest contradicts in what was promised to it, where only its dump and its command line are known.

use super::finding::{Finding, Kind, Layer};
use super::identity::identity;
use super::place::Location;
use super::promise::promise;
use super::topology::leaves::topology;
use super::topology::{Asked, as_asked};
use crate::case::{Accelerator, Lane, RunAs, Starter, Topology};
use crate::cpuid::Dump;
use crate::cpuid::answers::Key;
use crate::cpuid::table::Table;
use crate::evidence::{Evidence, Promised, RecordedCase};
use crate::host::Found;
use crate::input::{Coverage, Input};

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
    /// Promised features in leaves that the input does not have: nobody can say whether the guest has them.
    pub unknown: Vec<String>,
}

/// Compares the guest with what was promised. Nobody says what QEMU filtered, so what the model has and the guest lacks is a finding.
pub fn of_guest(input: &Input, promised: &Promise, table: &Table) -> Compared {
    let Some(dump) = input.dump().filter(Dump::shows_anything) else {
        return Compared::default();
    };
    let evidence = evidence(dump, promised);
    let mut found = placed(&evidence, table);
    found.extend(identity(&evidence, table));
    found.extend(promise(&evidence, table));
    let whole = matches!(input.coverage, Coverage::Whole | Coverage::WithoutZeroes);
    let is_known = |finding: &Finding| whole || is_read(finding, &evidence.guest);
    let (findings, unread): (Vec<Finding>, Vec<Finding>) = found.into_iter().partition(is_known);
    let unknown = unread.into_iter().map(|finding| finding.name);
    Compared {
        findings,
        unknown: unknown.collect(),
    }
}

/// A dump of one processor of several says nothing of the others.
fn placed(evidence: &Evidence, table: &Table) -> Vec<Finding> {
    let Some(asked) = Asked::of_case(&evidence.case) else {
        return Vec::new();
    };
    let layer = Layer::Qemu;
    match evidence.guest.vcpus.len() {
        1 => topology(&evidence.guest, asked.parts.as_ref(), layer, table),
        _ => as_asked(&evidence.guest, asked, &layer, table),
    }
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

/// Whether an excerpt has the leaf of which something is missing.
fn is_read(finding: &Finding, guest: &Dump) -> bool {
    let Location::Cpuid { key, .. } = &finding.place.location else {
        return true;
    };
    let Key { leaf, subleaf } = *key;
    let boot = guest.boot_processor();
    finding.kind != Kind::Lost || boot.is_some_and(|boot| boot.cpuid(leaf, subleaf).is_some())
}
