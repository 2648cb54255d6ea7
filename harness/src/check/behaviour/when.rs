//! What CPUID says of a probe's feature.

use serde::{Deserialize, Serialize};

/// What CPUID says of a probe's feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum When {
    /// It is there, and all that it needs.
    Announced,
    /// It is not there.
    Hidden,
}

impl When {
    /// As the table of facts has it.
    pub fn name(self) -> &'static str {
        match self {
            When::Announced => "announced",
            When::Hidden => "hidden",
        }
    }

    /// By [`When::name`].
    pub fn named(name: &str) -> Option<When> {
        [When::Announced, When::Hidden]
            .into_iter()
            .find(|when| when.name() == name)
    }
}
