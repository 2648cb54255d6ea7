//! What KVM offers, as an input: its supported CPUID and its feature MSRs.

use std::collections::BTreeMap;

use cpuid_fidelity::case::guest::SUPPORTED;
use cpuid_fidelity::case::{Case, Lane, Qemu, Topology};
use cpuid_fidelity::cpuid::Dump;
use cpuid_fidelity::cpuid::dump::PhaseDump;
use cpuid_fidelity::host::KvmLayer;
use cpuid_fidelity::input::machine::readings;
use cpuid_fidelity::input::{Format, Input};
use fidelity_protocol::frame::Phase;

use crate::cli::common::kernel::Kernel;
use crate::cli::common::place::{self, Guest};
use crate::cli::context::Context;

/// The machine whose KVM is asked; no guest runs.
pub fn case(context: &Context, kernel: &Kernel) -> anyhow::Result<Case> {
    let guest = Guest {
        qemu: Qemu::none().into(),
        lane: Lane::KVM_DIRECT,
        machine: "q35",
        cpu: SUPPORTED,
        smp: &Topology::single(),
        kernel,
    };
    place::case(context, &guest)
}

/// What KVM says that a guest may have.
pub fn input(case: &Case, layer: &KvmLayer) -> Input {
    let rows = layer.supported.0.iter();
    let answers = rows.map(|row| (row.key, row.regs)).collect();
    let mut dump = Dump::of_answers(answers);
    let values = layer.feature_msrs.value();
    let msrs: BTreeMap<_, _> = values.map(readings).unwrap_or_default();
    if let Some(vcpu) = dump.vcpus.first_mut() {
        let phase = PhaseDump {
            complete: true,
            msrs,
            ..PhaseDump::default()
        };
        vcpu.phases.insert(Phase::Msrs, phase);
    }
    let mut input = Input::of_dump(Format::Dump, dump);
    input.title = Some(title(case));
    input
}

fn title(case: &Case) -> String {
    let of = match &case.host {
        None => "of this host".to_owned(),
        Some(host) => format!("of {} on {}", host.label(), host.emulation.name()),
    };
    format!("what KVM {of} offers")
}
