//! /proc/cpuinfo: what the host's kernel made of its processors (arch/x86/kernel/cpu/proc.c, show_cpuinfo).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::found::Found;
use crate::util::limits::KERNEL_TEXT;
use crate::util::open;

/// The first processor whole, and where others differ.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cpuinfo {
    /// `vendor_id`, `model name`, `cpu family`, `model`, `stepping`, `microcode`, as printed.
    pub identity: BTreeMap<String, String>,
    /// `flags`.
    pub flags: BTreeSet<String>,
    /// `vmx flags`; absent where the kernel prints none.
    pub vmx_flags: Found<BTreeSet<String>>,
    /// `bugs`.
    pub bugs: BTreeSet<String>,
    /// Where another processor differs from the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
}

/// One field of one processor that is not as the first processor's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// `processor`.
    pub cpu: String,
    /// The field's name.
    pub field: String,
    /// Names that only the first processor has.
    pub lost: BTreeSet<String>,
    /// Names that only this one has.
    pub gained: BTreeSet<String>,
}

/// Fields that say who a processor is.
const IDENTITY: [&str; 6] = [
    "vendor_id",
    "model name",
    "cpu family",
    "model",
    "stepping",
    "microcode",
];
/// Fields that are lists of names.
const LISTS: [&str; 3] = ["flags", "vmx flags", "bugs"];

type Block<'a> = BTreeMap<&'a str, &'a str>;

/// Of this host.
pub fn cpuinfo() -> Found<Cpuinfo> {
    Found::from(open::text("/proc/cpuinfo", KERNEL_TEXT)).map(|text| parse(&text))
}

/// The fields of each processor by name, in the order of the text. What is no field is passed over.
pub fn blocks(text: &str) -> impl Iterator<Item = BTreeMap<&str, &str>> {
    let blocks = text.split("\n\n").map(block);
    blocks.filter(|block| !block.is_empty())
}

/// Reads the text of /proc/cpuinfo.
pub fn parse(text: &str) -> Cpuinfo {
    let mut blocks = blocks(text);
    let first = blocks.next().unwrap_or_default();
    let identity = IDENTITY
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), (*first.get(name)?).to_owned())));
    Cpuinfo {
        identity: identity.collect(),
        flags: list(&first, "flags"),
        vmx_flags: if first.contains_key("vmx flags") {
            Found::Value(list(&first, "vmx flags"))
        } else {
            Found::Absent
        },
        bugs: list(&first, "bugs"),
        differences: blocks
            .flat_map(|other| differences(&first, &other))
            .collect(),
    }
}

fn block(text: &str) -> Block<'_> {
    let fields = text.lines().filter_map(|line| line.split_once(':'));
    fields
        .map(|(name, value)| (name.trim(), value.trim()))
        .collect()
}

fn list(block: &Block<'_>, field: &str) -> BTreeSet<String> {
    let value = block.get(field).copied().unwrap_or_default();
    value.split_whitespace().map(str::to_owned).collect()
}

fn differences(first: &Block<'_>, other: &Block<'_>) -> Vec<Difference> {
    let cpu = other.get("processor").copied().unwrap_or("?").to_owned();
    let one = |field: &&str| {
        let (a, b) = (list(first, field), list(other, field));
        (a != b).then(|| Difference {
            cpu: cpu.clone(),
            field: (*field).to_owned(),
            lost: a.difference(&b).cloned().collect(),
            gained: b.difference(&a).cloned().collect(),
        })
    };
    IDENTITY.iter().chain(&LISTS).filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Some CPU\nflags\t\t: fpu avx2\nbugs\t\t:\n\n\
                        processor\t: 1\nvendor_id\t: GenuineIntel\nmodel name\t: Some CPU\nflags\t\t: fpu sgx\nbugs\t\t:\n\n";

    #[test]
    fn the_first_processor_is_whole_and_the_second_differs() {
        let info = parse(TEXT);
        assert_eq!(info.identity["model name"], "Some CPU");
        assert_eq!(info.flags, ["avx2", "fpu"].map(str::to_owned).into());
        assert_eq!(info.vmx_flags, Found::Absent);
        let [difference] = &info.differences[..] else {
            panic!("{info:?}")
        };
        assert_eq!(
            (difference.cpu.as_str(), difference.field.as_str()),
            ("1", "flags")
        );
        assert_eq!(difference.lost, ["avx2".to_owned()].into());
        assert_eq!(difference.gained, ["sgx".to_owned()].into());
    }

    #[test]
    fn an_empty_text_is_no_panic() {
        assert_eq!(parse(""), Cpuinfo::default());
    }
}
