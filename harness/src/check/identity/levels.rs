//! The last basic and extended leaf: a model's own, raised by what features and topology need.
//!
//! x86_cpu_expand_features in QEMU's target/i386/cpu.c: a feature raises the limit to the leaf of its word
//! (x86_cpu_adjust_feat_level), some to the leaves that they are described in, several dies or modules to 1FH. `level` and `xlevel` are
//! taken as they are, `min-level` and `min-xlevel` take the place of the model's own.

use std::fmt;

use crate::case::Parts;
use crate::case::cpu_argument::{flag, number};
use crate::cpuid::table::{Space, Table};

/// Features that need further leaves than the one that they are a bit of.
const NEEDS: [(&str, u32); 8] = [
    ("xsave", 0xD),
    ("sgx", 0x12),
    ("intel-pt", 0x14),
    ("arch-lbr", 0x1C),
    ("amx-tile", 0x1E),
    ("avx10", 0x24),
    ("svm", 0x8000_000A),
    ("sev", 0x8000_001F),
];

/// The first extended leaf.
const EXTENDED: u32 = 0x8000_0000;

/// What a limit may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The least.
    pub least: u32,
    /// The most.
    pub most: u32,
    /// Who says so.
    pub by: String,
}

impl Limit {
    /// One value and no other.
    pub fn exactly(value: u32, by: &str) -> Limit {
        Limit {
            least: value,
            most: value,
            by: by.to_owned(),
        }
    }

    /// Whether it may be this.
    pub fn holds(&self, value: u32) -> bool {
        (self.least..=self.most).contains(&value)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Limit { least, most, by } = self;
        if least == most {
            write!(f, "{most:#x} by {by}")
        } else {
            write!(f, "{least:#x} to {most:#x} by {by}")
        }
    }
}

/// What a guest has beside its model.
#[derive(Clone, Copy, Debug)]
pub struct Beside<'a> {
    /// Properties of the `-cpu` argument.
    pub properties: &'a [(String, String)],
    /// vCPUs.
    pub vcpus: u32,
    /// The machine's parts, where they are known.
    pub parts: Option<Parts>,
    /// The feature table.
    pub table: &'a Table,
}

impl Beside<'_> {
    /// What the limit of a model may be in this guest.
    pub fn limit(&self, model: Limit, extended: bool) -> Limit {
        let of = |leaf: &u32| (*leaf >= EXTENDED) == extended;
        let mut limit = model;
        for (name, value) in self.properties {
            let Some(on) = flag(value) else { continue };
            for leaf in self.needs(name).into_iter().filter(of) {
                if on {
                    limit.most = limit.most.max(leaf);
                } else if leaf == limit.least {
                    limit.least = 0;
                }
            }
        }
        limit.most = self.of_topology(extended).max(limit.most);
        let (own, least) = if extended {
            ("xlevel", "min-xlevel")
        } else {
            ("level", "min-level")
        };
        if let Some(value) = self.number(least) {
            // Features still raise it, as far as they raised the model's.
            limit.least = if value < limit.most {
                value
            } else {
                value.max(limit.least)
            };
            limit.most = limit.most.max(value);
        }
        match self.number(own) {
            Some(value) => Limit::exactly(value, &format!("-cpu {own}={value:#x}")),
            None => limit,
        }
    }

    fn number(&self, property: &str) -> Option<u32> {
        let mut named = self.properties.iter().rev();
        number(&named.find(|(name, _)| name == property)?.1)
    }

    /// Leaves that a feature is a bit of, or needs.
    fn needs(&self, feature: &str) -> Vec<u32> {
        let field = self.table.named(feature);
        let field = field.filter(|field| field.space == Space::Cpuid);
        let further = NEEDS.iter().filter(|(name, _)| *name == feature);
        let further = further.map(|(_, leaf)| *leaf);
        field
            .map(|field| field.leaf)
            .into_iter()
            .chain(further)
            .collect()
    }

    /// Several dies or modules need leaf 1FH; several threads of an AMD CPU get cmp-legacy, a bit of 80000001H.
    fn of_topology(&self, extended: bool) -> u32 {
        let inner = self
            .parts
            .is_some_and(|parts| parts.dies * parts.modules > 1);
        match extended {
            true if self.vcpus > 1 => EXTENDED + 1,
            false if inner => 0x1F,
            _ => 0,
        }
    }
}
