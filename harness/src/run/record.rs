//! Records: all layers of one case in a file, from which the checks run again on a machine with neither QEMU nor KVM.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::engine::Engine;
use super::layered;
use crate::case::guest::SUPPORTED;
use crate::case::guest::{Case, Lane};
use crate::check::agreement::{Layers, agreement};
use crate::check::{
    Finding, Layer, given_and_kept, given_and_seen, libvirt_live, self_consistency,
    supported_by_hardware,
};
use crate::cpuid::dump::Dump;
use crate::cpuid::table::Table;
use crate::evidence::libvirt::layer::LibvirtLayer;
use crate::evidence::qemu::QemuLayer;
use crate::host::kvm::KvmLayer;
use crate::host::{Found, HostLayer};
use crate::vmm::guest::Options;
use crate::vmm::kvm::table::CpuidTable;

/// The version of the format; a record of another is refused.
pub const VERSION: u32 = 1;

/// All layers of one case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// [`VERSION`].
    pub record: u32,
    /// Which case.
    pub case: RecordedCase,
    /// The command line to paste.
    pub command: Vec<String>,
    /// The host; `None` where it was left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostLayer>,
    /// The host's KVM, or why it could not be asked; absent where the host was left out.
    #[serde(default)]
    pub kvm: Found<KvmLayer>,
    /// What QEMU claims; `None` in lanes without QEMU.
    #[serde(default)]
    pub qemu: Option<QemuLayer>,
    /// The same guest with all features forced; `None` where the model has no definition.
    #[serde(default)]
    pub definition: Option<Dump>,
    /// What KVM_SET_CPUID2 was given, by vCPU, in lane `kvm-direct`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given: Vec<CpuidTable>,
    /// What KVM_GET_CPUID2 said before the guest ran, likewise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<CpuidTable>,
    /// What libvirt says, in lane `libvirt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub libvirt: Option<LibvirtLayer>,
    /// What the guest saw.
    pub guest: Dump,
}

/// A case by its names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedCase {
    /// Version of QEMU.
    pub qemu: String,
    /// The lane.
    pub lane: Lane,
    /// The `-machine` argument.
    pub machine: String,
    /// The `-cpu` argument.
    pub cpu: String,
    /// The `-smp` argument.
    pub smp: String,
}

/// Why a file is no record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It cannot be read.
    #[error("failed to read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Its text is not a record's; the source tells line and column.
    #[error("failed to read the record in {path}: {source}")]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        source: serde_json::Error,
    },
    /// A record of another version.
    #[error("the record in {path} has format {found}, wanted {VERSION}")]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
}

