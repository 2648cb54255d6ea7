//! What a guest showed, or why it showed nothing.

use std::time::Duration;

use crate::cpuid::{Dump, Line};
use crate::evidence::QemuLayer;
use crate::evidence::libvirt::layer::LibvirtLayer;
use crate::vmm::failure::{BootFailure, BootFailureKind};
use crate::vmm::kvm::CpuidTable;

/// A guest that ran to its end.
#[derive(Clone, Debug)]
pub struct Observation {
    /// What the agent reported, unmasked.
    pub dump: Dump,
    /// The dump as expectation lines, masked.
    pub lines: Vec<Line>,
    /// QEMU's answers over QMP and its warnings; `None` where it was not asked.
    pub qemu: Option<QemuLayer>,
    /// From the start of QEMU to its end.
    pub elapsed: Duration,
    /// The command line to paste.
    pub command: Vec<String>,
    /// What KVM_SET_CPUID2 was given, by vCPU, where this program is the VMM; else empty.
    pub given: Vec<CpuidTable>,
    /// What KVM_GET_CPUID2 answered before the guest ran, likewise.
    pub kept: Vec<CpuidTable>,
    /// What libvirt reports, where libvirt started it.
    pub libvirt: Option<LibvirtLayer>,
}

/// A guest that did not run to its end.
#[derive(Clone, Debug)]
pub struct Broken {
    /// One message: what happened, in which phase, with QEMU's messages.
    pub reason: String,
    /// What kind of failure that is.
    pub kind: BootFailureKind,
    /// What was delivered all the same.
    pub partial: Dump,
    /// From the start of QEMU to its end.
    pub elapsed: Duration,
    /// The command line to paste.
    pub command: Vec<String>,
}

impl Broken {
    /// The last line of the reason: QEMU's own message.
    pub fn last_message(&self) -> &str {
        self.reason.lines().next_back().unwrap_or(&self.reason)
    }

    /// Nothing was started.
    pub fn not_started(reason: impl Into<String>) -> Broken {
        Broken {
            reason: reason.into(),
            kind: BootFailureKind::NotPrepared,
            partial: Dump::default(),
            elapsed: Duration::ZERO,
            command: Vec::new(),
        }
    }

    /// The same, with what the guest was needed for in front of the reason.
    #[must_use]
    pub fn needed_for(&self, what: &str) -> Broken {
        Broken {
            reason: format!("{what}: {}", self.reason),
            ..self.clone()
        }
    }
}

impl Broken {
    /// Whether that is because the run was cancelled, so that nothing is known of the guest.
    pub fn is_cancelled(&self) -> bool {
        self.kind == BootFailureKind::Cancelled
    }

    /// The MSR and its value that KVM refused.
    pub fn refused_msr(&self) -> Option<(u32, u64)> {
        match self.kind {
            BootFailureKind::MsrRefused(index, value) => Some((index, value)),
            _ => None,
        }
    }

    /// Whether QEMU refused the guest because `enforce` found that features are missing.
    pub fn refused_by_enforce(&self) -> bool {
        matches!(self.kind, BootFailureKind::RefusedByEnforce(_))
    }
}

impl<F: Into<BootFailure>> From<F> for Broken {
    fn from(failure: F) -> Broken {
        let failure = failure.into();
        Broken {
            kind: failure.kind,
            ..Broken::not_started(failure.message)
        }
    }
}

/// What became of a guest.
pub type Observed = Result<Observation, Broken>;
