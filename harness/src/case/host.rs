//! An emulated host: what a lab is made of.

use std::path::PathBuf;
use std::sync::Arc;

use super::kernel::LabKernel;
use super::qemu::Qemu;

/// The processor of an emulated host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Processor {
    /// The emulator's name of the model; empty where it has one only.
    pub model: String,
    /// The emulator's names of features that are left out.
    pub without: Vec<String>,
}

/// What emulates a host, and with which processor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emulation {
    /// Which virtualisation extension the emulator gives it, by the name of the emulator's row: `svm`.
    pub emulator: String,
    /// Whose processors it has, as `--lab-host` names it: `intel`.
    pub vendor: String,
    /// The QEMU or Bochs that emulates it.
    pub program: Arc<Qemu>,
    /// Its processor.
    pub processor: Processor,
}

/// A machine that an emulator makes, with the kernel that runs on it. Its KVM is the KVM of that kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmulatedHost {
    /// What emulates it.
    pub emulation: Emulation,
    /// Its kernel.
    pub kernel: LabKernel,
    /// MiB of RAM; `None` for what its initramfs needs.
    pub megabytes: Option<u64>,
}

/// Everything of an emulated host that decides what its guests show.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EmulatedHostId {
    emulator: String,
    program: PathBuf,
    processor: Processor,
    kernel: LabKernel,
    megabytes: Option<u64>,
}

impl Emulation {
    /// What names the processor among expectations: `qemu-10.0`, `bochs-3.0:haswell`.
    pub fn name(&self) -> String {
        let Processor { model, without } = &self.processor;
        if model.is_empty() {
            return self.program.release_folder();
        }
        let without: String = without.iter().map(|name| format!(",-{name}")).collect();
        format!("{}:{model}{without}", self.program.label)
    }
}

impl Emulation {
    /// The options that name it again; none for the host that labs have by default.
    pub fn arguments(&self) -> Vec<String> {
        let Processor { model, without } = &self.processor;
        if model.is_empty() {
            return Vec::new();
        }
        let host = ["--lab-host".to_owned(), format!("{}:{model}", self.vendor)];
        let without = without
            .iter()
            .flat_map(|name| ["--without".to_owned(), name.clone()]);
        host.into_iter().chain(without).collect()
    }
}

impl EmulatedHost {
    /// What tells it from every other one.
    pub fn id(&self) -> EmulatedHostId {
        EmulatedHostId {
            emulator: self.emulation.emulator.clone(),
            program: self.emulation.program.path.clone(),
            processor: self.emulation.processor.clone(),
            kernel: self.kernel.clone(),
            megabytes: self.megabytes,
        }
    }

    /// The file of what its KVM offers: `kvm.snap`, and of a processor that is one of several `kvm-MODEL.snap`.
    pub fn kvm_expectation(&self) -> PathBuf {
        let model = &self.emulation.processor.model;
        let name = match &**model {
            "" => "kvm.snap".to_owned(),
            model => format!("kvm-{model}.snap"),
        };
        self.kernel.expectations.join(name)
    }

    /// The options that name it again.
    pub fn arguments(&self) -> Vec<String> {
        let memory = self.megabytes;
        let memory = memory.map(|megabytes| ["--memory".to_owned(), megabytes.to_string()]);
        let kernel = self.kernel.arguments().into_iter();
        let emulation = self.emulation.arguments();
        kernel
            .chain(emulation)
            .chain(memory.into_iter().flatten())
            .collect()
    }

    /// Second part of the names of its trials: `linux-6.12`.
    pub fn label(&self) -> &str {
        &self.kernel.label
    }
}
