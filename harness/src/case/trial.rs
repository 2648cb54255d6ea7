//! A trial: one test, an expectation and the cases it needs; and what the command line leaves of all trials.

use std::path::PathBuf;
use std::sync::Arc;

use super::glob::Glob;
use super::guest::Case;
use super::lane::{Accelerator, Lane};
use super::migration::Migration;
use super::pair::Pair;

/// What the cases of a trial are compared with.
#[derive(Clone, Debug)]
pub enum Subject {
    /// An expectation that holds everything that is to be seen; all checks as well.
    Whole,
    /// No recorded expectation: the layers of each case are compared with one another.
    Layers,
    /// A machine type: each model's difference from the same model on the newest machine type.
    Machine,
    /// Two releases: what each shows of the machine types and models that both have. The cases' QEMU is the newer one.
    Releases(Arc<Pair>),
    /// Guests migrated to another QEMU: what they see there and what they saw before.
    Migration(Migration),
}

/// One trial of `cargo test`.
#[derive(Clone, Debug)]
pub struct Trial {
    /// `definition/qemu-10.0/-/EPYC-v4`, `definition/qemu-10.0/pc-q35-8.2`.
    pub name: String,
    /// What its cases are compared with.
    pub subject: Subject,
    /// The file, below the folder of expectations; empty where there is none by the trial's nature.
    pub expectation: PathBuf,
    /// One case, or one a model.
    pub cases: Vec<Case>,
}

impl Trial {
    /// A trial of one case.
    pub fn single(name: String, subject: Subject, expectation: PathBuf, case: Case) -> Trial {
        Trial {
            name,
            subject,
            expectation,
            cases: vec![case],
        }
    }

    /// The name of one of its cases: machine trials have one case a model.
    pub fn case_name(&self, case: &Case) -> String {
        match &self.subject {
            Subject::Whole | Subject::Layers => self.name.clone(),
            Subject::Machine | Subject::Migration(_) => format!("{}/{}", self.name, case.cpu),
            Subject::Releases(_) => format!("{}/{}/{}", self.name, case.machine, case.cpu),
        }
    }

    /// Whether there is an expectation that its cases are compared with.
    pub fn is_recorded(&self) -> bool {
        !self.expectation.as_os_str().is_empty()
    }
}

/// What the command line leaves of the plan, and what it changes in it.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Lanes to keep; empty keeps all.
    pub lanes: Vec<Lane>,
    /// Machine types to keep; empty keeps all, and the trials of models on the newest machine type.
    pub machines: Vec<Glob>,
    /// CPU models to keep; empty keeps all.
    pub models: Vec<Glob>,
    /// What executes guests of lanes that can run on either; `None` for what the configuration says.
    pub accelerator: Option<Accelerator>,
    /// Further parameters of the command lines of guests' kernels.
    pub kernel_parameters: Vec<String>,
    /// Whether the command line names the kernel: it then counts whether or not the selection has it.
    pub names_kernel: bool,
    /// Whether the command line names the emulated host: labs are then made on that one alone.
    pub names_host: bool,
    /// MiB of emulated hosts' RAM; `None` for what their initramfs needs.
    pub megabytes: Option<u64>,
}

impl Filter {
    /// Whether a lane is kept.
    pub fn lane(&self, lane: Lane) -> bool {
        self.lanes.is_empty() || self.lanes.contains(&lane)
    }

    /// Whether a machine type is kept.
    pub fn machine(&self, name: &str) -> bool {
        self.machines.is_empty() || Glob::matches(&self.machines, name)
    }

    /// Whether a CPU model is kept.
    pub fn model(&self, name: &str) -> bool {
        self.models.is_empty() || Glob::matches(&self.models, name)
    }
}
