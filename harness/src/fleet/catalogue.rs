//! The features that a release of QEMU can ask KVM for: what answers are made of.

use std::collections::HashMap;

use super::bits::{Bits, CAPACITY};
use super::tables::Tables;
use super::together::{Needs, is_nested};
use crate::cpuid::Table;
use crate::cpuid::levels::Levels;
use crate::cpuid::table::{Field, Format, Space, Subleaves};

/// Paravirtual features: KVM's own, which every KVM of the last years gives.
const HYPERVISORS: std::ops::Range<u32> = 0x4000_0000..0x5000_0000;

/// A feature.
#[derive(Clone, Debug)]
pub struct Feature {
    /// Its name, QEMU's.
    pub name: String,
    /// Where it is.
    pub field: Field,
    /// What it is worth; 0 where no answer adds it.
    pub weight: u32,
}

impl Feature {
    /// Whether CPUID shows it.
    pub fn is_cpuid(&self) -> bool {
        self.field.space == Space::Cpuid
    }
}

/// All features of a release, or of several.
#[derive(Clone, Debug)]
pub struct Catalogue {
    features: Vec<Feature>,
    by_name: HashMap<String, usize>,
    /// Those that may be added to a model by a flag.
    pub addable: Bits,
    /// Those of nested virtualization.
    pub nested: Bits,
    /// Levels of the psABI, lowest first: name and all that it needs; what no release names is not there.
    pub levels: Vec<(String, Bits)>,
    /// What goes with what.
    pub needs: Needs,
    /// The tables of this room.
    pub tables: Tables,
}

impl Catalogue {
    /// The features that every one of `releases` has a name for.
    pub fn new(
        table: &Table,
        levels: &Levels,
        tables: Tables,
        releases: &[(u32, u32)],
    ) -> Catalogue {
        let own = table
            .fields()
            .iter()
            .filter(|field| is_feature(field, releases));
        let feature = |field: &Field| Feature {
            name: field.name.clone(),
            field: field.clone(),
            weight: weight(&tables, &field.name),
        };
        let features: Vec<Feature> = own.take(CAPACITY).map(feature).collect();
        let numbered = features.iter().enumerate();
        let by_name = numbered
            .map(|(at, feature)| (feature.name.clone(), at))
            .collect();
        let mut catalogue = Catalogue {
            addable: select(&features, |feature| feature.weight > 0),
            nested: select(&features, |feature| is_nested(&feature.field)),
            features,
            by_name,
            levels: Vec::new(),
            needs: Needs::default(),
            tables,
        };
        let fields: Vec<&Field> = catalogue
            .features
            .iter()
            .map(|feature| &feature.field)
            .collect();
        catalogue.needs = Needs::new(&fields);
        catalogue.levels = levels
            .0
            .iter()
            .map(|level| {
                let names = levels.needs(&level.name).into_iter();
                let bits = names
                    .filter_map(|needed| catalogue.number(&needed.feature))
                    .collect();
                (level.name.clone(), bits)
            })
            .collect();
        catalogue
    }

    /// All features, in the order of their numbers.
    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    /// The number of a feature.
    pub fn number(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The features of these names; names that are not there are left out.
    pub fn bits<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Bits {
        names
            .into_iter()
            .filter_map(|name| self.number(name))
            .collect()
    }

    /// The names of a set's features.
    pub fn names(&self, bits: Bits) -> Vec<&str> {
        bits.iter()
            .filter_map(|at| self.features.get(at))
            .map(|feature| feature.name.as_str())
            .collect()
    }

    /// Where a feature is: leaf or MSR, and subleaf.
    pub fn place(&self, feature: usize) -> (Space, u32, u32) {
        let field = &self.features[feature].field;
        (field.space, field.leaf, own_subleaf(field))
    }

    /// The highest level that a set reaches: its number from 1, 0 for none.
    pub fn level(&self, bits: Bits) -> usize {
        let reached = |(_, needed): &&(String, Bits)| needed.without(bits).is_empty();
        self.levels.iter().take_while(reached).count()
    }

    /// The name of that level.
    pub fn level_name(&self, bits: Bits) -> &str {
        match self.level(bits) {
            0 => "no level",
            level => &self.levels[level - 1].0,
        }
    }

    /// What a set is worth: its level, then its weights.
    pub fn value(&self, bits: Bits) -> Value {
        let weights = bits
            .iter()
            .filter_map(|at| self.features.get(at))
            .map(|feature| feature.weight);
        Value {
            level: self.level(bits),
            weight: weights.sum(),
        }
    }
}

/// The subleaf that a field is looked up in.
fn own_subleaf(field: &Field) -> u32 {
    match field.subleaves {
        Subleaves::One(own) | Subleaves::From(own) => own,
        Subleaves::None | Subleaves::All => 0,
    }
}

/// What a guest has of a set of features.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Value {
    /// Level of the psABI, from 1; 0 for none.
    pub level: usize,
    /// Sum of weights.
    pub weight: u32,
}

impl Value {
    /// One number that orders as the value does: a level counts more than all weights.
    pub fn points(self) -> u64 {
        self.level as u64 * 10_000 + u64::from(self.weight)
    }
}

fn is_feature(field: &Field, releases: &[(u32, u32)]) -> bool {
    let named = |release: &(u32, u32)| field.qemu.is_some_and(|names| names.holds(*release));
    let is_flag = field.format == Format::Flag && field.space != Space::HyperV;
    let is_paravirtual = field.space == Space::Cpuid && HYPERVISORS.contains(&field.leaf);
    is_flag && !is_paravirtual && releases.iter().all(named)
}

fn weight(tables: &Tables, name: &str) -> u32 {
    tables
        .weights
        .get(name)
        .map_or(1, |row| row.weight.unwrap_or(0))
}

fn select(features: &[Feature], is_wanted: impl Fn(&Feature) -> bool) -> Bits {
    let numbered = features.iter().enumerate();
    numbered
        .filter(|(_, feature)| is_wanted(feature))
        .map(|(at, _)| at)
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::fleet::fixture::catalogue;

    #[test]
    fn a_feature_is_one_that_every_release_names() {
        let new = catalogue(&[(11, 1)]);
        let both = catalogue(&[(5, 2), (11, 1)]);
        assert!(new.number("auto-ibrs").is_some() && both.number("auto-ibrs").is_none());
        assert!(both.number("avx2").is_some());
        assert!(new.number("kvmclock").is_none(), "every KVM gives it");
    }

    #[test]
    fn a_level_counts_more_than_weights() {
        let catalogue = catalogue(&[(11, 1)]);
        let v2 = catalogue.levels[1].1;
        assert_eq!(catalogue.level_name(v2), "x86-64-v2");
        let more = catalogue.bits(["aes", "sha-ni", "avx512f"]);
        assert!(catalogue.value(v2) > catalogue.value(catalogue.levels[0].1 | more));
        assert_eq!(catalogue.level_name(more), "no level");
    }

    #[test]
    fn what_cannot_be_migrated_is_not_added() {
        let catalogue = catalogue(&[(11, 1)]);
        let number = |name| catalogue.number(name).expect("a feature");
        assert!(!catalogue.addable.has(number("invtsc")));
        assert!(catalogue.addable.has(number("avx2")));
        assert!(catalogue.nested.has(number("vmx-ept")) && catalogue.nested.has(number("npt")));
    }
}
