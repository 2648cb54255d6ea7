//! What KVM reports of itself, as expectation lines, and with which it may be compared.

use std::sync::Arc;

use crate::case::guest::SUPPORTED;
use crate::case::{Case, EmulatedHost, Emulation, Lane, Qemu, Starter, Trial};
use crate::cpuid::{Line, parse};
use crate::evidence::Evidence;
use crate::expectation::store::Expected;
use crate::host::kvm_lines::{kvm, kvm_layer};
use crate::lanes::Bench;
use crate::lanes::backend::Comparable;

/// The lane.
pub const LANE: Lane = Lane::LAB;

/// The name of the line with the emulated host on which KVM was asked: what KVM offers depends on the processor.
const EMULATED_HOST: &str = "emulated-host";

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
