//! Features by the register that they stand in: those that are there, and how many are not, or are not known.

use std::collections::BTreeSet;

use serde::Serialize;

use super::facts::Facts;
use super::page::{Name, Row, Section};
use crate::cpuid::answers::Key;
use crate::cpuid::table::{Field, Format, Space, Subleaves};
use crate::input::Presence;

/// The features of one register.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Group {
    /// What they are about.
    pub title: String,
    /// `07H.0 EBX`.
    pub place: String,
    pub present: Vec<Feature>,
    pub absent: Vec<String>,
    pub unknown: Vec<String>,
}

/// A feature that is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Feature {
    /// QEMU's name, or, without one, the feature table's.
    pub name: String,
    /// Whether QEMU has a property of this name.
    pub qemu: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub linux: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub libvirt: Vec<String>,
    pub bit: u8,
}

const REGISTERS: [&str; 4] = ["EAX", "EBX", "ECX", "EDX"];

/// Leaves whose flags are features, and what they are about. What caches, topology, XSAVE, SVM and hypervisors have is described there.
const LEAVES: [(u32, &str); 31] = [
    (0x1, "Basic features"),
    (0x5, "MONITOR and MWAIT"),
    (0x6, "Thermal and power management"),
    (0x7, "Structured extended features"),
    (0xa, "Performance counters"),
    (0xd, "XSAVE instructions"),
    (0xf, "Resource monitoring"),
    (0x10, "Resource allocation"),
    (0x12, "SGX"),
    (0x14, "Intel PT"),
    (0x19, "Key Locker"),
    (0x1c, "Last branch records"),
    (0x1e, "AMX"),
    (0x20, "History reset"),
    (0x23, "Performance counters, extended"),
    (0x24, "AVX10"),
    (0x29, "APX"),
    (0x8000_0001, "Extended features"),
    (0x8000_0007, "Power management and RAS"),
    (0x8000_0008, "Extended features"),
    (0x8000_001a, "Performance hints"),
    (0x8000_001b, "Instruction-based sampling"),
    (0x8000_001c, "Lightweight profiling"),
    (0x8000_001f, "Memory encryption"),
    (0x8000_0020, "Platform quality of service"),
    (0x8000_0021, "Extended features 2"),
    (0x8000_0022, "Performance counters, AMD"),
    (0x8000_0025, "Secure nested paging"),
    (0x8086_0001, "Transmeta"),
    (0xc000_0001, "Centaur and Zhaoxin"),
    (0xc000_0004, "Centaur power management"),
];

/// All groups, in the order of the leaves.
pub fn groups(facts: &Facts<'_>) -> Vec<Group> {
    let mut places = BTreeSet::new();
    for field in facts.table.fields() {
        let is_flag = field.space == Space::Cpuid && field.format == Format::Flag;
        let key = Key::new(field.leaf, subleaf(field));
        if is_flag && title(field.leaf).is_some() && !is_component(field) {
            places.insert((key, field.register));
        }
    }
    let places = places.into_iter();
    places
        .filter_map(|(key, register)| Group::new(facts, key, register))
        .collect()
}

fn title(leaf: u32) -> Option<&'static str> {
    let row = LEAVES.iter().find(|(own, _)| *own == leaf);
    row.map(|(_, title)| *title)
}

fn subleaf(field: &Field) -> u32 {
    match field.subleaves {
        Subleaves::One(subleaf) | Subleaves::From(subleaf) => subleaf,
        Subleaves::None | Subleaves::All => 0,
    }
}

/// Components of XSAVE have their own section.
fn is_component(field: &Field) -> bool {
    field.leaf == 0xd && (field.subleaves != Subleaves::One(1) || field.register != 0)
}

impl Group {
    fn new(facts: &Facts<'_>, key: Key, register: u8) -> Option<Group> {
        let leaf = title(key.leaf)?;
        let mut group = Group {
            title: leaf.to_owned(),
            place: place(facts, key, register),
            present: Vec::new(),
            absent: Vec::new(),
            unknown: Vec::new(),
        };
        let fields = facts.fields(Space::Cpuid, key, register);
        for field in fields.filter(|field| field.format == Format::Flag) {
            match presence(facts, field, key.subleaf) {
                Presence::Present => group.present.push(Feature::new(field)),
                Presence::Absent => group.absent.push(field.name.clone()),
                Presence::Unknown => group.unknown.push(field.name.clone()),
            }
        }
        Some(group)
    }

