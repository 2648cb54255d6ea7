//! The first line of a run's results.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use fidelity_protocol::crc::crc32;
use serde::{Deserialize, Serialize};

use super::class::HostClass;
use super::row::Key;
use crate::case::trial::Trial;
use crate::case::{Case, Qemu};

/// Version of the format. A file of another one is refused.
pub const VERSION: u32 = 1;

/// What `run` says in the first line.
pub const RUN: &str = "cpuid-fidelity";

/// A run: what was planned, which part of it this is, where and when.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// [`RUN`].
    pub run: String,
    /// [`VERSION`].
    pub version: u32,
    /// Version of the tool.
    pub tool: String,
    /// Cases of this part.
    pub planned: usize,
    /// The whole plan.
    #[serde(default)]
    pub plan: PlanId,
    /// The options that decide what every case is judged by: `--no-waivers`, `--host-baseline DIR`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// K of N; `None` for a run that is whole.
    #[serde(default)]
    pub shard: Option<(usize, usize)>,
    /// Where.
    #[serde(default)]
    pub host: HostClass,
    /// When it started: RFC 3339, UTC.
    #[serde(default)]
    pub started: String,
    /// Seconds that the run took.
    #[serde(default, deserialize_with = "super::durations::seconds")]
    pub seconds: f64,
}

/// What was planned, all parts together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanId {
    /// CRC-32 of the host-independent cases and of the QEMUs, kernels and emulated hosts they need, in hexadecimal: parts of one plan have
    /// the same.
    pub id: String,
    /// Names of the cases of lanes that do not depend on the host.
    pub shared: Vec<String>,
    /// Names of the cases of lanes that do: planned on every class of hosts.
    pub by_host: Vec<String>,
}

impl PlanId {
    /// Of a plan.
    pub fn new(trials: &[Trial]) -> PlanId {
        let (mut shared, mut by_host, mut identity) = (Vec::new(), Vec::new(), BTreeSet::new());
        for trial in trials {
            for case in &trial.cases {
                let name = trial.case_name(case);
                if case.host_independent() {
                    identity.insert(identity_of(&name, case));
                    shared.push(name);
                } else {
                    by_host.push(name);
                }
            }
        }
        let text: String = identity.iter().map(|line| format!("{line}\n")).collect();
        PlanId {
            id: format!("{:08x}", crc32(&[text.as_bytes()])),
            shared,
            by_host,
        }
    }

    /// The same plan with the libvirt that starts its guests, by its version and, of one that was named, its virsh: results of another
    /// libvirt are none of this one.
    pub fn with_libvirt(self, version: &str, named: Option<&Path>) -> PlanId {
        let named = named.map(|path| format!(" {}", path.display()));
        let text = format!(
            "{} libvirt {version}{}\n",
            self.id,
            named.unwrap_or_default()
        );
        PlanId {
            id: format!("{:08x}", crc32(&[text.as_bytes()])),
            ..self
        }
    }
}

/// A case by all that decides what it shows and that its name may not say: which QEMU, kernel and emulated host it has.
fn identity_of(name: &str, case: &Case) -> String {
    let version = |qemu: &Qemu| format!("{} {}", qemu.offers.version, qemu.offers.package);
    let mut text = format!("{name} {}", version(&case.qemu));
    if let Some(kernel) = case.kernel() {
        text += &format!(" kernel {}", kernel.release);
    }
    if let Some(host) = &case.host {
        let emulation = &host.emulation;
        let program = version(&emulation.program);
        let memory = host.megabytes.unwrap_or_default();
        let (name, without) = (emulation.name(), emulation.processor.without.join(","));
        text += &format!(" host {name} without {without} {program} {memory} MiB");
    }
    text
}

impl Head {
    /// The time that the run took.
    pub fn took(&self) -> Duration {
        super::durations::from_seconds(self.seconds)
    }

    /// Of a run that starts now: `trials` is the whole plan, `planned` how many of its cases are this part's.
    pub fn new(trials: &[Trial], planned: usize, shard: Option<(usize, usize)>) -> Head {
        Head {
            run: RUN.to_owned(),
            version: VERSION,
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            planned,
            plan: PlanId::new(trials),
            options: Vec::new(),
            shard: shard.filter(|(_, parts)| *parts > 1),
            host: HostClass::of_this_host(),
            started: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            seconds: 0.0,
        }
    }

    /// Every case that there must be a result for, once all parts are there, as far as this part's host goes.
    pub fn expected(&self) -> impl Iterator<Item = Key> {
        let shared = self.plan.shared.iter().map(|name| (name.clone(), None));
        let class = &self.host.id;
        let by_host = self.plan.by_host.iter();
        shared.chain(by_host.map(|name| (name.clone(), Some(class.clone()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;
    use std::sync::Arc;

    use crate::case::{EmulatedHost, Emulation, LabKernel, Lane, Processor, Subject};

    #[test]
    fn the_plan_of_another_libvirt_is_another_plan() {
        let plan = PlanId::new(&[]);
        let of = |version: &str, named: Option<&str>| {
            let named = named.map(Path::new);
            plan.clone().with_libvirt(version, named).id
        };
        assert_ne!(of("11.3.0", None), plan.id);
        assert_ne!(of("11.3.0", None), of("12.8.0", None));
        assert_ne!(of("11.3.0", None), of("11.3.0", Some("/a/virsh")));
        assert_ne!(
            of("11.3.0", Some("/b/virsh")),
            of("11.3.0", Some("/a/virsh"))
        );
        assert_eq!(of("11.3.0", None), of("11.3.0", None));
    }

    fn host(label: &str, model: &str) -> EmulatedHost {
        let program = Qemu {
            label: label.to_owned(),
            ..Qemu::none()
        };
        EmulatedHost {
            emulation: Emulation {
                label: String::new(),
                emulator: String::new(),
                program: Arc::new(program),
                processor: Processor {
                    model: model.to_owned(),
                    without: Vec::new(),
                },
            },
            kernel: LabKernel {
                label: "linux-6.12".to_owned(),
                release: "6.12.57".to_owned(),
                path: PathBuf::new(),
                modules: None,
                parameters: Vec::new(),
                expectations: PathBuf::new(),
            },
            megabytes: None,
        }
    }

    fn plan_on(host: EmulatedHost) -> PlanId {
        let mut case = Case::new(&Arc::new(Qemu::none()), Lane::LAB, "-", "486-v1");
        case.host = Some(Arc::new(host));
        let name = "lab/linux-6.12/kvm-direct/486-v1".to_owned();
        PlanId::new(&[Trial::single(name, Subject::Layers, PathBuf::new(), case)])
    }

    #[test]
    fn the_plan_of_another_emulated_host_is_another_plan() {
        let intel = || host("bochs-3.0", "haswell");
        let (mut poorer, mut newer, mut larger) = (intel(), intel(), intel());
        poorer.emulation.processor.without = vec!["avx2".to_owned()];
        newer.kernel.release = "6.12.60".to_owned();
        larger.megabytes = Some(4096);
        let plans = [intel(), host("qemu-10.0", ""), poorer, newer, larger].map(plan_on);
        assert!(plans.iter().all(|plan| plan.shared == plans[0].shared));
        let ids: BTreeSet<&str> = plans.iter().map(|plan| plan.id.as_str()).collect();
        assert_eq!(ids.len(), plans.len(), "{ids:?}");
        assert_eq!(plan_on(intel()).id, plans[0].id);
    }
}
