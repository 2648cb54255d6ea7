//! What the topology leaves have in common: the size of a core and of a package.

use crate::case::parts::Parts;
use crate::check::view::View;

/// What every leaf must agree with. Read off leaf 0BH it is what a guest wrote, and any number can be 0 or less than another.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub threads: u32,
    pub per_package: u32,
    pub thread_bits: u32,
    pub package_bits: u32,
    /// What `-smp` asks for, where that is known.
    pub parts: Option<Parts>,
}

impl Shape {
    /// Of what `-smp` asks for.
    pub fn of_parts(parts: &Parts) -> Option<Shape> {
        let (thread_bits, package_bits) = parts.widths()?;
        Some(Shape {
            threads: parts.threads,
            per_package: parts.per_package()?,
            thread_bits,
            package_bits,
            parts: Some(*parts),
        })
    }

    /// How many ids a core, a module, a die and a package take; `None` where `-smp` is not known.
    pub fn shared(&self) -> Option<Vec<u32>> {
        let parts = self.parts?;
        let ids = (1..=4).map(|depth| Some(1 << parts.within(depth)?.1.min(12)));
        let mut ids: Vec<u32> = ids.collect::<Option<_>>()?;
        ids.dedup();
        Some(ids)
    }

    /// How many APIC ids a core's threads fill. Atoms without threads leave a bit for one in leaf 0BH all the same.
    pub fn ids_of_core(&self) -> u32 {
        match self.parts {
            Some(_) => 1 << self.thread_bits,
            None => (1 << self.thread_bits).min(self.threads.max(1).next_power_of_two()),
        }
    }

    /// What the list of leaf 0BH, which has no levels beyond cores, ends with: less than the package where that has dies.
    pub fn of_first_list(self, view: &View<'_>) -> Shape {
        let first = Shape::of_cores(view).filter(|_| self.parts.is_none());
        first.unwrap_or(self)
    }

    /// Of what leaf 0BH says; where leaf 1FH has more levels, the package is its last one (SDM vol. 3 §10.9.1).
    pub fn of_leaf_b(view: &View<'_>) -> Option<Shape> {
        let cores = Shape::of_cores(view)?;
        let at = |name, level| view.at(name, level);
        let there = |level: &u32| at("topo-type-v2", *level).is_some_and(|kind| kind != 0);
        let last = (0..64).take_while(there).last().filter(|last| *last > 1);
        let dies = last.and_then(|last| {
            Some(Shape {
                per_package: at("topo-logical-cpus-v2", last)?,
                package_bits: at("topo-shift-v2", last)?,
                ..cores
            })
        });
        Some(dies.unwrap_or(cores))
    }

    fn of_cores(view: &View<'_>) -> Option<Shape> {
        let at = |name, level| view.at(name, level);
        at("topo-type", 1).filter(|kind| *kind != 0)?;
        Some(Shape {
            threads: at("topo-logical-cpus", 0)?,
            per_package: at("topo-logical-cpus", 1)?,
            thread_bits: at("topo-shift", 0)?,
            package_bits: at("topo-shift", 1)?,
            parts: None,
        })
    }
}
