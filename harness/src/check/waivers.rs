//! `waivers.toml`: known findings that people have looked at and accept, for a while, for a reason, in a scope.
//!
//! A waiver covers a finding when every pattern it gives matches. A case all of whose findings are covered is WAIVED, one with
//! any other finding FAILs with those. An expired waiver covers nothing, and a run names it; so it does with one whose scope was
//! run and that covered nothing: it has outlived what it accepted. A pattern that can match nothing is refused ([`patterns`]).

pub mod patterns;

use std::collections::BTreeSet;

use serde::Deserialize;

use super::finding::Finding;
use crate::case::glob::Glob;
use crate::host::HostKind;

/// One entry of the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// Its name, unique.
    pub name: String,
    /// Why the finding is accepted: what is wrong, and with whom.
    pub reason: String,
    /// Where that is reported or explained.
    pub link: String,
    /// Last day on which it holds.
    pub expires: toml::value::Date,
    /// Hosts it holds for: kernel modules of which one is loaded, as `kvm_pvm`; left out, every host. The host of a lab is the emulated one.
    #[serde(default)]
    pub host_modules: Vec<Glob>,
    /// Hosts it holds for: CPUID's vendor, as `GenuineIntel`.
    #[serde(default)]
    pub host_vendors: Vec<Glob>,
    /// Lanes.
    #[serde(default)]
    pub lanes: Vec<Glob>,
    /// QEMU labels, as `qemu-11.1`.
    #[serde(default)]
    pub qemus: Vec<Glob>,
    /// Machine types.
    #[serde(default)]
    pub machines: Vec<Glob>,
    /// `-cpu` arguments.
    #[serde(default)]
    pub models: Vec<Glob>,
    /// `-smp` arguments, as `*dies=*`.
    #[serde(default)]
    pub smps: Vec<Glob>,
    /// Names of cases, as `lab/linux-5.10/*`: the only way to name a lab's kernel.
    #[serde(default)]
    pub cases: Vec<Glob>,
    /// Names of checks.
    #[serde(default)]
    pub checks: Vec<Glob>,
    /// Names of features or fields.
    #[serde(default)]
    pub findings: Vec<Glob>,
    /// Places, as `CPUID.0DH.*`.
    #[serde(default)]
    pub places: Vec<Glob>,
    /// It explains what recorded definitions contradict, which `cargo test --test replay` finds every time. A run compares these guests with what
    /// is recorded and need not find it again, so the waiver is not unused there.
    #[serde(default)]
    pub recorded: bool,
}

/// What is wrong with the file.
#[derive(Debug, thiserror::Error)]
pub enum WaiversError {
    /// It is no TOML, or has a key that no waiver has; the source says line and column.
    #[error(transparent)]
    Form(#[from] toml::de::Error),
    /// Nobody says why a finding is accepted.
    #[error("waiver {0} has no reason")]
    NoReason(String),
    /// A name must be unique, for results name waivers.
    #[error("the waiver name {0} is used twice")]
    Twice(String),
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    waiver: Vec<Waiver>,
}

/// The waivers that hold today, and those that are over.
#[derive(Clone, Debug, Default)]
pub struct Waivers {
    /// The host of cases that name none.
    host: HostKind,
    live: Vec<Waiver>,
    expired: Vec<Waiver>,
}

impl Waivers {
    /// Reads the file's text. `host` is the one that runs the cases; `today` is (year, month, day).
    ///
    /// # Errors
    /// The text is no TOML of this form; a waiver has no reason, or a name that another has.
    pub fn parse(
        text: &str,
        host: &HostKind,
        today: (u16, u8, u8),
    ) -> Result<Waivers, WaiversError> {
        let file: File = toml::from_str(text)?;
        let mut names = BTreeSet::new();
        for waiver in &file.waiver {
            if waiver.reason.trim().is_empty() {
                return Err(WaiversError::NoReason(waiver.name.clone()));
            }
            if !names.insert(waiver.name.clone()) {
                return Err(WaiversError::Twice(waiver.name.clone()));
            }
        }
        let day = |date: &toml::value::Date| (date.year, date.month, date.day);
        let all = file.waiver.into_iter();
        let (live, expired) = all.partition(|waiver| today <= day(&waiver.expires));
        Ok(Waivers {
            host: host.clone(),
            live,
            expired,
        })
    }

