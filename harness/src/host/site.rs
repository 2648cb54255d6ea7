//! Where guests run: on this host, or on an emulated one.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::case::guest::Case;
use crate::case::migration::Journey;
use crate::host::HostLayer;
use crate::host::kvm::KvmLayer;
use crate::util::cancel::Cancel;
use crate::vmm::guest::{Boot, Options};
use crate::vmm::kvm::run::Direct;
use crate::vmm::kvm::table::CpuidTable;
use crate::vmm::migrate::told::Migrated;
use crate::vmm::{guest, kvm as vmm, migrate, qmp};

/// A machine that runs guests under KVM, and what it says of itself. Every error is one message.
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
    ) -> Result<Boot, String>;

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
    ) -> Result<Direct, String>;

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
    ) -> Result<Migrated, String>;

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
    ) -> Result<Vec<Value>, String>;

    /// What its hardware and its kernel say.
    ///
    /// # Errors
    /// The machine is gone.
    fn host_layer(&self) -> Result<HostLayer, String>;

    /// What its KVM says.
    ///
    /// # Errors
    /// It has no KVM, or is gone.
    fn kvm_layer(&self) -> Result<KvmLayer, String>;
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
    ) -> Result<Boot, String> {
        guest::boot(case, rom, options, cancel)
            .map_err(|error| format!("failed to start {}: {error}", case.qemu.path.display()))
    }

    fn boot_direct(
        &self,
        case: &Case,
        table: &CpuidTable,
        options: &Options,
        cancel: &Cancel,
    ) -> Result<Direct, String> {
        vmm::boot_direct(case, table, options, cancel).map_err(|error| error.to_string())
    }

    fn migrate(
        &self,
        [from, to]: [&Case; 2],
        rom: &Path,
        options: &Options,
        journey: &Journey,
        cancel: &Cancel,
    ) -> Result<Migrated, String> {
        migrate::migrate(from, to, rom, options, journey, cancel).map_err(|error| {
            let (from, to) = (from.qemu.path.display(), to.qemu.path.display());
            match &journey.file {
                Some(file) => format!(
                    "failed to start {from} and {to} with {}: {error}",
                    file.display()
                ),
                None => format!("failed to start {from} and {to}: {error}"),
            }
        })
    }

    fn ask(
        &self,
        qemu: &Path,
        machine: &str,
        commands: &[Value],
        deadline: Duration,
        cancel: &Cancel,
    ) -> Result<Vec<Value>, String> {
        qmp::ask(qemu, machine, commands, deadline, cancel).map_err(|error| error.to_string())
    }

    fn host_layer(&self) -> Result<HostLayer, String> {
        Ok(HostLayer::of_this_host())
    }

    fn kvm_layer(&self) -> Result<KvmLayer, String> {
        KvmLayer::of_this_host().map_err(|error| error.to_string())
    }
}
