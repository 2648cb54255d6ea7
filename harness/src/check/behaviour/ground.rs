//! Who runs a guest's instructions, as far as that decides what they do.

use crate::case::Accelerator;
use crate::cpuid::answers::Key;
use crate::evidence::Evidence;
use crate::host::kind::vendor;
use crate::host::lab::emulators::models::processor;

/// Who runs a guest's instructions: an emulator or a kernel's KVM, its release, and for KVM the processor of the emulated host.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ground {
    /// `tcg`, `kvm-amd`, `kvm-intel`.
    pub family: String,
    /// The emulated host's processor, as labs name it: `max`, `skylake`, `arrowlake`; empty under TCG.
    pub host: String,
    /// `10.0`, `6.12`.
    pub release: String,
}

impl Ground {
    /// Who runs the guest of a case; `None` where nothing can have been recorded of it: this host's own KVM.
    pub fn running(evidence: &Evidence) -> Option<Ground> {
        let case = &evidence.case;
        match case.run_as.accelerator {
            Accelerator::Tcg => Some(Ground {
                family: "tcg".to_owned(),
                host: String::new(),
                release: release(&case.qemu),
            }),
            Accelerator::Kvm => {
                let host = evidence.host.as_deref()?;
                let cpuid = host.cpus.first()?.cpuid.value()?;
                let family = match vendor(*cpuid.answers.get(&Key::new(0, 0))?).as_str() {
                    "AuthenticAMD" => "kvm-amd",
                    "GenuineIntel" => "kvm-intel",
                    _ => return None,
                };
                let label = case.host.as_deref()?;
                // A lab on the host that labs have by default is named by its kernel alone.
                let (kernel, host) = label.rsplit_once('@').unwrap_or((label, "amd"));
                Some(Ground {
                    family: family.to_owned(),
                    host: processor(host),
                    release: kernel.trim_start_matches("linux-").to_owned(),
                })
            }
        }
    }

    /// `kvm-intel:skylake`, `tcg`: without the release.
    pub fn machine(&self) -> String {
        named(&self.family, &self.host)
    }
}

impl std::fmt::Display for Ground {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.machine(), self.release)
    }
}

/// `kvm-intel:skylake`, `tcg`.
pub(super) fn named(family: &str, host: &str) -> String {
    if host.is_empty() {
        family.to_owned()
    } else {
        format!("{family}:{host}")
    }
}

/// `10.0` of `10.0.13`.
fn release(version: &str) -> String {
    let parts: Vec<&str> = version.split('.').take(2).collect();
    parts.join(".")
}
