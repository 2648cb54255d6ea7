//! libvirt's `cpu_map` against QEMU: which bit each name stands for, and what each model has.
//!
//! The models are held against QEMU's definitions as guests saw them, so all is data here and nothing runs.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::{CheckId, Finding, Kind, Layer};
use super::groups::Groups;
use crate::cpuid::answers::Key;
use crate::cpuid::bit::Bit;
use crate::cpuid::line::Line;
use crate::cpuid::line::Register;
use crate::cpuid::table::{Field, Format, Space, Table};
use crate::evidence::libvirt::cpu_map::{CpuMap, Feature, Spot};

/// CPUID features that no definition tells, each with its reason.
const UNTOLD: [(&str, &str); 4] = [
    (
        "hypervisor",
        "QEMU sets it in every model, and the map in none",
    ),
    (
        "vme",
        "stays off in lane `definition`, though models have it",
    ),
    ("osxsave", "follows CR4.OSXSAVE"),
    ("ospke", "follows CR4.PKE"),
];

/// Where the names of libvirt and of QEMU `release` differ, a line a bit, sorted:
/// another name for the same bit, a bit that only one of them names, a name that means another bit.
pub fn names(map: &CpuMap, table: &Table, release: (u32, u32)) -> Vec<String> {
    let mut lines: BTreeSet<String> = BTreeSet::new();
    for feature in &map.features {
        for spot in &feature.spots {
            lines.extend(named(feature, *spot, table, release).map(|text| line(*spot, text)));
        }
    }
    let fields = table.fields().iter().filter(|field| is_of(field, release));
    // What KVM and Hyper-V tell in leaves of their own libvirt says in other elements (`<kvm>`, `<hyperv>`).
    let own = |field: &&Field| field.leaf >> 28 == 4 && field.space != Space::Msr;
    for field in fields.filter(|field| field.format == Format::Flag && !own(field)) {
        let spot = spot(field);
        if map.at(spot).is_none() {
            let text = format!("QEMU {}, libvirt has no name", field.name);
            lines.insert(line(spot, text));
        }
    }
    lines.into_iter().collect()
}

/// What is odd about libvirt's name for a bit; `None` where QEMU has the same.
fn named(feature: &Feature, spot: Spot, table: &Table, release: (u32, u32)) -> Option<String> {
    let name = &feature.name;
    let own = field(table, spot).filter(|field| is_of(field, release));
    if let Some(own) = own {
        let mut spellings = own.aliases_of("qemu").chain([own.name.as_str()]);
        if spellings.any(|spelling| spelling == name) {
            return None;
        }
    }
    let homonym = table
        .named(name)
        .filter(|field| field.name == *name && is_of(field, release));
    match (own, homonym) {
        (Some(own), None) => Some(format!("libvirt {name}, QEMU {}", own.name)),
        (_, Some(other)) => Some(format!(
            "libvirt {name}, QEMU's {name} is {}",
            self::spot(other)
        )),
        (None, None) => Some(format!("libvirt {name}, QEMU has no name")),
    }
}

fn is_of(field: &Field, release: (u32, u32)) -> bool {
    field
        .qemu
        .is_some_and(|releases| releases.holds(release) && field.space != Space::HyperV)
}

/// Where a flag is.
pub fn spot(field: &Field) -> Spot {
    let subleaf = (0..64)
        .find(|subleaf| field.subleaves.covers(*subleaf))
        .unwrap_or(0);
    match field.space {
        Space::Msr => Spot::Msr(field.leaf, field.low),
        Space::Cpuid | Space::HyperV => Spot::Cpuid(Bit {
            key: Key::new(field.leaf, subleaf),
            register: field.register,
            bit: field.low,
        }),
    }
}