/// Why a case cannot be checked from its record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the record holds no {0}")]
pub struct Lacking(&'static str);

/// The member that tells a record from a dump.
#[derive(Deserialize)]
struct Head {
    record: Option<u32>,
}

impl Record {
    /// Whether a JSON text is a record, not a dump.
    pub fn is_one(text: &str) -> bool {
        serde_json::from_str::<Head>(text).is_ok_and(|head| head.record.is_some())
    }

    /// Reads the text of the file `path`.
    ///
    /// # Errors
    /// It is no record, or one of another version.
    pub fn parse(path: &Path, text: &str) -> Result<Record, RecordError> {
        let path = path.to_owned();
        if let Ok(Head {
            record: Some(found),
        }) = serde_json::from_str(text)
            && found != VERSION
        {
            return Err(RecordError::Version { path, found });
        }
        serde_json::from_str(text).map_err(|source| RecordError::Form { path, source })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or is no record.
    pub fn read(path: &Path) -> Result<Record, RecordError> {
        let text = std::fs::read_to_string(path).map_err(|source| RecordError::Read {
            path: path.to_owned(),
            source,
        })?;
        Record::parse(path, &text)
    }

    /// What the recorded layers contradict one another in: the checks that need no expectation, as a run makes them.
    ///
    /// # Errors
    /// A layer that the checks need was not recorded.
    pub fn findings(&self, table: &Table) -> Result<Vec<Finding>, Lacking> {
        // As `layered::findings` does in a run.
        let (definition, below) = match self.case.lane {
            Lane::Definition | Lane::Linux => return Ok(Vec::new()),
            Lane::KvmDirect => return Ok(self.told_by_kvm(table)),
            Lane::Tcg => {
                let definition = self.definition.as_ref().ok_or(Lacking("definition"))?;
                (Some(definition), Layer::Qemu)
            }
            Lane::Kvm | Lane::Lab => (None, Layer::Kvm),
            Lane::Libvirt => return self.told_by_libvirt(table),
        };
        let mut changes = agreement(Layers {
            definition,
            guest: &self.guest,
            below,
            qemu: self.qemu.as_ref().ok_or(Lacking("QEMU layer"))?,
            table,
        });
        let smp = self.case.smp.parse().map_err(|_| Lacking("-smp"))?;
        let own = self_consistency::all(&self.guest, self.case.lane, &smp, table);
        changes.extend(own);
        Ok(changes)
    }

    fn told_by_libvirt(&self, table: &Table) -> Result<Vec<Finding>, Lacking> {
        let layer = self.libvirt.as_ref().ok_or(Lacking("libvirt layer"))?;
        Ok(libvirt_live::all(layer, &self.guest, table))
    }

    fn told_by_kvm(&self, table: &Table) -> Vec<Finding> {
        let mut changes = given_and_seen(&self.given, &self.guest, table);
        for (given, kept) in self.given.iter().zip(&self.kept) {
            changes.extend(given_and_kept(given, kept, table));
        }
        if let (SUPPORTED, Some(host), Some(supported)) =
            (self.case.cpu.as_str(), &self.host, self.given.first())
        {
            changes.extend(supported_by_hardware(supported, host, table));
        }
        changes
    }
}

/// Runs the guest of `case` and all that belongs to it.
///
/// # Errors
/// The guest could not be run, or QEMU did not answer.
pub fn record(engine: &Engine, case: &Case, with_host: bool) -> Result<Record, String> {
    let options = Options {
        view: case.lane != Lane::KvmDirect,
        expand: true,
        ..engine.options.clone()
    };
    let seen = engine
        .boot(case, &options)
        .map_err(|broken| broken.reason)?;
    let qemu = match case.lane {
        Lane::KvmDirect => None,
        Lane::Definition | Lane::Linux | Lane::Libvirt => seen.qemu.clone(),
        Lane::Tcg | Lane::Kvm | Lane::Lab => Some(layered::qemu_layer(engine, case, &seen)?),
    };
    let forced = Case {
        lane: Lane::Definition,
        ..case.clone()
    };
    let definition = engine.observe(&forced);
    let mut libvirt = seen.libvirt;
    if let Some(layer) = &mut libvirt {
        layer.capabilities = Some(super::libvirt::capabilities(engine, case)?);
    }
    Ok(Record {
        libvirt,
        record: VERSION,
        case: RecordedCase {
            qemu: case.qemu.offers.version.clone(),
            lane: case.lane,
            machine: case.machine.clone(),
            cpu: case.cpu.clone(),
            smp: case.smp.as_str().to_owned(),
        },
        host: match with_host {
            true => Some(
                engine
                    .site()
                    .host_layer()
                    .map_err(|error| error.to_string())?,
            ),
            false => None,
        },
        kvm: match with_host {
            true => match engine.site().kvm_layer() {
                Ok(layer) => Found::Value(layer),
                Err(error) => Found::Unreadable(error.to_string()),
            },
            false => Found::Absent,
        },
        qemu,
        // `host` has none.
        definition: (*definition).as_ref().ok().map(|seen| seen.dump.clone()),
        command: seen.command,
        given: seen.given,
        kept: seen.kept,
        guest: seen.dump,
    })
}
