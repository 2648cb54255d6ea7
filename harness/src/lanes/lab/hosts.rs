//! Which emulated host a command line names: `amd`, `intel`, `intel:haswell`.

use std::fmt::{Display, Formatter};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::case::offers::Offers;
use crate::case::{EmulatedHost, Emulation, Processor, Qemu};
use crate::host::Unable;
use crate::host::lab::emulators::models::{self, AMD_MODELS, DEFAULT_MODEL, MODELS};
use crate::host::lab::emulators::{DEFAULT_EMULATOR, REGISTRY, vmx};
use crate::util::near::hint;
use crate::vmm::bochs::fetched;

/// What a command line names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName {
    /// The label of the emulator's row.
    emulator: &'static str,
    /// The emulator's model; empty where it has one only.
    model: &'static str,
    /// What is left out of the model in any case.
    without: &'static [&'static str],
}

/// Bochs is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no Bochs to emulate an Intel host with at {0}: run scripts/fetch-bochs")]
pub struct NoBochs(PathBuf);

/// Why there is no such emulated host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// No emulator has it.
    #[error("no emulated host “{name}”{near}; there are {known}")]
    Vendor {
        /// What was named.
        name: String,
        /// A name near to it.
        near: String,
        /// All names.
        known: String,
    },
    /// The emulator has no such processor.
    #[error("no processor “{name}” with VMX and EPT in Bochs{near}; there are {known}")]
    Model {
        /// What was named.
        name: String,
        /// A name near to it.
        near: String,
        /// All names.
        known: String,
    },
    /// TCG has no such processor of AMD's.
    #[error(
        "no processor “{name}” of AMD's{near}; there are {known}, and QEMU's `max` without a name"
    )]
    AmdModel {
        /// What was named.
        name: String,
        /// A name near to it.
        near: String,
        /// All names.
        known: String,
    },
    /// Features of that processor cannot be left out.
    #[error(
        "--without goes with a processor that is named, as --lab-host amd:rome: QEMU's `max` is given to the AMD host whole"
    )]
    Whole,
    /// Bochs is not there.
    #[error(transparent)]
    NoBochs(#[from] NoBochs),
}

impl FromStr for HostName {
    type Err = HostError;

    fn from_str(text: &str) -> Result<HostName, HostError> {
        let (vendor, model) = match text.split_once(':') {
            Some((vendor, model)) => (vendor, Some(model)),
            None => (text, None),
        };
        let vendors = || REGISTRY.iter().map(|row| row.vendor);
        let row = REGISTRY
            .iter()
            .find(|row| row.vendor == vendor || row.label == vendor);
        let row = row.ok_or_else(|| HostError::Vendor {
            name: vendor.to_owned(),
            near: hint(vendor, vendors()),
            known: vendors().collect::<Vec<_>>().join(", "),
        })?;
        match (row.label, model) {
            (vmx::LABEL, model) => intel(model.unwrap_or(DEFAULT_MODEL)),
            (_, Some(model)) => amd(model),
            (_, None) => Ok(HostName::AMD),
        }
    }
}

impl<'de> Deserialize<'de> for HostName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<HostName, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl HostName {
    /// The AMD host, which is the one of labs that name none.
    pub const AMD: HostName = HostName {
        emulator: DEFAULT_EMULATOR,
        model: "",
        without: &[],
    };

    /// The Intel host where no processor is named.
    pub const INTEL: HostName = HostName {
        emulator: vmx::LABEL,
        model: DEFAULT_MODEL,
        without: &[],
    };

    /// What users call it, without these features of its processor: `intel:haswell`.
    fn label(&self, without: &[String]) -> String {
        let row = REGISTRY.iter().find(|row| row.label == self.emulator);
        let vendor = row.map_or(self.emulator, |row| row.vendor);
        let processor = match self.model {
            "" | DEFAULT_MODEL => String::new(),
            name => {
                let intel = models::find(name).map(|model| model.short);
                let short = intel.or_else(|| models::short_amd(name)).unwrap_or(name);
                format!(":{short}")
            }
        };
        let without: String = without.iter().map(|name| format!(",-{name}")).collect();
        format!("{vendor}{processor}{without}")
    }
}

impl Display for HostName {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.emulator)?;
        match self.model {
            "" => Ok(()),
            model => write!(f, ":{model}"),
        }
    }
}

fn amd(name: &str) -> Result<HostName, HostError> {
    let names = || AMD_MODELS.iter().map(|(short, _)| *short);
    let model = models::find_amd(name).ok_or_else(|| HostError::AmdModel {
        name: name.to_owned(),
        near: hint(name, names()),
        known: names().collect::<Vec<_>>().join(", "),
    })?;
    Ok(HostName {
        emulator: DEFAULT_EMULATOR,
        model,
        without: &[],
    })
}

fn intel(name: &str) -> Result<HostName, HostError> {
    let names = || MODELS.iter().map(|model| model.short);
    let model = models::find(name).ok_or_else(|| HostError::Model {
        name: name.to_owned(),
        near: hint(name, names().chain(MODELS.iter().map(|model| model.name))),
        known: names().collect::<Vec<_>>().join(", "),
    })?;
    Ok(HostName {
        emulator: vmx::LABEL,
        model: model.name,
        without: model.without,
    })
}

