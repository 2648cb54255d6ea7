//! The emulated hosts by their labels.

use std::path::PathBuf;
use std::sync::Arc;

use super::{svm, vmx};
use crate::case::{Emulation, Processor};
use crate::host::HostKind;
use crate::host::lab::emulated::EmulatedHost;

/// A row of the registry.
#[derive(Clone, Copy, Debug)]
pub struct Emulator {
    /// What names it: [`EmulatedHost::label`].
    pub label: &'static str,
    /// What users call it: whose processors it has.
    pub vendor: &'static str,
    /// The vendor that CPUID of its processors names.
    pub cpuid_vendor: &'static str,
    /// Makes one whose program is the QEMU or Bochs at this path.
    pub make: fn(PathBuf, Processor) -> Arc<dyn EmulatedHost>,
}

/// All of them.
pub const REGISTRY: &[Emulator] = &[
    Emulator {
        label: svm::LABEL,
        vendor: "amd",
        cpuid_vendor: "AuthenticAMD",
        make: |qemu, processor| Arc::new(svm::TcgSvm { qemu, processor }),
    },
    Emulator {
        label: vmx::LABEL,
        vendor: "intel",
        cpuid_vendor: "GenuineIntel",
        make: |bochs, processor| Arc::new(vmx::BochsVmx { bochs, processor }),
    },
];

/// The emulated host of labs that name none.
pub const DEFAULT_EMULATOR: &str = svm::LABEL;

/// The host that is emulated so; `None` where no emulator has that label.
pub fn emulator(emulation: &Emulation) -> Option<Arc<dyn EmulatedHost>> {
    let rows = &mut REGISTRY.iter();
    let row = rows.find(|row| row.label == emulation.emulator)?;
    let program = emulation.program.path.clone();
    Some((row.make)(program, emulation.processor.clone()))
}

/// What kind of host it is, by which waivers are scoped.
pub fn kind(emulation: &Emulation) -> Option<HostKind> {
    let host = emulator(emulation)?;
    let row = REGISTRY.iter().find(|row| row.label == host.label())?;
    Some(HostKind {
        modules: vec!["kvm".to_owned(), host.module().to_owned()],
        vendor: row.cpuid_vendor.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Qemu;
    use std::path::Path;

    fn emulation(label: &str) -> Emulation {
        Emulation {
            label: String::new(),
            emulator: label.to_owned(),
            program: Arc::new(Qemu {
                path: "/opt/emulator".into(),
                ..Qemu::none()
            }),
            processor: Processor::default(),
        }
    }

    #[test]
    fn every_row_makes_the_host_of_its_label_and_needs_its_module() {
        for row in REGISTRY {
            let host = emulator(&emulation(row.label)).expect("a host");
            assert_eq!(host.label(), row.label);
            assert_eq!(host.program(), Path::new("/opt/emulator"));
            let option = host.options().last().copied().unwrap_or_default();
            assert_eq!(option.to_lowercase(), format!("config_{}", host.module()));
        }
        assert!(emulator(&emulation("riscv")).is_none());
        assert!(emulator(&emulation(DEFAULT_EMULATOR)).is_some());
    }
}
