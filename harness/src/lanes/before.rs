//! Guests that are booted before another one.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::observation::Observed;
use crate::case::Case;

/// What another guest is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// The same guest with its features forced: the model's definition.
    Definition,
    /// The same guest with `enforce`: does QEMU refuse it?
    Enforce,
    /// The same CPU without an operating system.
    BareMetal,
}

/// A guest that is booted before another one.
#[derive(Clone, Debug)]
pub struct Prerequisite {
    /// What it is wanted for.
    pub role: Role,
    /// The guest.
    pub case: Case,
}

/// The guests that were booted before, by role.
#[derive(Clone, Debug, Default)]
pub struct Before(BTreeMap<Role, Arc<Observed>>);

impl Before {
    /// Adds a guest.
    pub fn insert(&mut self, role: Role, observed: Arc<Observed>) {
        self.0.insert(role, observed);
    }

    /// What became of the guest; `None` where the lane asked for none.
    pub fn get(&self, role: Role) -> Option<&Observed> {
        self.0.get(&role).map(|observed| &**observed)
    }

    /// Adds those of another set.
    pub fn extend(&mut self, other: &Before) {
        let others = other.0.iter();
        self.0
            .extend(others.map(|(role, seen)| (*role, Arc::clone(seen))));
    }
}
