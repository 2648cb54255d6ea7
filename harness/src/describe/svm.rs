//! SVM: leaf 8000000AH.

use serde::Serialize;

use super::facts::Facts;
use super::page::Section;
use crate::cpuid::answers::Key;
use crate::cpuid::table::Space;
use crate::input::Presence;

/// What AMD's virtualization has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Svm {
    pub revision: Option<u64>,
    pub asids: Option<u64>,
    pub features: Vec<String>,
}

impl Svm {
    /// `None` where there is no SVM, or that is not known.
    pub fn new(facts: &Facts<'_>) -> Option<Svm> {
        if facts.presence("svm") != Presence::Present {
            return None;
        }
        let key = Key::new(0x8000_000a, 0);
        let mut features = facts.set_flags(Space::Cpuid, key, 3);
        features.extend(facts.set_flags(Space::Cpuid, key, 2));
        Some(Svm {
            revision: facts.value("svm-revision"),
            asids: facts.value("svm-asids"),
            features,
        })
    }

    pub fn section(&self) -> Section {
        let mut section = Section::new("SVM (leaf 8000000AH)");
        section.pair_of("Revision", self.revision.map(|number| number.to_string()));
        section.pair_of("ASIDs", self.asids.map(|number| number.to_string()));
        let features = match self.features.as_slice() {
            [] if self.revision.is_none() => super::page::UNKNOWN.to_owned(),
            [] => "none".to_owned(),
            features => features.join(" "),
        };
        section.pair("Features", features);
        section
    }
}
