//! All layers of one case. Serialised, this is a record: the checks run again from it on a machine with neither QEMU nor KVM.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use fidelity_protocol::frame::MODE_LINUX;
use serde::{Deserialize, Serialize};

use super::libvirt::layer::LibvirtLayer;
use super::linux_lines::linux;
use super::linux_report::LinuxReport;
use super::promised::Promised;
use super::qemu::QemuLayer;
use crate::case::guest::SUPPORTED;
use crate::case::{Accelerator, Case, Lane, RunAs, Starter};
use crate::cpuid::{Dump, Line, Table, Volatile, render};
use crate::host::{Found, HostLayer, KvmLayer};
use crate::util::limits::RECORD;
use crate::util::open;
use crate::vmm::kvm::CpuidTable;
use crate::vmm::linux::Names;

/// The version of the format; a record of another one is refused.
pub const VERSION: u32 = 1;

/// All layers of one case. A layer that was not asked is absent, and no check takes that for an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// [`VERSION`].
    pub record: u32,
    /// Which case.
    pub case: RecordedCase,
    /// The command line to paste; empty where no guest ran.
    pub command: Vec<String>,
    /// Hardware and kernel of the machine that the guest ran on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Arc<HostLayer>>,
    /// That machine's KVM, or why it could not be asked.
    #[serde(default)]
    pub kvm: Found<Arc<KvmLayer>>,
    /// QEMU's answers and warnings; `None` where there is no QEMU, or it was not asked.
    #[serde(default)]
    pub qemu: Option<QemuLayer>,
    /// The same guest with all features forced; `None` where the model has no definition.
    #[serde(default)]
    pub definition: Option<Dump>,
    /// The reviewed definition of the case's model; `None` of a model that none was recorded of, `host` and `max` among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promised: Option<Promised>,
    /// What KVM_SET_CPUID2 was given, by vCPU, where this program is the VMM.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given: Vec<CpuidTable>,
    /// What KVM_GET_CPUID2 answered before the guest ran, likewise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<CpuidTable>,
    /// libvirt's XML, claims and answers, where libvirt started the guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub libvirt: Option<LibvirtLayer>,
    /// The agent's dump of the same CPU without an operating system, of a Linux guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bare_metal: Option<Dump>,
    /// The names that the kernel of a Linux guest has for flags and bugs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel_names: Option<Arc<Names>>,
    /// What the guest saw; empty where no guest ran.
    pub guest: Dump,
}

/// A case by its names and properties.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct RecordedCase {
    /// Version of QEMU.
    pub qemu: String,
    /// The lane.
    pub lane: Lane,
    /// How the guest was run.
    pub run_as: RunAs,
    /// The `-machine` argument.
    pub machine: String,
    /// The `-cpu` argument.
    pub cpu: String,
    /// The `-smp` argument.
    pub smp: String,
    /// The kernel of the emulated host, as trials are named; `None` for a real one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// As it may be written: early records name the lane alone.
#[derive(Deserialize)]
#[serde(expecting = "a case")]
struct Written {
    qemu: String,
    lane: Lane,
    run_as: Option<RunAs>,
    machine: String,
    cpu: String,
    smp: String,
    #[serde(default)]
    host: Option<String>,
}

impl From<Written> for RecordedCase {
    fn from(written: Written) -> RecordedCase {
        RecordedCase {
            qemu: written.qemu,
            lane: written.lane,
            run_as: written.run_as.unwrap_or(written.lane.run_as()),
            machine: written.machine,
            cpu: written.cpu,
            smp: written.smp,
            host: written.host,
        }
    }
}

impl From<&Case> for RecordedCase {
    fn from(case: &Case) -> RecordedCase {
        RecordedCase {
            qemu: case.qemu.offers.version.clone(),
            lane: case.lane,
            run_as: case.run_as,
            machine: case.machine.clone(),
            cpu: case.cpu.clone(),
            smp: case.smp.as_str().to_owned(),
            host: case.host.as_ref().map(|host| host.label().to_owned()),
        }
    }
}

impl RecordedCase {
    /// Whether KVM was given a table out of a file, instead of its own or of a recorded definition.
    pub fn is_of_a_file(&self) -> bool {
        let by_us = self.run_as.starter == Starter::Harness;
        by_us && self.qemu.is_empty() && self.cpu != SUPPORTED
    }

    /// Whether KVM executed the guest.
    pub fn uses_kvm(&self) -> bool {
        self.run_as.accelerator == Accelerator::Kvm
    }

    /// Whether QEMU chose the guest's CPUID.
    pub fn has_qemu(&self) -> bool {
        matches!(self.run_as.starter, Starter::Qemu | Starter::Libvirt)
    }
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
    /// Its text is not a record's; the source has line and column.
    #[error("failed to read the record in {path}: {source}")]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        source: serde_json::Error,
    },
    /// A record of another version.
    #[error("the record in {path} has format {found}, expected {VERSION}")]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
}

/// The member that tells a record from a dump.
#[derive(Deserialize)]
struct Head {
    record: Option<u32>,
}

impl Evidence {
    /// Evidence of a case with nothing but its names: layers are added to it.
    pub fn new(case: &Case) -> Evidence {
        Evidence {
            record: VERSION,
            case: case.into(),
            command: Vec::new(),
            host: None,
            kvm: Found::Absent,
            qemu: None,
            definition: None,
            promised: None,
            given: Vec::new(),
            kept: Vec::new(),
            libvirt: None,
            bare_metal: None,
            kernel_names: None,
            guest: Dump::default(),
        }
    }

    /// Whether a JSON text is a record, not a dump.
    pub fn is_record(text: &str) -> bool {
        serde_json::from_str::<Head>(text).is_ok_and(|head| head.record.is_some())
    }

    /// Reads the text of the file `path`.
    ///
    /// # Errors
    /// It is no record, or one of another version.
    pub fn parse(path: &Path, text: &str) -> Result<Evidence, RecordError> {
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
    pub fn read(path: &Path) -> Result<Evidence, RecordError> {
        let text = open::data_text(path, RECORD).map_err(|source| RecordError::Read {
            path: path.to_owned(),
            source,
        })?;
        Evidence::parse(path, &text)
    }

    /// What the kernel of a Linux guest reported; `None` where the guest was the agent, or reported no /proc/cpuinfo.
    pub fn linux_report(&self) -> Option<LinuxReport> {
        LinuxReport::from_dump(&self.guest)
    }

    /// Whether the guest ran an operating system.
    pub fn is_linux(&self) -> bool {
        self.guest.mode == MODE_LINUX
    }

    /// What the guest saw as expectation lines, masked: the kernel's report of a Linux guest, the dump of any other.
    pub fn guest_lines(&self, table: &Table, volatile: &Volatile) -> Vec<Line> {
        match self.linux_report() {
            Some(report) => linux(&report, volatile),
            None => render(&self.guest, table, volatile),
        }
    }
}
