//! Why a guest did not run to its end: the kind, for callers to decide on, and one message for people.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use super::guest::Boot;
use super::kvm::KvmError;
use super::start::StartError;
use crate::cpuid::assemble::StreamError;
use crate::util::process::Ending;

/// What kept a guest from running to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootFailureKind {
    /// Something that the guest needs could not be had: a kernel, a CPUID table, an answer of libvirt. Nothing was started.
    NotPrepared,
    /// libvirt's cpu_map has no name for a feature of the `-cpu` argument, so that no XML can ask for it. Nothing was started.
    LibvirtHasNoName,
    /// This libvirt drives no QEMU of that release. Nothing was started.
    LibvirtDrivesOthers,
    /// libvirt refused the domain, before or after it started QEMU.
    RefusedByLibvirt,
    /// The program could not be started.
    Spawn,
    /// QEMU ended with this status before the guest ran: it does not take its command line.
    Refused(i32),
    /// The same, because `enforce` (or `check` of a libvirt domain) found that features are missing.
    RefusedByEnforce(i32),
    /// QEMU ended with this status while the guest ran.
    Exited(i32),
    /// The guest had not ended after this time.
    TimedOut(Duration),
    /// QEMU was killed by this signal, which this program did not send.
    Killed(i32),
    /// KVM refused this value of this MSR, and QEMU gave up.
    MsrRefused(u32, u64),
    /// The agent met an exception that it did not expect.
    GuestFaulted,
    /// The kernel of a Linux guest ended (a panic is an end) before /init had reported.
    KernelEnded,
    /// The guest ended as it should, and its dump is not whole.
    Incomplete,
    /// KVM cannot be used here, or refuses the VM.
    KvmUnusable,
    /// KVM stopped the guest (KVM_EXIT_INTERNAL_ERROR, KVM_EXIT_FAIL_ENTRY).
    KvmGaveUp,
    /// QEMU closed a connection (QMP) and stayed.
    Disconnected,
    /// QEMU sent over QMP what is not QMP.
    QmpGarbled,
    /// The emulated host did not come up, or is gone.
    LabGone,
    /// The run was cancelled.
    Cancelled,
}

/// A guest that did not run to its end.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct BootFailure {
    /// What callers decide on.
    pub kind: BootFailureKind,
    /// What people read: what happened, in which phase, then what QEMU and the guest's console printed. May have several lines.
    pub message: String,
    /// What it came from, where that is an error itself; of [`BootFailureKind::Incomplete`] a [`StreamError`].
    pub source: Option<Arc<dyn Error + Send + Sync>>,
}