/// The flag at a place.
pub fn field(table: &Table, spot: Spot) -> Option<&Field> {
    match spot {
        Spot::Cpuid(bit) => bit.field(table),
        Spot::Msr(index, bit) => {
            let mut fields = table.register(Space::Msr, index, 0, 0);
            fields.find(|field| (field.low..=field.high).contains(&bit))
        }
    }
}

fn line(spot: Spot, text: String) -> String {
    let place = match spot {
        Spot::Cpuid(bit) => Line {
            text,
            ..bit.line(&Table::default())
        },
        Spot::Msr(index, bit) => Line::new(
            Register::Msr,
            format!("0x{index:08x}"),
            format!("[{bit:>2}]"),
            text,
        ),
    };
    place.to_string()
}

/// A QEMU model's definition, by the name that libvirt has for it.
pub type Definitions = BTreeMap<String, Vec<Line>>;

/// What each model has in libvirt's map and not in the guest (`-`), and in the guest and not in the map (`+`), grouped by
/// the models it holds for; then the models that only one of them has.
pub fn models(map: &CpuMap, table: &Table, definitions: &Definitions) -> Vec<String> {
    let mut groups = Groups::default();
    let mut lines = Vec::new();
    for (name, model) in &map.models {
        match definitions.get(name) {
            Some(definition) => groups.add(name, &differences(map, table, model, definition)),
            None => lines.push(format!("model {name:<26}QEMU has no such model")),
        }
    }
    let foreign = definitions
        .keys()
        .filter(|name| !map.models.contains_key(*name));
    lines.extend(foreign.map(|name| format!("model {name:<26}libvirt has no such model")));
    let all = map
        .models
        .keys()
        .filter(|name| definitions.contains_key(*name));
    let all: BTreeSet<String> = all.cloned().collect();
    let text = groups.render(&all.into());
    lines.extend(text.lines().map(str::to_owned));
    lines.sort();
    lines
}

/// One model, both ways. Bits that libvirt cannot express count too: the guest has them, whoever named them.
pub fn differences(
    map: &CpuMap,
    table: &Table,
    model: &crate::evidence::libvirt::cpu_map::Model,
    definition: &[Line],
) -> Vec<Finding> {
    let claimed: BTreeSet<Bit> = model
        .features
        .iter()
        .filter_map(|name| map.feature(name))
        .flat_map(|feature| feature.spots.iter().filter_map(cpuid))
        .collect();
    let named = table.fields().iter().filter(|field| {
        field.space == Space::Cpuid && field.format == Format::Flag && field.qemu.is_some()
    });
    let mut watched: BTreeSet<Bit> = named.filter_map(|field| cpuid(&spot(field))).collect();
    watched.extend(claimed.iter());
    let seen: BTreeSet<_> = definition.iter().map(|line| &line.place).collect();
    let shown = |bit: &&Bit| !UNTOLD.iter().any(|(name, _)| *name == bit.name(table));
    let change = |bit: &Bit| {
        let line = bit.line(table);
        let (claims, shows) = (claimed.contains(bit), seen.contains(&line.place));
        let state = |has: bool| if has { "set" } else { "clear" };
        let expected = format!("{} in libvirt's model", state(claims));
        let actual = format!("{} in the guest", state(shows));
        let kind = if claims { Kind::Lost } else { Kind::Gained };
        (claims != shows).then(|| Finding {
            minus: claims.then(|| line.clone()),
            plus: shows.then(|| line.clone()),
            layer: Layer::Libvirt,
            ..Finding::about_bit(CheckId::LibvirtMap, kind, *bit, table, &expected, &actual)
        })
    };
    watched.iter().filter(shown).filter_map(change).collect()
}

fn cpuid(spot: &Spot) -> Option<Bit> {
    match spot {
        Spot::Cpuid(bit) => Some(*bit),
        // A feature MSR reads 0 in the definition of every model: nothing can be said of it.
        Spot::Msr(..) => None,
    }
}

#[cfg(test)]
#[path = "libvirt_map_tests.rs"]
mod tests;
