//! Linux guests on emulated hosts: guests of a lab's KVM, whose kernel is taken along.

use std::path::PathBuf;
use std::sync::Arc;

use crate::case::{Accelerator, Case, EmulatedHost, LabKernel, Lane};
use crate::lanes::placing::{PlacingError, Wanted};
use crate::lanes::{Bench, Scope};
use crate::vmm::linux::{LinuxFiles, Ready};

/// The guest on the emulated host that is named, with its kernel as the host's; without one as it is.
///
/// # Errors
/// There is no emulator.
pub fn placed(case: Case, kernel: &LabKernel, wanted: &Wanted) -> Result<Case, PlacingError> {
    if !wanted.names_host {
        return Ok(case);
    }
    let emulation = wanted.emulator.clone().ok_or(PlacingError::NoEmulator)?;
    let host = EmulatedHost {
        emulation,
        kernel: kernel.clone(),
        megabytes: wanted.megabytes,
    };
    Ok(on(case, &Arc::new(host)))
}

/// The emulated hosts that the command line names, one a kernel; none where it names none.
pub fn hosts(scope: &Scope<'_>) -> Vec<Arc<EmulatedHost>> {
    if scope.filter.names_host {
        scope.emulated_hosts(&[])
    } else {
        Vec::new()
    }
}

/// The same guest on this emulated host.
pub fn on(mut case: Case, host: &Arc<EmulatedHost>) -> Case {
    case.run_as.accelerator = Accelerator::Kvm;
    case.host = Some(Arc::clone(host));
    case
}

/// The agent's guest of the same CPU there.
pub fn bare_metal(case: &Case) -> Case {
    Case {
        lane: Lane::LAB,
        run_as: Lane::LAB.run_as(),
        linux: None,
        ..case.clone()
    }
}

/// Has everything taken along that the guest needs there, before the first request starts the host.
pub fn take_along(bench: &Bench, case: &Case) {
    let (Some(host), Some(kernel)) = (&case.host, &case.linux) else {
        return;
    };
    bench.labs.take_along(host, &case.qemu);
    // A kernel that cannot be made ready is an error of its boot.
    if let Ok(ready) = bench.kernels.ready(kernel, &bench.store.cache) {
        for packed in [false, true] {
            bench.labs.take_files_along(host, &files(&ready, packed));
        }
    }
}

/// What the guest boots, by paths without links, so that they are the same there; `packed`: the bzImage.
pub fn files(ready: &Ready, packed: bool) -> LinuxFiles {
    let image = if packed { &ready.packed } else { &ready.image };
    let whole = |path: &PathBuf| path.canonicalize().unwrap_or_else(|_| path.clone());
    LinuxFiles {
        image: whole(image),
        initramfs: whole(&ready.initramfs),
    }
}