    /// Bits of 80000001H EDX that only repeat those of 01H EDX are counted.
    fn names(&self) -> Vec<Name> {
        let is_copy = |feature: &&Feature| feature.name.ends_with(COPY);
        let name = |feature: &Feature| Name {
            name: feature.name.clone(),
            others: feature.others(),
            place: format!("{}[{}]", self.place, feature.bit),
        };
        let own = self.present.iter().filter(|feature| !is_copy(feature));
        let mut names: Vec<Name> = own.map(name).collect();
        let copies = self.present.iter().filter(is_copy).count();
        if copies != 0 {
            names.push(Name {
                name: format!("({copies} that repeat 01H EDX)"),
                others: Vec::new(),
                place: self.place.clone(),
            });
        }
        names
    }
}

/// How the table's names of AMD's copies end (APM vol. 3, Fn8000_0001_EDX).
const COPY: &str = "-amd-copy";

fn presence(facts: &Facts<'_>, field: &Field, subleaf: u32) -> Presence {
    match facts.known.value(field, subleaf) {
        Some(0) => Presence::Absent,
        Some(_) => Presence::Present,
        None => Presence::Unknown,
    }
}

/// `07H.0 EBX`, `80000001H ECX`.
fn place(facts: &Facts<'_>, key: Key, register: u8) -> String {
    let fields = facts.table.fields().iter();
    let has_subleaves = fields
        .filter(|field| field.space == Space::Cpuid && field.leaf == key.leaf)
        .any(|field| field.subleaves != Subleaves::None);
    let subleaf = if has_subleaves {
        format!(".{}", key.subleaf)
    } else {
        String::new()
    };
    let register = REGISTERS[usize::from(register & 3)];
    format!("{:02X}H{subleaf} {register}", key.leaf)
}

impl Feature {
    fn new(field: &Field) -> Feature {
        let names = |prefix| field.aliases_of(prefix).map(str::to_owned).collect();
        let mut libvirt: Vec<String> = names("libvirt");
        // libvirt has QEMU's name unless the table says another.
        if libvirt.is_empty() && field.qemu.is_some() {
            libvirt.push(field.name.clone());
        }
        Feature {
            name: field.name.clone(),
            qemu: field.qemu.is_some(),
            linux: names("linux"),
            libvirt,
            bit: field.low,
        }
    }

    /// Names that are not QEMU's with another kind of dash.
    fn others(&self) -> Vec<String> {
        let own = plain(&self.name);
        let differs = |name: &&String| plain(name) != own;
        let linux = self.linux.iter().filter(differs);
        let linux = linux.map(|name| format!("linux {name}"));
        let libvirt = self.libvirt.iter().filter(differs);
        let libvirt = libvirt.map(|name| format!("libvirt {name}"));
        linux.chain(libvirt).collect()
    }
}

fn plain(name: &str) -> String {
    name.replace(['-', '_', '.'], "")
}

/// Those that are there, by register; then what is not known.
pub fn section(groups: &[Group]) -> Section {
    let mut section =
        Section::new("Features (QEMU's names; another name of Linux or libvirt in brackets)");
    for group in groups.iter().filter(|group| !group.present.is_empty()) {
        let title = format!("{} ({})", group.title, group.place);
        section.rows.push(Row::Names(title, group.names()));
    }
    section.pair_of("Not known", unknown(groups));
    section
}

/// How many there are of each leaf.
fn unknown(groups: &[Group]) -> Option<String> {
    let mut leaves: Vec<(&str, usize)> = Vec::new();
    for group in groups.iter().filter(|group| !group.unknown.is_empty()) {
        let leaf = group.place.split(['.', ' ']).next().unwrap_or_default();
        match leaves.last_mut() {
            Some((last, count)) if *last == leaf => *count += group.unknown.len(),
            _ => leaves.push((leaf, group.unknown.len())),
        }
    }
    let total: usize = leaves.iter().map(|(_, count)| count).sum();
    let leaves = leaves
        .iter()
        .map(|(leaf, count)| format!("{leaf}: {count}"));
    let leaves: Vec<String> = leaves.collect();
    (total != 0).then(|| format!("{total} features, by leaf: {}", leaves.join(", ")))
}
