//! A trial: one expectation, and the cases it needs.

use std::path::PathBuf;
use std::sync::Arc;

use crate::case::glob::Glob;
use crate::case::guest::{Case, Lane};
use crate::case::migration::Migration;
use crate::case::pair::Pair;

/// What a trial holds its guests against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// One model, whole.
    Model,
    /// One guest whose layers are held against one another, with no recorded expectation.
    Layers,
    /// What the KVM of a lab's kernel says of itself, whole. No guest is run.
    Kvm,
    /// What the kernel of a Linux guest made of its processors, whole.
    Linux,
    /// The host: its processors against one another, and today against a recorded baseline. No guest is run.
    Host,
    /// Two releases: what each shows of the machine types and models that both have.
    Releases,
    /// A machine type: each model's difference from the observed definition on the newest machine type.
    Machine,
    /// Guests migrated to another QEMU: what they see there against what they saw before.
    Migration(Migration),
}

/// One trial of `cargo test`: one expectation file, and the cases it needs.
#[derive(Clone, Debug)]
pub struct Trial {
    /// `definition/qemu-10.0/-/EPYC-v4`, `definition/qemu-10.0/pc-q35-8.2`.
    pub name: String,
    /// What is held.
    pub subject: Subject,
    /// The file, below the folder of expectations.
    pub expectation: PathBuf,
    /// One case, or one a model.
    pub cases: Vec<Case>,
    /// The two releases, where they are what is held against one another; the cases' QEMU is the newer one.
    pub pair: Option<Arc<Pair>>,
}

impl Trial {
    /// The label of the kernel in whose lab its guests run; `None` for those that run on this host.
    pub fn lab(&self) -> Option<&str> {
        self.name.strip_prefix("lab/")?.split('/').next()
    }

    /// The name of one of its cases: machine trials have one case a model.
    pub fn case_name(&self, case: &Case) -> String {
        match &self.subject {
            Subject::Model | Subject::Layers | Subject::Kvm | Subject::Linux | Subject::Host => {
                self.name.clone()
            }
            Subject::Machine | Subject::Migration(_) => format!("{}/{}", self.name, case.cpu),
            Subject::Releases => format!("{}/{}/{}", self.name, case.machine, case.cpu),
        }
    }
}

/// What the command line leaves of the plan.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Lanes to keep; empty keeps all.
    pub lanes: Vec<Lane>,
    /// Machine types to keep; empty keeps all, and the trials of models on the newest machine type.
    pub machines: Vec<Glob>,
    /// CPU models to keep; empty keeps all.
    pub models: Vec<Glob>,
}

impl Filter {
    pub fn lane(&self, lane: Lane) -> bool {
        self.lanes.is_empty() || self.lanes.contains(&lane)
    }

    pub fn machine(&self, name: &str) -> bool {
        self.machines.is_empty() || Glob::matches(&self.machines, name)
    }

    pub fn model(&self, name: &str) -> bool {
        self.models.is_empty() || Glob::matches(&self.models, name)
    }
}
