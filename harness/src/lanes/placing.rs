//! A single guest that a command line names: with which kernel, and on which machine, its lane runs it.

use std::sync::Arc;

use crate::case::{Accelerator, Case, EmulatedHost, Emulation, LabKernel, Lane, Starter};
use crate::host::lab::{Wrapper, WrapperError};

/// What a command line says beside lane, machine type, `-cpu` and `-smp`.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The kernel of a lab or of a Linux guest, with further parameters.
    pub kernel: Option<LabKernel>,
    /// Further parameters of the command line of a guest's kernel.
    pub append: Vec<String>,
    /// MiB of an emulated host's RAM.
    pub megabytes: Option<u64>,
    /// What executes guests of lanes that can run on either.
    pub accelerator: Option<Accelerator>,
    /// Whether the command line names the emulated host.
    pub names_host: bool,
    /// What emulates hosts.
    pub emulator: Option<Emulation>,
    /// The kernel of a Linux guest where none is named: the newest of the configuration.
    pub guest_kernel: Option<LabKernel>,
}

/// Why a lane does not run such a guest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlacingError {
    /// A lab is one of a kernel.
    #[error("--lane {0} needs --kernel PATH, as of .cache/kernels (scripts/fetch-kernel 6.12)")]
    NeedsKernel(Lane),
    /// Neither KVM nor Linux runs in the lane.
    #[error("lane {0} has no KVM: --kernel goes with lanes lab, linux, kvm and kvm-direct")]
    NoKvm(Lane),
    /// There is no guest's kernel.
    #[error("--append goes with --lane linux; the kernel of a lab takes --cmdline")]
    NoGuestKernel,
    /// No kernel was found for a Linux guest.
    #[error("no kernel to boot as a guest: scripts/fetch-kernel 6.12 brings one")]
    NoKernelHere,
    /// No QEMU was found that emulates a host.
    #[error("no QEMU to emulate the host with: run `scripts/setup`, or name one in fidelity.toml")]
    NoEmulator,
    /// What stands in front of the QEMU cannot be taken along.
    #[error(transparent)]
    Wrapper(#[from] WrapperError),
}

impl PlacingError {
    /// Whether something is missing on this machine, and not wrong on the command line.
    pub fn is_missing(&self) -> bool {
        matches!(self, PlacingError::NoKernelHere | PlacingError::NoEmulator)
    }
}

/// Refuses kernels: for lanes that have none.
///
/// # Errors
/// One is named.
pub fn without_kernel(case: Case, wanted: &Wanted) -> Result<Case, PlacingError> {
    if wanted.kernel.is_some() {
        return Err(PlacingError::NoKvm(case.lane));
    }
    without_append(wanted)?;
    Ok(case)
}

/// Refuses parameters of a guest's kernel.
///
/// # Errors
/// There are some.
pub fn without_append(wanted: &Wanted) -> Result<(), PlacingError> {
    if wanted.append.is_empty() {
        Ok(())
    } else {
        Err(PlacingError::NoGuestKernel)
    }
}

/// On this host where no kernel is named, else on an emulated host with that kernel, in lane `lab`.
///
/// # Errors
/// There is no emulator.
pub fn here_or_in_lab(case: Case, wanted: &Wanted) -> Result<Case, PlacingError> {
    without_append(wanted)?;
    let starter = case.run_as.starter;
    match &wanted.kernel {
        None => Ok(case),
        Some(kernel) => in_lab(case, kernel, starter, wanted),
    }
}

/// On an emulated host with this kernel.
///
/// # Errors
/// There is no emulator, or the QEMU is behind a wrapper that cannot be taken along.
pub fn in_lab(
    case: Case,
    kernel: &LabKernel,
    starter: Starter,
    wanted: &Wanted,
) -> Result<Case, PlacingError> {
    if starter == Starter::Qemu {
        Wrapper::read(&case.qemu.path)?;
    }
    let emulation = wanted.emulator.clone().ok_or(PlacingError::NoEmulator)?;
    let mut case = Case {
        lane: Lane::LAB,
        run_as: Lane::LAB.run_as(),
        ..case
    };
    case.run_as.starter = starter;
    case.host = Some(Arc::new(EmulatedHost {
        emulation,
        kernel: kernel.clone(),
        megabytes: wanted.megabytes,
    }));
    Ok(case)
}
