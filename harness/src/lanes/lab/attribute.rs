//! Who is responsible where KVM offers something else, and why: what has one cause is one statement.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::place::Place;
use crate::check::{CheckId, Finding, Kind, Layer};
use crate::cpuid::{Field, Key, Line, Table};
use crate::explain::Cause;
use crate::explain::needs::owner;
use crate::explain::options::{
    clearing_parameter, kvm_parameter, number, option, option_of_value, turned_on,
};
use crate::host::HostLayer;
use crate::host::kvm::KvmLayer;

/// The layer that is responsible where no layer below it shows that it is.
pub const LAYER: Layer = Layer::Kvm;

/// Features that a statement names; of more it has the number.
const NAMED: usize = 8;

/// Makes one finding of all fields of an MSR that KVM does not offer any more.
pub fn fold_absent_msrs(changes: &mut Vec<Finding>, kvm: &KvmLayer) {
    let offered = kvm.feature_msrs.value();
    let gone = |change: &Finding| {
        let line = change.minus.as_ref().filter(|_| change.plus.is_none())?;
        let index = line.place.msr()?;
        (!offered?.contains_key(&index)).then_some(index)
    };
    let absent: BTreeSet<u32> = changes.iter().filter_map(gone).collect();
    changes.retain(|change| gone(change).is_none());
    changes.extend(absent.into_iter().map(|index| {
        let name = format!("msr-{index:x}h");
        let check = CheckId::Expectation;
        let whole = Finding::new(check, Kind::Lost, &name, &name, "", LAYER);
        whole.at(Place::of_msr(index))
    }));
}

/// Finds the layer that lost what KVM does not offer any more, and the causes, where the host shows any.
pub fn attribute(changes: &mut [Finding], host: &HostLayer, table: &Table) -> Vec<String> {
    let mut causes: BTreeMap<String, Vec<&Finding>> = BTreeMap::new();
    for change in changes.iter_mut() {
        let found = cause(change, host, table);
        if let Some((layer, cause)) = found {
            change.layer = layer;
            causes.entry(cause).or_default().push(change);
        }
    }
    let statement = |(cause, of): (String, Vec<&Finding>)| format!("{}: {cause}", names(&of));
    causes.into_iter().map(statement).collect()
}

/// Whether it is one of [`fold_absent_msrs`].
fn is_whole_msr(change: &Finding) -> bool {
    change.minus.is_none() && change.plus.is_none()
}

/// `18 VMX MSRs and vmx`; of more than [`NAMED`] features the first.
fn names(changes: &[&Finding]) -> String {
    let (msrs, mut features): (Vec<&Finding>, Vec<&Finding>) = changes
        .iter()
        .copied()
        .partition(|change| is_whole_msr(change));
    features.sort_by(|one, other| one.name.cmp(&other.name));
    let more = features.len().saturating_sub(NAMED);
    let mut names: Vec<String> = match msrs[..] {
        [] => Vec::new(),
        [one] => vec![one.name.clone()],
        _ => vec![format!("{} VMX MSRs", msrs.len())],
    };
    names.extend(
        features
            .iter()
            .take(NAMED)
            .map(|change| change.name.clone()),
    );
    if more > 0 {
        names.push(format!("{more} more"));
    }
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

/// The responsible layer, and why.
fn cause(change: &Finding, host: &HostLayer, table: &Table) -> Option<(Layer, String)> {
    let modules = &host.kernel.modules;
    let of_option = |option| (LAYER, Cause::ModuleOption { option }.to_string());
    if is_whole_msr(change) {
        return option(modules, "vmx").map(of_option);
    }
    if change.kind != Kind::Lost {
        let on = turned_on(modules, &change.name).filter(|_| change.kind == Kind::Gained);
        let on = on.map(|option| (LAYER, format!("offered with the module option {option}")));
        return on.or_else(|| option_of_value(modules, &change.name).map(of_option));
    }
    let field = table.named(&change.name)?;
    let line = change.minus.as_ref()?;
    let command_line = host.kernel.command_line.value();
    if let Some(parameter) = command_line.and_then(|line| kvm_parameter(line, &field.name)) {
        let parameter = parameter.to_owned();
        return Some((LAYER, Cause::KernelCommandLine { parameter }.to_string()));
    }
    let hardware = in_hardware(line, field, host);
    if let (Some(true), Some(parameter)) = (hardware, taken(field, host)) {
        return Some((Layer::HostKernel, parameter.to_string()));
    }
    let by_option = option(modules, &field.name);
    if let Some(option) = by_option.or_else(|| option(modules, owner(field)?)) {
        return Some(of_option(option));
    }
    let lacking = (hardware == Some(false)).then_some(Cause::NotInHardware)?;
    Some((Layer::Hardware, lacking.to_string()))
}

/// Why the host's kernel does not show what the processor has; `None` where it shows it, or has no flag for it.
fn taken(field: &Field, host: &HostLayer) -> Option<Cause> {
    let flag = field.aliases_of("linux").next()?;
    if host.cpuinfo.value()?.flags.contains(flag) {
        return None;
    }
    let parameters = host.kernel.command_line.value()?;
    Some(match clearing_parameter(parameters, flag, number(field)) {
        Some(parameter) => Cause::KernelCommandLine {
            parameter: parameter.to_owned(),
        },
        None => Cause::LeftOutByHostKernel,
    })
}

/// Whether the emulated processor has the bit of a line of KVM's; `None` where that is not known.
fn in_hardware(line: &Line, field: &Field, host: &HostLayer) -> Option<bool> {
    let cpu = host.cpus.first()?;
    let key: Key = line.place.cpuid_key()?;
    let regs = cpu.cpuid.value()?.answers.get(&key);
    Some(regs.is_some_and(|regs| regs[usize::from(field.register)] >> field.low & 1 == 1))
}

#[cfg(test)]
#[path = "attribute_tests.rs"]
mod tests;