    /// Which findings of a case no waiver covers, and the names of the waivers that cover the others.
    pub fn cover(&self, case: &Scope<'_>, findings: &[Finding]) -> Covered {
        let live = self.live.iter();
        let scoped: Vec<&Waiver> = live.filter(|waiver| self.holds_for(waiver, case)).collect();
        let mut covered = Covered::default();
        for finding in findings {
            let mut scoped = scoped.iter();
            match scoped.find(|waiver| waiver.accepts(finding)) {
                Some(waiver) => drop(covered.waivers.insert(waiver.name.clone())),
                None => covered.left.push(finding.clone()),
            }
        }
        covered
    }

    /// The waivers that are over or covered nothing, a sentence each. `ran` are the cases that were run, with the waivers that covered
    /// some finding of each. `complete` says that everything planned was run: only then can a waiver be known to be unused.
    pub fn outlived<'a>(
        &self,
        ran: impl IntoIterator<Item = (Scope<'a>, &'a BTreeSet<String>)>,
        complete: bool,
    ) -> Vec<String> {
        let ran: Vec<(Scope<'a>, &BTreeSet<String>)> = ran.into_iter().collect();
        let used: BTreeSet<&String> = ran.iter().flat_map(|(_, waivers)| *waivers).collect();
        let over = |waiver: &Waiver| {
            format!(
                "waiver {} expired on {}: {}",
                waiver.name, waiver.expires, waiver.reason
            )
        };
        let ours = |waiver: &&Waiver| {
            let mut hosts = ran.iter().filter_map(|(case, _)| case.host);
            waiver.holds_on(&self.host) || hosts.any(|host| waiver.holds_on(host))
        };
        let expired = self.expired.iter().filter(ours);
        let mut outlived: Vec<String> = expired.map(over).collect();
        let idle = |waiver: &&Waiver| {
            let in_scope = ran.iter().any(|(case, _)| self.holds_for(waiver, case));
            complete && in_scope && !waiver.recorded && !used.contains(&waiver.name)
        };
        let unused = self.live.iter().filter(idle);
        outlived.extend(unused.map(|waiver| {
            format!(
                "waiver {} is unused: nothing in its scope was found",
                waiver.name
            )
        }));
        outlived
    }

    /// Whether the case is in the waiver's scope, and its host too.
    fn holds_for(&self, waiver: &Waiver, case: &Scope<'_>) -> bool {
        waiver.holds_on(case.host.unwrap_or(&self.host)) && waiver.covers_case(case)
    }
}

/// A case, by the names that waivers use.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// Name of the lane.
    pub lane: &'a str,
    /// Label of the QEMU, `qemu-11.1`.
    pub qemu: &'a str,
    /// The machine type.
    pub machine: &'a str,
    /// The `-cpu` argument.
    pub cpu: &'a str,
    /// The `-smp` argument.
    pub smp: &'a str,
    /// Name of the case.
    pub case: &'a str,
    /// The emulated host that it ran on; `None` for this one.
    pub host: Option<&'a HostKind>,
}

/// Findings of a case, with waivers applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Covered {
    /// Findings that no waiver covers.
    pub left: Vec<Finding>,
    /// Names of the waivers that cover the others.
    pub waivers: BTreeSet<String>,
}

impl Waiver {
    fn holds_on(&self, host: &HostKind) -> bool {
        let modules = &self.host_modules;
        (modules.is_empty() || host.modules.iter().any(|name| Glob::matches(modules, name)))
            && fits(&self.host_vendors, &host.vendor)
    }

    fn covers_case(&self, case: &Scope<'_>) -> bool {
        fits(&self.lanes, case.lane)
            && fits(&self.qemus, case.qemu)
            && fits(&self.machines, case.machine)
            && fits(&self.models, case.cpu)
            && fits(&self.smps, case.smp)
            && fits(&self.cases, case.case)
    }

    fn accepts(&self, finding: &Finding) -> bool {
        fits(&self.checks, finding.check.name())
            && fits(&self.findings, &finding.name)
            && fits(&self.places, &finding.place.to_string())
    }
}

/// A list that is left out fits everything.
fn fits(globs: &[Glob], name: &str) -> bool {
    globs.is_empty() || Glob::matches(globs, name)
}

#[cfg(test)]
#[path = "waivers_tests.rs"]
mod tests;