/// What emulates that host, without these features of its processor; `amd` is the QEMU that emulates AMD hosts, and the one where none
/// is named. What was fetched is in the folder `cache`.
///
/// # Errors
/// There is no Bochs, or features are to be left out where they cannot.
pub fn emulation(
    name: Option<&HostName>,
    without: &[String],
    cache: &Path,
    amd: Option<Emulation>,
) -> Result<Option<Emulation>, HostError> {
    match name {
        Some(name) if name.emulator != DEFAULT_EMULATOR => {
            let emulation = bochs(name, without, cache);
            is_there(&emulation)?;
            Ok(Some(emulation))
        }
        Some(name) if !name.model.is_empty() => Ok(amd.map(|amd| Emulation {
            label: name.label(without),
            processor: Processor {
                model: name.model.to_owned(),
                without: without.to_vec(),
            },
            ..amd
        })),
        _ if without.is_empty() => Ok(amd),
        _ => Err(HostError::Whole),
    }
}

/// What emulates the host of that name where it is planned, whether or not its emulator is there.
pub fn planned(name: &HostName, cache: &Path, amd: Option<&Emulation>) -> Option<Emulation> {
    match name.emulator {
        DEFAULT_EMULATOR => emulation(Some(name), &[], cache, amd.cloned())
            .ok()
            .flatten(),
        _ => Some(bochs(name, &[], cache)),
    }
}

/// Whether what emulates is there.
///
/// # Errors
/// It is not.
pub fn is_there(emulation: &Emulation) -> Result<(), NoBochs> {
    let path = &emulation.program.path;
    match &*emulation.emulator {
        DEFAULT_EMULATOR => Ok(()),
        _ if path.is_file() => Ok(()),
        _ => Err(NoBochs(path.clone())),
    }
}

/// The same of the host of a case.
///
/// # Errors
/// As [`is_there`].
pub fn available(host: &EmulatedHost) -> Result<(), Unable> {
    let there = is_there(&host.emulation);
    there.map_err(|error| Unable::NoEmulator(error.to_string()))
}

fn bochs(name: &HostName, without: &[String], cache: &Path) -> Emulation {
    let path = fetched(cache);
    let path = std::path::absolute(&path).unwrap_or(path);
    let label = name.label(without);
    let own = name.without.iter().map(|name| (*name).to_owned());
    let mut without: Vec<String> = own.chain(without.iter().cloned()).collect();
    without.sort();
    without.dedup();
    Emulation {
        label,
        emulator: name.emulator.to_owned(),
        program: Arc::new(Qemu {
            path,
            label: format!("bochs-{}", vmx::RELEASE),
            offers: Arc::new(Offers::default()),
        }),
        processor: Processor {
            model: name.model.to_owned(),
            without,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        let error = text.parse::<HostName>().expect_err("no host");
        error.to_string()
    }

    #[test]
    fn a_host_is_named_by_vendor_and_model() {
        let named = |text: &str| text.parse::<HostName>().expect("a host");
        assert_eq!(named("intel"), HostName::INTEL);
        assert_eq!(named("amd"), HostName::AMD);
        for label in ["amd", "amd:rome", "intel", "intel:haswell"] {
            assert_eq!(named(label).label(&[]), label);
        }
        let without = ["avx2".to_owned()];
        assert_eq!(named("intel").label(&without), "intel,-avx2");
        assert_eq!(named("intel:haswell"), named("vmx:corei7_haswell_4770"));
        assert_eq!(
            named("intel:sapphire_rapids").without,
            ["amx", "amx_int8", "amx_bf16"]
        );
    }

    #[test]
    fn a_name_that_is_none_is_refused_with_those_that_are() {
        assert_eq!(
            error("intle"),
            "no emulated host “intle”; near to it: intel; there are amd, intel"
        );
        let model = error("intel:haswel");
        let near = "no processor “haswel” with VMX and EPT in Bochs; near to it: haswell";
        assert!(model.starts_with(near), "{model}");
        assert!(model.contains("; there are westmere, "), "{model}");
        assert_eq!(
            error("amd:room"),
            "no processor “room” of AMD's; near to it: rome; there are barcelona, piledriver, naples, rome, milan, and QEMU's `max` without a name"
        );
    }

    #[test]
    fn without_bochs_the_script_that_fetches_it_is_named() {
        let name = "intel".parse::<HostName>().expect("a host");
        let error = emulation(Some(&name), &[], Path::new("/no"), None).expect_err("no Bochs");
        assert_eq!(
            error.to_string(),
            "no Bochs to emulate an Intel host with at /no/bochs/3.0/bochs: run scripts/fetch-bochs"
        );
    }

    #[test]
    fn an_amd_host_is_whole() {
        let without = ["avx2".to_owned()];
        let error = emulation(None, &without, Path::new("/no"), None).expect_err("whole");
        assert_eq!(error, HostError::Whole);
    }
}
