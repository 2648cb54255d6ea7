//! The first line of a run's results.

use std::collections::BTreeSet;
use std::time::Duration;

use fidelity_protocol::crc::crc32;
use serde::{Deserialize, Serialize};

use super::class::HostClass;
use super::row::Key;
use crate::case::trial::Trial;

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
    /// CRC-32 of the host-independent cases and the QEMUs they need, in hexadecimal: parts of one plan have the same.
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
                    let offers = &case.qemu.offers;
                    identity.insert(format!("{name} {} {}", offers.version, offers.package));
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

    /// The same plan where guests that libvirt starts are another libvirt's than the installed one: its results are no results of this one.
    pub fn with_libvirt(self, version: &str) -> PlanId {
        let text = format!("{} libvirt {version}\n", self.id);
        PlanId {
            id: format!("{:08x}", crc32(&[text.as_bytes()])),
            ..self
        }
    }
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

    #[test]
    fn the_plan_of_another_libvirt_is_another_plan() {
        let plan = PlanId::new(&[]);
        let of = |version: &str| plan.clone().with_libvirt(version).id;
        assert_ne!(of("11.3.0"), plan.id);
        assert_ne!(of("11.3.0"), of("12.8.0"));
        assert_eq!(of("11.3.0"), of("11.3.0"));
    }
}