impl BootFailure {
    /// A failure of this kind, with this message.
    pub fn new(kind: BootFailureKind, message: impl Into<String>) -> BootFailure {
        BootFailure {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// A failure of this kind because of `error`, whose message it takes.
    pub fn because(
        kind: BootFailureKind,
        error: impl Error + Send + Sync + 'static,
    ) -> BootFailure {
        BootFailure {
            kind,
            message: error.to_string(),
            source: Some(Arc::new(error)),
        }
    }

    /// Whether the run was cancelled, so that nothing is known of the guest.
    pub fn is_cancelled(&self) -> bool {
        self.kind == BootFailureKind::Cancelled
    }
}

impl From<StartError> for BootFailure {
    fn from(error: StartError) -> BootFailure {
        BootFailure::because(BootFailureKind::Spawn, error)
    }
}

impl From<KvmError> for BootFailure {
    fn from(error: KvmError) -> BootFailure {
        BootFailure::because(BootFailureKind::KvmUnusable, error)
    }
}

impl Boot {
    /// Whether the guest ran to its end and left a whole dump; `stream` is what is wrong with the dump, `timeout` what the guest was
    /// given.
    ///
    /// # Errors
    /// Why not.
    pub fn outcome(
        &self,
        stream: Option<&StreamError>,
        timeout: Duration,
    ) -> Result<(), BootFailure> {
        if self.completed() && stream.is_none() {
            return Ok(());
        }
        Err(self.failure(stream, timeout))
    }

    /// Why a guest that is known not to have done what it should did not.
    pub fn failure(&self, stream: Option<&StreamError>, timeout: Duration) -> BootFailure {
        let kind = self.kind_of_failure(timeout);
        let mut parts = vec![description(kind)];
        parts.extend(stream.map(ToString::to_string));
        if !self.completed() {
            let last = self.last_operation();
            parts.extend(last.map(|last| format!("last seen at {last}")));
        }
        let stderr = errors_first(&without_tcg_warnings(&self.stderr));
        if !stderr.is_empty() {
            parts.push(format!("stderr: {stderr}"));
        }
        if let Some(console) = self.console.as_ref().filter(|_| !self.completed()) {
            parts.push(format!("console:\n{console}"));
        }
        BootFailure {
            kind,
            message: parts.join("; "),
            source: stream.map(|error| Arc::new(error.clone()) as _),
        }
    }

    fn kind_of_failure(&self, timeout: Duration) -> BootFailureKind {
        match self.ending {
            Ending::TimedOut => BootFailureKind::TimedOut(timeout),
            Ending::Cancelled => BootFailureKind::Cancelled,
            Ending::Stopped => BootFailureKind::KvmGaveUp,
            Ending::Closed => BootFailureKind::Disconnected,
            Ending::Garbled => BootFailureKind::QmpGarbled,
            Ending::Signalled(signal) => match refused_msr(&self.stderr) {
                Some((index, value)) => BootFailureKind::MsrRefused(index, value),
                None => BootFailureKind::Killed(signal),
            },
            Ending::Exited(_) if self.completed() => BootFailureKind::Incomplete,
            Ending::Exited(_) if self.faulted() => BootFailureKind::GuestFaulted,
            Ending::Exited(0) if self.console.is_some() => BootFailureKind::KernelEnded,
            Ending::Exited(status) if status == 0 || !self.slots.is_empty() => {
                BootFailureKind::Exited(status)
            }
            Ending::Exited(status) if is_refusal_by_enforce(&self.stderr) => {
                BootFailureKind::RefusedByEnforce(status)
            }
            Ending::Exited(status) => BootFailureKind::Refused(status),
        }
    }
}

/// The first part of the message.
fn description(kind: BootFailureKind) -> String {
    use BootFailureKind as Kind;
    match kind {
        Kind::Refused(status) | Kind::RefusedByEnforce(status) | Kind::Exited(status) => {
            format!("QEMU exited with status {status}")
        }
        Kind::TimedOut(after) => format!("timed out: no end after {} s", after.as_secs_f64()),
        Kind::Killed(signal) => format!("QEMU was killed by signal {signal}"),
        Kind::MsrRefused(index, value) => {
            format!("KVM refuses {value:#x} in MSR {index:X}H, and QEMU gave up")
        }
        other => fixed_description(other).to_owned(),
    }
}

fn fixed_description(kind: BootFailureKind) -> &'static str {
    use BootFailureKind as Kind;
    match kind {
        Kind::NotPrepared => "the guest could not be prepared",
        Kind::LibvirtHasNoName => "libvirt has no name for a feature",
        Kind::LibvirtDrivesOthers => "this libvirt drives no such QEMU",
        Kind::RefusedByLibvirt => "libvirt refused the guest",
        Kind::Spawn => "the program could not be started",
        Kind::GuestFaulted => "the agent met an exception it did not expect",
        Kind::KernelEnded => "the guest's kernel ended before /init had reported",
        Kind::Incomplete => "the guest ended, but its dump is not whole",
        Kind::KvmUnusable => "KVM cannot be used",
        Kind::KvmGaveUp => "KVM gave up on the guest",
        Kind::Disconnected => "QEMU closed its connection to the harness",
        Kind::QmpGarbled => "QEMU sent what is not QMP",
        Kind::LabGone => "the emulated host is gone",
        Kind::Cancelled => "cancelled",
        Kind::Refused(_) | Kind::RefusedByEnforce(_) | Kind::Exited(_) => "QEMU exited",
        Kind::TimedOut(_) => "timed out",
        Kind::Killed(_) => "QEMU was killed",
        Kind::MsrRefused(..) => "KVM refuses the value of an MSR",
    }
}

/// Whether what QEMU printed is the message with which `enforce` keeps a guest from starting: `Host doesn't support requested
/// features` or `TCG doesn't support requested features` (target/i386/cpu.c, x86_cpu_realizefn). QEMU has no exit status of its
/// own for it. This is the only place that looks for it.
pub fn is_refusal_by_enforce(stderr: &str) -> bool {
    let mut lines = stderr.lines().map(str::trim_end);
    lines.any(|line| line.ends_with(" doesn't support requested features"))
}

/// The MSR and the value that KVM did not take, by the message in front of QEMU's abort: `error: failed to set MSR 0x48b to
/// 0x2137fff00000000` (target/i386/kvm/kvm.c, kvm_buf_set_msrs). This is the only place that looks for it.
fn refused_msr(stderr: &str) -> Option<(u32, u64)> {
    let mut messages = stderr
        .lines()
        .filter_map(|line| line.split_once("error: failed to set MSR 0x"));
    let (index, value) = messages.next()?.1.trim_end().split_once(" to 0x")?;
    let index = u32::from_str_radix(index, 16).ok()?;
    Some((index, u64::from_str_radix(value, 16).ok()?))
}

/// What QEMU printed, but for its list of features that TCG does not emulate: dozens of lines a vCPU, about every guest whose features
/// are forced, in front of the one line that matters (target/i386/cpu.c, mark_unavailable_features).
pub fn without_tcg_warnings(stderr: &str) -> String {
    let usual = |line: &&str| !line.contains("warning: TCG doesn't support requested feature: ");
    let lines: Vec<&str> = stderr.trim().lines().filter(usual).collect();
    lines.join("\n")
}

/// The same lines, those that are no warnings first: what ended QEMU stands behind dozens of features that a host lacks.
fn errors_first(stderr: &str) -> String {
    let is_warning = |line: &&str| line.contains(": warning: ");
    let (warnings, mut lines): (Vec<&str>, Vec<&str>) = stderr.lines().partition(is_warning);
    lines.extend(warnings);
    lines.join("\n")
}

#[cfg(test)]
#[path = "failure_tests.rs"]
mod tests;
