//! Features through the layers: how many a model promises, which each layer takes or adds, and what arrives.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::cpuid::answers::Regs;
use crate::cpuid::table::{Field, Format, Space, Table};

/// A layer of the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Whose word it is: `model`, `hardware`, `host kernel`, `kvm`, `qemu`, `guest`, `/proc/cpuinfo`; without QEMU `given`, `kvm`, `guest`.
    pub layer: String,
    /// How many features are left.
    pub present: usize,
    /// Features that the layer before had and this one has not.
    pub lost: Vec<String>,
    /// Features that this layer has and the one before had not.
    pub gained: Vec<String>,
}

/// Names of features.
pub type Features<'a> = BTreeSet<&'a str>;

/// The CPUID features that QEMU names and that `read` (leaf, subleaf → EAX to EDX) shows.
pub fn features(table: &Table, read: impl Fn(u32, u32) -> Option<Regs>) -> Features<'_> {
    let there = |field: &&Field| {
        let fits =
            field.space == Space::Cpuid && field.format == Format::Flag && field.qemu.is_some();
        let subleaf = (0..64)
            .find(|subleaf| field.subleaves.covers(*subleaf))
            .unwrap_or(0);
        let regs = fits.then(|| read(field.leaf, subleaf)).flatten();
        regs.is_some_and(|regs| u64::from(regs[usize::from(field.register)]) & field.mask() != 0)
    };
    let fields = table.fields().iter().filter(there);
    fields.map(|field| field.name.as_str()).collect()
}

/// The way of the features, layer by layer. `own` says whether a layer speaks of this guest; one that only says what could be had
/// (the hardware, KVM) takes features and adds none.
pub fn flow(layers: &[(&str, bool, Features<'_>)]) -> Vec<Step> {
    let mut left: Option<Features<'_>> = None;
    let mut steps = Vec::new();
    for (layer, own, has) in layers {
        let now: Features<'_> = match &left {
            Some(left) if !own => left.intersection(has).copied().collect(),
            _ => has.clone(),
        };
        let before = left.as_ref().unwrap_or(&now);
        let names = |a: &Features<'_>, b: &Features<'_>| -> Vec<String> {
            a.difference(b).map(|name| (*name).to_owned()).collect()
        };
        steps.push(Step {
            layer: (*layer).to_owned(),
            present: now.len(),
            lost: names(before, &now),
            gained: names(&now, before),
        });
        left = Some(now);
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_layer_says_what_it_took_and_added() {
        let set = |names: &'static str| names.split(' ').collect::<Features<'_>>();
        let steps = flow(&[
            ("model", true, set("avx avx2 sse")),
            ("kvm", false, set("avx sse x2apic")),
            ("qemu", true, set("avx sse x2apic")),
            ("guest", true, set("sse x2apic")),
        ]);
        let lines: Vec<_> = steps
            .iter()
            .map(|step| {
                format!(
                    "{} {} -{:?} +{:?}",
                    step.layer, step.present, step.lost, step.gained
                )
            })
            .collect();
        assert_eq!(
            lines,
            [
                "model 3 -[] +[]",
                "kvm 2 -[\"avx2\"] +[]",
                "qemu 3 -[] +[\"x2apic\"]",
                "guest 2 -[\"avx\"] +[]"
            ]
        );
    }
}
