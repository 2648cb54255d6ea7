//! IA32_ARCH_CAPABILITIES in words: what each bit promises.

use serde::Serialize;

use super::facts::Facts;
use super::page::{Section, UNKNOWN};
use crate::cpuid::table::{Format, Space};
use crate::input::Presence;

const INDEX: u32 = 0x10a;
const PROMISES: &str = include_str!("data/promises.tsv");

/// The MSR, where the processor has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ArchCapabilities {
    /// `None`: not known.
    pub value: Option<u64>,
    pub promises: Vec<Promise>,
}

/// A bit that is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Promise {
    pub name: String,
    pub promise: &'static str,
}

impl ArchCapabilities {
    /// `None` where the processor announces none.
    pub fn new(facts: &Facts<'_>) -> Option<ArchCapabilities> {
        let value = facts.msr(INDEX);
        let announced = facts.presence("arch-capabilities") == Presence::Present;
        if !announced && value.is_none_or(|value| value == 0) {
            return None;
        }
        let set = |bit: u8| value.unwrap_or(0) >> bit & 1 != 0;
        let fields = facts.table.fields().iter();
        let flags = fields.filter(|field| {
            let here = field.space == Space::Msr && field.leaf == INDEX;
            here && field.format == Format::Flag && set(field.low)
        });
        let promise = |name: &String| Promise {
            name: name.clone(),
            promise: promise(name),
        };
        Some(ArchCapabilities {
            value,
            promises: flags.map(|field| promise(&field.name)).collect(),
        })
    }

    pub fn section(&self) -> Section {
        let mut section = Section::new("What it promises (MSR IA32_ARCH_CAPABILITIES)");
        match self.value {
            None => section.line(0, UNKNOWN),
            Some(0) => section.line(0, "nothing: no bit is set"),
            Some(_) => {}
        }
        for promise in &self.promises {
            section.pair(&promise.name, promise.promise);
        }
        section
    }
}

fn promise(name: &str) -> &'static str {
    let rows = PROMISES.lines().filter_map(|row| row.split_once('\t'));
    let mut rows = rows.filter(|(own, _)| *own == name);
    rows.next().map_or("reserved", |(_, promise)| promise)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpuid::table::Table;

    #[test]
    fn every_bit_of_the_table_has_its_words() {
        let text = include_str!("../../../expectations/features.tsv");
        let table = Table::parse("features.tsv", text).expect("the table");
        let fields = table.fields().iter();
        for field in fields.filter(|field| field.space == Space::Msr && field.leaf == INDEX) {
            assert_ne!(promise(&field.name), "reserved", "{}", field.name);
        }
    }
}
