//! Settings of `<features>`, `<clock>` and `<devices>` that decide what QEMU's CPU is, as XML and as properties of QEMU's.

use serde::{Deserialize, Serialize};

pub use super::setting_rows::{ROWS, Row, Rule, Target};
use super::tree::Tree;

/// Where `state` says that an element counts.
const ON: &str = "on";

/// A property of QEMU's: its name, and its value.
pub type Property = (String, String);

/// An attribute with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Which attribute.
    pub row: &'static Row,
    /// Its value in XML.
    pub value: String,
}

/// The settings of a domain, in the order of QEMU's command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings(pub Vec<Setting>);

impl Row {
    /// What `value` becomes on QEMU's command line; `None` where libvirt passes nothing.
    pub fn to_qemu(&self, value: &str) -> Option<String> {
        let switch = |on: bool| (if on { "on" } else { "off" }).to_owned();
        match (self.rule, value) {
            (Rule::On, "on") | (Rule::Yes, "yes") => Some(switch(true)),
            (Rule::Off, "off") | (Rule::Hides, "on") => Some(switch(false)),
            (Rule::Both, "on" | "yes") => Some(switch(true)),
            (Rule::Both, "off" | "no") => Some(switch(false)),
            (Rule::Named(name), value) => (name == value).then(|| switch(true)),
            (Rule::Words(words), value) => {
                let found = words.iter().find(|(own, _)| *own == value)?;
                Some(found.1.to_owned())
            }
            (Rule::Hex(_), value) => Some(format!("{:#x}", number(value)?)),
            (Rule::Number, value) => Some(value.to_owned()).filter(|_| number(value) != Some(0)),
            (Rule::Text(_), value) => Some(value.to_owned()),
            _ => None,
        }
    }

    /// Whether libvirt takes the value.
    pub fn accepts(&self, value: &str) -> bool {
        let one_of = |known: &[&str]| known.contains(&value);
        match self.rule {
            Rule::Both if self.path.starts_with("clock/") => one_of(&["yes", "no"]),
            Rule::Yes => one_of(&["yes", "no"]),
            Rule::Gate | Rule::On | Rule::Off | Rule::Hides | Rule::Both => one_of(&["on", "off"]),
            Rule::Named(name) => one_of(&[name, "custom"]),
            Rule::Words(words) => words.iter().any(|(own, _)| *own == value),
            Rule::Hex(least) => number(value).is_some_and(|number| number >= u64::from(least)),
            Rule::Number => value.parse::<u64>().is_ok(),
            Rule::Text(most) => value.chars().count() <= most && !value.contains(','),
        }
    }

    /// The attribute's value for a property of QEMU's; `None` where XML has none that makes it.
    pub fn to_xml(&self, value: &str) -> Option<String> {
        let on = match value {
            "on" | "yes" | "true" | "y" => Some(true),
            "off" | "no" | "false" | "n" => Some(false),
            _ => None,
        };
        let switch = |on: bool, names: [&str; 2]| names[usize::from(on)].to_owned();
        let timer = self.path.starts_with("clock/");
        let text = match self.rule {
            Rule::Gate => return None,
            Rule::Yes => switch(on?, ["no", "yes"]),
            Rule::Both if timer => switch(on?, ["no", "yes"]),
            Rule::On | Rule::Off | Rule::Both => switch(on?, ["off", "on"]),
            Rule::Hides => switch(!on?, ["off", "on"]),
            Rule::Named(name) => on?.then(|| name.to_owned())?,
            Rule::Words(words) => {
                let found = words.iter().find(|(_, own)| *own == value)?;
                found.0.to_owned()
            }
            Rule::Hex(_) => number(value)?.to_string(),
            Rule::Number | Rule::Text(_) => value.to_owned(),
        };
        self.accepts(&text).then_some(text)
    }

    /// The row of a property of `-cpu`.
    pub fn of_property(name: &str) -> Option<&'static Row> {
        let mut rows = ROWS.iter();
        rows.find(|row| row.target == Target::Cpu && row.property == name && !name.is_empty())
    }
}

/// A number as libvirt takes it, decimal or with `0x`.
fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
    .filter(|number| *number <= u64::from(u32::MAX))
}

impl Settings {
    /// The value of an attribute.
    pub fn get(&self, path: &str, attribute: &str) -> Option<&str> {
        let is_it = |set: &&Setting| set.row.path == path && set.row.attribute == attribute;
        self.0.iter().find(is_it).map(|set| set.value.as_str())
    }

    /// Whether the attribute counts: the element that it needs is on.
    fn counts(&self, setting: &Setting) -> bool {
        let needs = setting.row.needs;
        needs.is_empty() || self.get(needs, "state") == Some(ON)
    }

    /// What libvirt passes on in this argument of QEMU's.
    pub fn properties(&self, target: Target) -> Vec<Property> {
        let counting = self
            .0
            .iter()
            .filter(|set| set.row.target == target && self.counts(set));
        let passed = counting.filter_map(|set| {
            let value = set.row.to_qemu(&set.value)?;
            Some((set.row.property.to_owned(), value))
        });
        passed.collect()
    }

    /// Adds an attribute, and what it needs to count.
    pub fn add(&mut self, row: &'static Row, value: &str) {
        let gate = ROWS
            .iter()
            .find(|gate| gate.path == row.needs && gate.attribute == "state");
        if let Some(gate) = gate
            && self.get(gate.path, "state").is_none()
        {
            self.add(gate, ON);
        }
        self.0.retain(|set| set.row != row);
        let value = value.to_owned();
        self.0.push(Setting { row, value });
        self.sort();
    }

    /// Into the order of QEMU's command line; timers keep theirs.
    pub fn sort(&mut self) {
        self.0
            .sort_by_key(|set| match ROWS.iter().position(|row| row == set.row) {
                _ if set.row.path.starts_with("clock/") && set.row.target == Target::Cpu => 0,
                place => place.unwrap_or(ROWS.len()),
            });
    }

    /// The elements below `<features>`, `<clock>` or `<devices>`.
    pub fn children(&self, of: &str) -> String {
        let mut tree = Tree::default();
        for set in &self.0 {
            if let Some(path) = set
                .row
                .path
                .strip_prefix(of)
                .and_then(|path| path.strip_prefix('/'))
            {
                tree.set(path, set.row.attribute, &set.value);
            }
        }
        tree.to_string()
    }

    /// Whether there are elements below this one.
    pub fn has(&self, of: &str) -> bool {
        self.0.iter().any(|set| set.row.path.starts_with(of))
    }
}

/// A NUMA cell, as far as a guest without devices can have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// Its number.
    pub id: u32,
    /// Its vCPUs: `0-3,6`.
    pub cpus: String,
}
