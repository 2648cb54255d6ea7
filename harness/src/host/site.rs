//! Where guests run: on this host, or on an emulated one.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::case::guest::Case;
use crate::case::migration::Journey;
use crate::host::HostLayer;
use crate::host::kvm::KvmLayer;
use crate::host::lab::error::LabError;
use crate::util::cancel::Cancel;
use crate::vmm::failure::{BootFailure, BootFailureKind};
use crate::vmm::guest::{Boot, Options};
use crate::vmm::kvm::KvmError;
use crate::vmm::kvm::run::Direct;
use crate::vmm::kvm::table::CpuidTable;
use crate::vmm::linux::{LinuxFiles, boot_linux};
use crate::vmm::migrate::Saved;
use crate::vmm::migrate::outcome::Migrated;
use crate::vmm::qmp::QmpError;
use crate::vmm::start::StartError;
use crate::vmm::{guest, kvm as vmm, migrate, qmp};

/// Why a machine did not do what it was asked. What happens to a guest that was started is no error: [`Boot`] has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum SiteError {
    /// A program cannot be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// KVM cannot be used, or refuses the VM.
    #[error(transparent)]
    Kvm(#[from] KvmError),
    /// A QEMU that was asked about itself did not answer.
    #[error(transparent)]
    Qmp(#[from] QmpError),
    /// The emulated host did not come up, or is gone.
    #[error(transparent)]
    Lab(#[from] LabError),
}

impl SiteError {
    /// Whether a QEMU that was asked refused a question; it may answer the others.
    pub fn is_refusal(&self) -> bool {
        matches!(self, SiteError::Qmp(QmpError::Refused { .. }))
    }
}

impl From<SiteError> for BootFailure {
    fn from(error: SiteError) -> BootFailure {
        let kind = match &error {
            SiteError::Start(_) => BootFailureKind::Spawn,
            SiteError::Kvm(_) => BootFailureKind::KvmUnusable,
            SiteError::Qmp(_) => BootFailureKind::NotPrepared,
            SiteError::Lab(lab) if lab.is_cancelled() => BootFailureKind::Cancelled,
            SiteError::Lab(_) => BootFailureKind::LabGone,
        };
        BootFailure::because(kind, error)
    }
}

/// A machine that runs guests under KVM, and what it reports of itself.
pub trait Site: std::fmt::Debug + Send + Sync {
    /// Boots the guest of `case` under its QEMU, with the agent at `rom` ([`guest::boot`]).
    ///
    /// # Errors
    /// QEMU cannot be started, or the machine is gone.
    fn boot(
        &self,
        case: &Case,
        rom: &Path,
        options: &Options,
        cancel: &Cancel,
    ) -> Result<Boot, SiteError>;

    /// Runs the agent on KVM alone, with this CPUID table ([`vmm::boot_direct`]).
    ///
    /// # Errors
    /// KVM cannot be used, or the machine is gone.
    fn boot_direct(
        &self,
        case: &Case,
        table: &CpuidTable,
        options: &Options,
        cancel: &Cancel,
    ) -> Result<Direct, SiteError>;

    /// Boots the Linux guest of `case` under its QEMU ([`boot_linux`]).
    ///
    /// # Errors
    /// QEMU cannot be started, or the machine is gone.
    fn boot_linux(
        &self,
        case: &Case,
        files: &LinuxFiles,
        options: &Options,
        cancel: &Cancel,
    ) -> Result<Boot, SiteError>;

    /// Migrates the guest of a case from its QEMU to the other one ([`migrate::migrate`]); the agent is at `rom`.
    ///
    /// # Errors
    /// A QEMU cannot be started, or the machine is gone.
    fn migrate(
        &self,
        pair: [&Case; 2],
        rom: &Path,
        options: &Options,
        journey: &Journey,
        cancel: &Cancel,
    ) -> Result<Migrated, SiteError>;

    /// Boots the guest of `case` under its QEMU, and saves it ([`migrate::save`]); the agent is at `rom`.
    ///
    /// # Errors
    /// QEMU cannot be started, or the machine is gone.
    fn save(
        &self,
        case: &Case,
        rom: &Path,
        options: &Options,
        cancel: &Cancel,
    ) -> Result<Saved, SiteError>;

    /// Restores the guest of `case` from what was saved, here or elsewhere ([`migrate::restore`]).
    ///
    /// # Errors
    /// QEMU cannot be started, or the machine is gone.
    fn restore(
        &self,
        case: &Case,
        saved: &Saved,
        rom: &Path,
        options: &Options,
        cancel: &Cancel,
    ) -> Result<Migrated, SiteError>;

    /// Asks a QEMU about itself ([`qmp::ask`]).
    ///
    /// # Errors
    /// It does not answer or refuses, or the machine is gone.
    fn ask(
        &self,
        qemu: &Path,
        machine: &str,
        commands: &[Value],
        deadline: Duration,
        cancel: &Cancel,
    ) -> Result<Vec<Value>, SiteError>;

    /// What its hardware and its kernel say.
    ///
    /// # Errors
    /// The machine is gone.
    fn host_layer(&self) -> Result<HostLayer, SiteError>;

    /// What its KVM says.
    ///
    /// # Errors
    /// It has no KVM, or is gone.
    fn kvm_layer(&self) -> Result<KvmLayer, SiteError>;
}

/// This host.
#[derive(Clone, Copy, Debug)]
pub struct Here;

impl Site for Here {
    fn boot(
        &self,
        case: &Case,
        rom: &Path,
        options: &Options,
        cancel: &Cancel,
    ) -> Result<Boot, SiteError> {
        Ok(guest::boot(case, rom, options, cancel)?)
    }

    fn boot_direct(
        &self,
        case: &Case,
        table: &CpuidTable,
        options: &Options,
        cancel: &Cancel,
    ) -> Result<Direct, SiteError> {
        Ok(vmm::boot_direct(case, table, options, cancel)?)
    }

    fn boot_linux(
        &self,
        case: &Case,
        files: &LinuxFiles,
        options: &Options,
        cancel: &Cancel,
    ) -> Result<Boot, SiteError> {
        Ok(boot_linux(case, files, options, cancel)?)
    }

    fn migrate(
        &self,
        [from, to]: [&Case; 2],
        rom: &Path,
        options: &Options,
        journey: &Journey,
        cancel: &Cancel,
    ) -> Result<Migrated, SiteError> {
        Ok(migrate::migrate(from, to, rom, options, journey, cancel)?)
    }

    fn save(
        &self,
        case: &Case,
        rom: &Path,
        options: &Options,
        cancel: &Cancel,
    ) -> Result<Saved, SiteError> {
        Ok(migrate::save(case, rom, options, cancel)?)
    }

    fn restore(
        &self,
        case: &Case,
        saved: &Saved,
        rom: &Path,
        options: &Options,
        cancel: &Cancel,
    ) -> Result<Migrated, SiteError> {
        Ok(migrate::restore(case, &saved.stream, rom, options, cancel)?)
    }

    fn ask(
        &self,
        qemu: &Path,
        machine: &str,
        commands: &[Value],
        deadline: Duration,
        cancel: &Cancel,
    ) -> Result<Vec<Value>, SiteError> {
        Ok(qmp::ask(qemu, machine, commands, deadline, cancel)?)
    }

    fn host_layer(&self) -> Result<HostLayer, SiteError> {
        Ok(HostLayer::of_this_host())
    }

    fn kvm_layer(&self) -> Result<KvmLayer, SiteError> {
        Ok(KvmLayer::of_this_host()?)
    }
}
