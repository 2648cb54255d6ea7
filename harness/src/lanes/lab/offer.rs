//! What KVM reports of itself, as expectation lines, and who is responsible where it offers something else.

use std::sync::Arc;

use crate::case::guest::SUPPORTED;
use crate::case::{Case, EmulatedHost, Emulation, Lane, Qemu, Starter, Trial};
use crate::check::{Finding, Layer};
use crate::cpuid::{Field, Key, Line, Table, parse};
use crate::evidence::Evidence;
use crate::expectation::store::Expected;
use crate::explain::needs::owner;
use crate::explain::options::{clearing_parameter, number, option};
use crate::explain::{Cause, Step};
use crate::host::HostLayer;
use crate::host::kvm_lines::{kvm, kvm_layer};
use crate::lanes::Bench;
use crate::lanes::backend::Comparable;

/// The lane.
pub const LANE: Lane = Lane::LAB;

/// The name of the line with the emulated host on which KVM was asked: what KVM offers depends on the processor.
const EMULATED_HOST: &str = "emulated-host";

/// The layer that is responsible where KVM offers something else, and no layer below it shows that it is.
pub const LAYER: Layer = Layer::Kvm;

/// The machine type of the case in which no guest runs: none.
pub const MACHINE: &str = "-";

/// The case in which the KVM of an emulated host is asked; no guest runs.
pub fn case(host: &Arc<EmulatedHost>) -> Case {
    let mut case = Case::new(&Qemu::none().into(), Lane::LAB, MACHINE, SUPPORTED);
    case.run_as.starter = Starter::Nobody;
    case.host = Some(Arc::clone(host));
    case
}

/// What KVM of the case's machine reports of itself, as expectation lines.
///
/// # Errors
/// The emulated host did not come up, or KVM cannot be used there.
pub fn kvm_lines(bench: &Bench, case: &Case) -> Result<Vec<Line>, String> {
    let mut evidence = Evidence::new(case);
    evidence.kvm = crate::host::Found::Value(bench.kvm_layer(case)?);
    Ok(lines(bench, case, &evidence))
}

/// The same, of evidence.
pub fn lines(bench: &Bench, case: &Case, evidence: &Evidence) -> Vec<Line> {
    let store = &bench.store;
    let Some(layer) = evidence.kvm.value() else {
        return Vec::new();
    };
    let mut lines = kvm_layer(layer, &store.table, &store.volatile);
    if let Some(host) = &case.host {
        lines.push(kvm(EMULATED_HOST, host.emulation.name()));
    }
    lines.sort_by_cached_key(ToString::to_string);
    lines
}

/// Whether the lines are of the emulated host on which the expectation was recorded.
pub fn comparable(bench: &Bench, trial: &Trial, lines: &[Line]) -> Comparable {
    let Ok(Expected::Text(expected)) = bench.store.expectation(&trial.expectation) else {
        let host = trial.cases.iter().find_map(|case| case.host.as_ref());
        return match host.and_then(|host| one_of_several(&host.emulation)) {
            Some(reason) => Comparable::No(reason),
            None => Comparable::Yes,
        };
    };
    let expected = parse::lines(&expected).unwrap_or_default();
    match other_host(&expected, lines) {
        Some(reason) => Comparable::No(reason),
        None => Comparable::Yes,
    }
}

/// Why there need not be an expectation: of processors that are some of many, one is recorded.
fn one_of_several(emulation: &Emulation) -> Option<String> {
    let several = !emulation.processor.model.is_empty();
    several.then(|| {
        let name = emulation.name();
        format!("nobody recorded what this kernel's KVM offers on {name}: its layers are compared with one another only")
    })
}

/// Why lines of two emulated hosts cannot be compared.
fn other_host(expected: &[Line], seen: &[Line]) -> Option<String> {
    let host = |lines: &[Line]| {
        let mut lines = lines.iter().filter(|line| line.name() == EMULATED_HOST);
        Some(lines.next()?.value()?.to_owned())
    };
    let (then, now) = (host(expected)?, host(seen)?);
    let next = if now.starts_with("qemu-") {
        "name that release as `emulator` in fidelity.toml"
    } else {
        "name that processor with --lab-host"
    };
    (then != now).then(|| {
        format!("what KVM offers was recorded on the processor that {then} emulates, and this is {now}: {next}")
    })
}

/// Finds the layer that lost what KVM does not offer any more, and the cause, where the host shows one.
pub fn attribute(change: &mut Finding, host: &HostLayer, table: &Table) -> Option<String> {
    let field = table.named(&change.name)?;
    let line = change.minus.as_ref().filter(|_| change.plus.is_none())?;
    let modules = &host.kernel.modules;
    let by_option = option(modules, &field.name)
        .or_else(|| option(modules, owner(field)?))
        .map(|option| Cause::ModuleOption { option });
    let flag = field.aliases_of("linux").next();
    let taken = flag.and_then(|flag| {
        let shown = host.cpuinfo.value()?.flags.contains(flag);
        let parameters = host.kernel.command_line.value()?;
        let parameter = clearing_parameter(parameters, flag, number(field)).map(str::to_owned);
        (!shown && in_hardware(line, field, host)).then_some(parameter)
    });
    let (layer, cause) = match (taken, by_option) {
        (Some(Some(parameter)), _) => (
            Step::HostKernel,
            Some(Cause::KernelCommandLine { parameter }),
        ),
        (_, Some(cause)) => (Step::Kvm, Some(cause)),
        (Some(None), None) => (Step::HostKernel, Some(Cause::LeftOutByHostKernel)),
        (None, None) => return None,
    };
    change.layer = match layer {
        Step::HostKernel => Layer::HostKernel,
        _ => LAYER,
    };
    cause.map(|cause| format!("{}: {cause}", change.name))
}

/// Whether the emulated processor has the bit of a line of KVM's.
fn in_hardware(line: &Line, field: &Field, host: &HostLayer) -> bool {
    let cpuid = host.cpus.first().and_then(|cpu| cpu.cpuid.value());
    let key = line.place.cpuid_key();
    let regs = key
        .zip(cpuid)
        .and_then(|(key, cpuid): (Key, _)| cpuid.answers.get(&key));
    regs.is_some_and(|regs| regs[usize::from(field.register)] >> field.low & 1 == 1)
}
