//! Numbers: fields of several bits, and the properties that QEMU makes them from.

use super::evidence::{Claim, State};
use super::layers::{LayerRow, Step};
use super::place::At;
use super::sources::{Expanded, Sources};
use crate::case::cpu_argument::properties;
use crate::cpuid::answers::Key;
use crate::cpuid::dump::Reading;
use crate::cpuid::table::{Field, Format, Space, Table};

/// A number that can be asked for: what it is called, the field that holds it, and QEMU's property for it.
#[derive(Clone, Debug)]
pub struct Number<'a> {
    /// As people ask for it.
    pub name: String,
    /// The field, of family and model the part that is always there.
    pub field: &'a Field,
    /// QEMU's property, where it has one.
    pub property: Option<&'static str>,
}

/// QEMU's properties, and the fields that they set (target/i386/cpu.c).
const PROPERTIES: [(&str, &str); 9] = [
    ("family", "family"),
    ("model", "model"),
    ("stepping", "stepping"),
    ("level", "max-leaf"),
    ("xlevel", "max-ext-leaf"),
    ("xlevel2", "max-centaur-leaf"),
    ("phys-bits", "phys-bits"),
    ("guest-phys-bits", "guest-phys-bits"),
    ("avx10-version", "avx10-version"),
];

/// Values that stand for "as QEMU finds it".
const UNSET: [u64; 2] = [0, 0xFFFF_FFFF];

/// The number of this name: of a field, or of QEMU's property.
pub fn number<'a>(table: &'a Table, name: &str) -> Option<Number<'a>> {
    let own = |(property, field): &&(&str, &str)| *property == name || *field == name;
    let known = PROPERTIES.iter().find(own);
    let field = table.named(known.map_or(name, |(_, field)| field))?;
    (field.format != Format::Flag).then(|| Number {
        name: name.to_owned(),
        field,
        property: known.map(|(property, _)| *property),
    })
}

/// One row a layer, and what they come to.
pub fn explain(sources: &Sources, table: &Table, number: &Number<'_>) -> (Vec<LayerRow>, String) {
    let guest = value(sources, table, number);
    let mut rows: Vec<LayerRow> = asked(sources, number)
        .into_iter()
        .map(|(layer, claim, _)| row(layer, claim))
        .collect();
    let place = place(number);
    let seen = match (guest, &sources.unseen) {
        (_, Some(_)) => Claim::unknown("the guest did not run"),
        (Some(value), None) => Claim::new(
            State::Present,
            format!("{place} is {}", shown(number, value)),
        ),
        (None, None) => Claim::new(State::Absent, format!("the dump has no {place}")),
    };
    rows.push(row(Step::Guest, seen));
    let verdict = match (guest, &sources.unseen) {
        (_, Some(_)) => "unknown: the guest did not run".to_owned(),
        (None, None) => "the guest has no such leaf".to_owned(),
        (Some(value), None) => format!("{}: {}", shown(number, value), why(sources, number, value)),
    };
    (rows, verdict)
}

/// `CPUID.01H.00H:EAX[11:8]`.
fn place(number: &Number<'_>) -> String {
    let Field { low, high, .. } = number.field;
    let bit = At::from_field(number.field).place();
    bit.replace(&format!("[{low}]"), &format!("[{high}:{low}]"))
}

fn row(layer: Step, claim: Claim) -> LayerRow {
    LayerRow {
        layer,
        state: claim.state,
        evidence: claim.evidence,
        cause: None,
    }
}

/// As the table prints it.
fn shown(number: &Number<'_>, value: u64) -> String {
    match number.field.format {
        Format::Hex => format!("{value:#x}"),
        Format::Text => {
            let bytes = u32::try_from(value).unwrap_or_default().to_le_bytes();
            format!("\"{}\"", bytes.escape_ascii())
        }
        Format::Dec | Format::Flag => value.to_string(),
    }
}

