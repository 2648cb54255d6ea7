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
    /// What the command line calls it: `amd`, `intel`, `intel:haswell`.
    pub label: String,
    /// Which virtualisation extension the emulator gives it, by the name of the emulator's row: `svm`.
    pub emulator: String,
    /// The QEMU or Bochs that emulates it.
    pub program: Arc<Qemu>,
    /// Its processor.
    pub processor: Processor,
}

/// The label of the machine that labs have where none is named.
pub const DEFAULT_HOST: &str = "amd";

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
    /// What names the processor among expectations: `qemu-10.0`, `bochs-3.0:corei7_haswell_4770`. What is left out of it is a difference
    /// from what was recorded, as a parameter of the kernel is, and no part of the name.
    pub fn name(&self) -> String {
        match &*self.processor.model {
            "" => self.program.release_folder(),
            model => format!("{}:{model}", self.program.label),
        }
    }
}

impl Emulation {
    /// The options that name it again; none for the host that labs have by default.
    pub fn arguments(&self) -> Vec<String> {
        if self.processor.model.is_empty() {
            return Vec::new();
        }
        let name = self.label.split(',').next().unwrap_or_default();
        let host = ["--lab-host".to_owned(), name.to_owned()];
        let without = self
            .processor
            .without
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
        let name = self.file_name("kvm");
        self.kernel.expectations.join(format!("{name}.snap"))
    }

    /// What a file or folder of its expectations is called: of a processor that is one of several `kvm-MODEL`.
    pub fn file_name(&self, plain: &str) -> String {
        match &*self.emulation.processor.model {
            "" => plain.to_owned(),
            model => format!("{plain}-{model}"),
        }
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

    /// Second part of the names of its trials: `linux-6.12`, and on another machine than labs have by default `linux-6.12@intel`.
    pub fn label(&self) -> String {
        let kernel = &self.kernel.label;
        match &*self.emulation.label {
            DEFAULT_HOST => kernel.clone(),
            other => format!("{kernel}@{other}"),
        }
    }
}
