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

    /// Of what leaf 0BH says.
    pub fn of_leaf_b(view: &View<'_>) -> Option<Shape> {
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
