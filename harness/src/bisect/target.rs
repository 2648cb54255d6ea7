//! The case of a bisect, by the name that `list` prints for it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::case::Lane;
use crate::check::Layer;

/// A case whose QEMU or kernel varies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Its name, as `list` prints it.
    pub name: String,
    /// The second part of the name: the release whose expectation holds, `-` for none.
    pub label: String,
    /// The guest that is run.
    pub guest: Guest,
}

/// The guest that is run for each QEMU or kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Guest {
    /// A guest under the QEMU in question.
    Qemu {
        /// Lane `definition`, `tcg` or `kvm`.
        lane: Lane,
        /// The machine type, `None` for the newest q35 that the QEMU has.
        machine: Option<String>,
        /// The `-cpu` argument.
        cpu: String,
    },
    /// No guest: what KVM of the kernel in question says of itself.
    Kvm,
    /// A guest on the KVM in question without QEMU, given a recorded definition, or what KVM itself supports.
    Direct {
        /// The model, or `supported`.
        cpu: String,
    },
    /// A guest on the KVM in question under a QEMU that stays the same.
    Under {
        /// The label of that QEMU: `qemu-10.0`.
        qemu: String,
        /// The `-cpu` argument.
        cpu: String,
    },
}

/// A name that no case has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "“{0}” names no case to bisect: LANE/QEMU/MACHINE/MODEL as `cpuid-fidelity list` prints it (definition/qemu-11.1/-/EPYC-v4, \
     `-` for the newest machine type and for no release), or lab/LINUX/kvm, lab/LINUX/kvm-direct/MODEL, lab/LINUX/QEMU/MODEL"
)]
pub struct NoCase(String);

impl FromStr for Target {
    type Err = NoCase;

    fn from_str(name: &str) -> Result<Target, NoCase> {
        let no_case = || NoCase(name.to_owned());
        let parts: Vec<&str> = name.splitn(4, '/').collect();
        let guest = match parts[..] {
            ["lab", _, "kvm"] => Guest::Kvm,
            ["lab", _, "kvm-direct", cpu] if !cpu.is_empty() => Guest::Direct {
                cpu: cpu.to_owned(),
            },
            ["lab", _, qemu, cpu] if !qemu.is_empty() && !cpu.is_empty() => Guest::Under {
                qemu: qemu.to_owned(),
                cpu: cpu.to_owned(),
            },
            [lane, _, machine, cpu] if !machine.is_empty() && !cpu.is_empty() => Guest::Qemu {
                lane: under_qemu(lane).ok_or_else(no_case)?,
                machine: (machine != "-").then(|| machine.to_owned()),
                cpu: cpu.to_owned(),
            },
            _ => return Err(no_case()),
        };
        let label = parts.get(1).filter(|label| !label.is_empty());
        Ok(Target {
            name: name.to_owned(),
            label: label.ok_or_else(no_case)?.to_string(),
            guest,
        })
    }
}

fn under_qemu(lane: &str) -> Option<Lane> {
    let lane: Lane = lane.parse().ok()?;
    lane.boots_agent_under_qemu().then_some(lane)
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Target {
    /// Whether the kernel varies, and not the QEMU.
    pub fn varies_kernel(&self) -> bool {
        !matches!(self.guest, Guest::Qemu { .. })
    }

    /// The expectation file that has all lines of the guest; `None` where there is no such file: a machine type's file has
    /// differences, and the KVM lanes compare layers with one another.
    pub fn expectation(&self) -> Option<PathBuf> {
        let release = release(&self.label)?;
        match &self.guest {
            Guest::Qemu {
                lane,
                machine: None,
                cpu,
            } => {
                let folder = lane.models_folder()?;
                let folder = PathBuf::from(format!("qemu-{release}")).join(folder);
                Some(folder.join(format!("{cpu}.snap")))
            }
            Guest::Kvm => Some(PathBuf::from("kernels").join(release).join("kvm.snap")),
            _ => None,
        }
    }

    /// The layer that a difference is blamed on: the one that varies.
    pub fn layer(&self) -> Layer {
        if self.varies_kernel() {
            Layer::Kvm
        } else {
            Layer::Qemu
        }
    }
}

/// `10.0` of `qemu-10.0.13` and of `linux-10.0`.
fn release(label: &str) -> Option<String> {
    let (_, version) = label.split_once('-')?;
    let mut numbers = version.splitn(3, '.');
    let (major, minor) = (numbers.next()?, numbers.next()?);
    (!major.is_empty() && !minor.is_empty()).then(|| format!("{major}.{minor}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expectation(name: &str) -> Option<String> {
        let target: Target = name.parse().expect("a case");
        Some(target.expectation()?.display().to_string())
    }

    #[test]
    fn a_case_names_its_expectation() {
        for (name, file) in [
            (
                "definition/qemu-11.1/-/EPYC-v4",
                Some("qemu-11.1/models/EPYC-v4.snap"),
            ),
            ("tcg/qemu-10.0.13/-/max", Some("qemu-10.0/tcg/max.snap")),
            ("lab/linux-6.12/kvm", Some("kernels/6.12/kvm.snap")),
            ("definition/qemu-11.1/pc-q35-8.2/EPYC-v4", None),
            ("definition/-/-/EPYC-v4", None),
            ("kvm/qemu-11.1/-/EPYC-v4", None),
            ("lab/linux-6.12/kvm-direct/supported", None),
        ] {
            assert_eq!(expectation(name).as_deref(), file, "{name}");
        }
    }

    #[test]
    fn what_names_no_case_is_refused() {
        for name in [
            "",
            "EPYC-v4",
            "definition/qemu-11.1/-",
            "kvm-direct/-/-/host",
            "definition//-/EPYC",
            "lab/linux-6.12/other",
        ] {
            let error = name.parse::<Target>().expect_err(name).to_string();
            assert!(
                error.starts_with(&format!("“{name}” names no case to bisect: ")),
                "{error}"
            );
        }
    }

    #[test]
    fn a_lab_case_varies_the_kernel() {
        let target: Target = "lab/linux-6.12/qemu-10.0/EPYC-v1".parse().expect("a case");
        assert!(target.varies_kernel());
        let guest = Guest::Under {
            qemu: "qemu-10.0".to_owned(),
            cpu: "EPYC-v1".to_owned(),
        };
        assert_eq!(target.guest, guest);
    }
}