/// What each layer that is asked says, top to bottom.
fn asked(sources: &Sources, number: &Number<'_>) -> Vec<(Step, Claim, Option<u64>)> {
    let guest = &sources.guest;
    let version = sources
        .versions
        .iter()
        .find(|(name, _)| *name == guest.resolved);
    let open = guest.model == "host" || guest.is_open() && guest.uses_kvm();
    let mut all = Vec::new();
    let mut ask = |layer, expanded: &Expanded, what: String| {
        let value = property(expanded, number);
        let claim = match (value, expanded) {
            (Some(value), _) if UNSET.contains(&value) => {
                Claim::unknown(format!("expansion of {what}: not set"))
            }
            (Some(value), _) => {
                let evidence = format!("expansion of {what}: {}", shown(number, value));
                Claim::new(State::Present, evidence)
            }
            (None, Err(reason)) => Claim::unknown(format!("expansion of {what}: {reason}")),
            (None, Ok(_)) => Claim::unknown("QEMU has no property for it"),
        };
        all.push((layer, claim, value.filter(|value| !UNSET.contains(value))));
    };
    if let Some((name, expanded)) = version {
        ask(Step::ModelVersion, expanded, name.clone());
    }
    if !open {
        let what = format!("{} on {}", guest.model, guest.machine);
        ask(Step::MachineType, &sources.on_machine, what);
    }
    if let Some(expanded) = &sources.under_kvm {
        ask(
            Step::UnderKvm,
            expanded,
            format!("{} under KVM", guest.model),
        );
    }
    ask(Step::Flags, &sources.with_flags, guest.cpu.clone());
    all
}

fn property(expanded: &Expanded, number: &Number<'_>) -> Option<u64> {
    expanded.as_ref().ok()?.get(number.property?)?.as_u64()
}

/// Where the guest's value comes from.
fn why(sources: &Sources, number: &Number<'_>, value: u64) -> String {
    let guest = &sources.guest;
    let flag = flag(&guest.cpu, number);
    let layers = asked(sources, number);
    let last = layers.last().and_then(|(.., value)| *value);
    let first = layers.iter().find(|(.., own)| *own == Some(value));
    match (flag, first, last) {
        (Some(flag), _, Some(asked)) if asked == value => format!("set by the flag {flag}"),
        (_, _, Some(asked)) if asked != value => {
            format!(
                "QEMU was asked for {} and gives another",
                shown(number, asked)
            )
        }
        (_, Some((Step::ModelVersion, ..)), _) => format!("as {} has it", guest.resolved),
        (_, Some((Step::MachineType, ..)), _) => {
            format!("as the machine type {} has it", guest.machine)
        }
        (_, Some((Step::UnderKvm, ..)), _) => "as QEMU sets it under KVM".to_owned(),
        (_, Some(_), _) => format!("as -cpu {} has it", guest.cpu),
        (_, None, None) if number.property.is_some() => {
            "QEMU's own default: no layer sets it".to_owned()
        }
        _ => "unknown: no layer shows where it comes from".to_owned(),
    }
}

/// The flag that sets it.
fn flag(cpu: &str, number: &Number<'_>) -> Option<String> {
    let own = |name: &str| Some(name) == number.property;
    let (name, value) = properties(cpu).into_iter().rfind(|(name, _)| own(name))?;
    Some(format!("{name}={value}"))
}

/// The guest's value; of family and model together with their extended parts (Intel SDM vol. 2 "CPUID", AMD APM vol. 3, CPUID Fn0000_0001).
fn value(sources: &Sources, table: &Table, number: &Number<'_>) -> Option<u64> {
    let read = |field: &Field| raw(sources, field);
    let own = read(number.field)?;
    let extended = |name: &str| table.named(name).and_then(read).unwrap_or(0);
    Some(match number.field.name.as_str() {
        "family" if own == 15 => own + extended("ext-family"),
        "model" if [6, 15].contains(&extended("family")) => own | extended("ext-model") << 4,
        _ => own,
    })
}

fn raw(sources: &Sources, field: &Field) -> Option<u64> {
    let boot = sources.layers.guest.boot_processor()?;
    let word = match (field.space, At::from_field(field)) {
        (Space::Msr, _) | (_, At::Msr(..)) => {
            let mut readings = boot
                .phases
                .values()
                .filter_map(|phase| phase.msrs.get(&field.leaf));
            match readings.next()? {
                Reading::Value(value) => *value,
                Reading::Fault(_) => return None,
            }
        }
        (_, At::Cpuid(bit)) => {
            let Key { leaf, subleaf } = bit.key;
            u64::from(boot.cpuid(leaf, subleaf)?[usize::from(field.register)])
        }
    };
    Some((word & field.mask()) >> field.low)
}
