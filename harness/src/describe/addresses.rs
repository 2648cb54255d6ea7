//! How wide addresses are.

use serde::Serialize;

use super::facts::Facts;
use super::page::{Section, UNKNOWN};
use crate::input::Presence;

/// Bits of addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Addresses {
    pub physical: Option<u64>,
    pub linear: Option<u64>,
    /// Of a guest's physical addresses, where that is another number.
    pub guest_physical: Option<u64>,
    /// Whether leaf 80000008H says so; else it follows from PAE and long mode.
    pub announced: bool,
}

impl Addresses {
    pub fn new(facts: &Facts<'_>) -> Addresses {
        if let Some(physical) = facts.nonzero("phys-bits") {
            return Addresses {
                physical: Some(physical),
                linear: facts.nonzero("virt-bits"),
                guest_physical: facts
                    .nonzero("guest-phys-bits")
                    .filter(|guest| *guest != physical),
                announced: true,
            };
        }
        // SDM vol. 3, "Enumeration of paging features by CPUID": without the leaf 36 bits with PAE, 32 without.
        let is_silent = facts.value("phys-bits") == Some(0);
        let physical = match facts.presence("pae") {
            Presence::Present if is_silent => Some(36),
            Presence::Absent if is_silent => Some(32),
            _ => None,
        };
        Addresses {
            physical,
            linear: physical.map(|_| 32),
            ..Addresses::default()
        }
    }

    pub fn add_to(&self, section: &mut Section) {
        let (Some(physical), Some(linear)) = (self.physical, self.linear) else {
            section.pair("Addresses", UNKNOWN);
            return;
        };
        let mut text = format!("{physical} bits physical, {linear} bits linear");
        if let Some(guest) = self.guest_physical {
            text.push_str(&format!(", {guest} bits physical of a guest"));
        }
        if !self.announced {
            text.push_str(" (no leaf 80000008H)");
        }
        section.pair("Addresses", text);
    }
}
