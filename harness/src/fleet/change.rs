//! The change between two reports, as data.

use serde::{Deserialize, Serialize};

/// The change from one report to another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Since {
    /// The `-cpu` argument then.
    pub then: String,
    /// The argument now.
    pub now: String,
    /// Features that guests had and would have no more.
    pub lost: Vec<String>,
    /// Features that guests would have now.
    pub gained: Vec<String>,
    /// Hosts that changed, by how they did.
    pub hosts: Vec<HostChange>,
    /// Hosts that were not there.
    pub come: Vec<String>,
    /// Hosts that are gone.
    pub gone: Vec<String>,
}

/// Hosts that changed in the same way.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HostChange {
    /// Features that they gave and give no more.
    pub lost: Vec<String>,
    /// Features that they give now.
    pub gained: Vec<String>,
    /// Of the lost ones, those that the earlier answer has: its guests can neither start there nor move there.
    pub needed: Vec<String>,
    /// What else is different on them: the likely cause.
    pub with: Vec<String>,
    /// The hosts.
    pub hosts: Vec<String>,
}

impl Since {
    /// Whether somebody must look at it: the answer is another one, or a host lost something.
    pub fn is_finding(&self) -> bool {
        self.then != self.now || self.hosts.iter().any(|change| !change.lost.is_empty())
    }
}
