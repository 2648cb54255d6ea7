//! The layers below QEMU.

use super::row::{LayerRow, Step, absent, row};
use crate::explain::cause::Cause;
use crate::explain::evidence::{HostEvidence, State};

pub(super) fn host_rows(host: &HostEvidence) -> [LayerRow; 3] {
    // What KVM makes by itself needs no hardware.
    let made = host.kvm_parameter.as_ref().filter(|_| absent(&host.kvm));
    let lacking = absent(&host.hardware) && made.is_none();
    let hardware = lacking.then_some(Cause::NotInHardware);
    let kernel = (absent(&host.kernel) && !absent(&host.hardware)).then(|| match &host.parameter {
        Some(parameter) => Cause::KernelCommandLine {
            parameter: parameter.clone(),
        },
        None => Cause::LeftOutByHostKernel,
    });
    let taken = matches!(kernel, Some(Cause::KernelCommandLine { .. }));
    let kvm = match host.kvm.state {
        _ if made.is_some() => made.map(|parameter| Cause::KernelCommandLine {
            parameter: parameter.clone(),
        }),
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
