//! The emulated hosts by their labels.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::svm;
use crate::host::lab::emulated::EmulatedHost;

/// A row of the registry.
#[derive(Clone, Copy, Debug)]
pub struct Emulator {
    /// What names it: [`EmulatedHost::label`].
    pub label: &'static str,
    /// Makes one whose program is the QEMU at this path.
    pub make: fn(PathBuf) -> Arc<dyn EmulatedHost>,
}

/// All of them.
pub const REGISTRY: &[Emulator] = &[Emulator {
    label: svm::LABEL,
    make: |qemu| Arc::new(svm::TcgSvm { qemu }),
}];

/// The emulated host of labs that name none.
pub const DEFAULT_EMULATOR: &str = svm::LABEL;

/// The emulated host with this label, with the program that emulates it; `None` where there is none.
pub fn emulator(label: &str, program: &Path) -> Option<Arc<dyn EmulatedHost>> {
    let row = REGISTRY.iter().find(|emulator| emulator.label == label)?;
    Some((row.make)(program.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_makes_the_host_of_its_label_and_needs_its_module() {
        for row in REGISTRY {
            let host = emulator(row.label, Path::new("/opt/qemu")).expect("a host");
            assert_eq!(host.label(), row.label);
            assert_eq!(host.program(), Path::new("/opt/qemu"));
            let option = host.options().last().copied().unwrap_or_default();
            assert_eq!(option.to_lowercase(), format!("config_{}", host.module()));
        }
        assert!(emulator("riscv", Path::new("/opt/qemu")).is_none());
        assert!(emulator(DEFAULT_EMULATOR, Path::new("/opt/qemu")).is_some());
    }
}
