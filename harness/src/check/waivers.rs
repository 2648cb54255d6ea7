//! `waivers.toml`: known findings that people have looked at and accept, for a while, for a reason, in a scope.
//!
//! A waiver covers a finding when every pattern it gives matches. A case all of whose findings are covered is WAIVED, one with
//! any other finding FAILs with those. An expired waiver covers nothing and is told; so is one whose scope was run and that
//! covered nothing: it has outlived what it accepted.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::finding::Finding;
use super::outcome::{CaseResult, Status};
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
    /// Hosts it holds for: kernel modules of which one is loaded, as `kvm_pvm`; left out, every host.
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
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    waiver: Vec<Waiver>,
}

/// The waivers that hold on this host today, and those that are over.
#[derive(Clone, Debug, Default)]
pub struct Waivers {
    live: Vec<Waiver>,
    expired: Vec<Waiver>,
}

impl Waivers {
    /// Reads the file's text. `host` is the one that runs the cases; `today` is (year, month, day).
    ///
    /// # Errors
    /// TOML errors with line and column; a waiver without a reason, or with a name that another has.
    pub fn parse(text: &str, host: &HostKind, today: (u16, u8, u8)) -> Result<Waivers, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut names = BTreeSet::new();
        for waiver in &file.waiver {
            if waiver.reason.trim().is_empty() {
                return Err(format!("waiver {} has no reason", waiver.name));
            }
            if !names.insert(waiver.name.clone()) {
                return Err(format!("the waiver name {} is used twice", waiver.name));
            }
        }
        let day = |date: &toml::value::Date| (date.year, date.month, date.day);
        let ours = file
            .waiver
            .into_iter()
            .filter(|waiver| waiver.holds_on(host));
        let (live, expired) = ours.partition(|waiver| today <= day(&waiver.expires));
        Ok(Waivers { live, expired })
    }

    /// Takes what is covered out of a result, and notes by which waivers.
    pub fn cover(&self, result: &mut CaseResult) {
        if result.status != Status::Fail || result.changes.is_empty() {
            return;
        }
        let scoped: Vec<&Waiver> = self
            .live
            .iter()
            .filter(|waiver| waiver.speaks_of(result))
            .collect();
        let covering = |change: &Finding| scoped.iter().find(|waiver| waiver.accepts(change));
        let mut left = Vec::new();
        for change in &result.changes {
            match covering(change) {
                Some(waiver) => drop(result.waivers.insert(waiver.name.clone())),
                None => left.push(change.clone()),
            }
        }
        if left.is_empty() {
            let names: Vec<_> = result.waivers.iter().cloned().collect();
            result.status = Status::Waived;
            result.reason = format!("waived: {}", names.join(", "));
        } else {
            result.changes = left;
        }
    }

    /// The waivers that are over or covered nothing, a sentence each. `complete` says that everything planned was run: only
    /// then can a waiver be known to be unused.
    pub fn outlived(&self, results: &[CaseResult], complete: bool) -> Vec<String> {
        let used: BTreeSet<&String> = results.iter().flat_map(|result| &result.waivers).collect();
        let over = |waiver: &Waiver| {
            format!(
                "waiver {} expired on {}: {}",
                waiver.name, waiver.expires, waiver.reason
            )
        };
        let mut told: Vec<String> = self.expired.iter().map(over).collect();
        let idle = |waiver: &&Waiver| {
            let ran =
                |result: &&CaseResult| waiver.speaks_of(result) && result.status != Status::Skip;
            complete && results.iter().any(|result| ran(&result)) && !used.contains(&waiver.name)
        };
        let unused = self.live.iter().filter(idle);
        told.extend(unused.map(|waiver| {
            format!(
                "waiver {} is unused: nothing in its scope was found",
                waiver.name
            )
        }));
        told
    }
}

impl Waiver {
    fn holds_on(&self, host: &HostKind) -> bool {
        let modules = &self.host_modules;
        (modules.is_empty() || host.modules.iter().any(|name| Glob::matches(modules, name)))
            && fits(&self.host_vendors, &host.vendor)
    }

    fn speaks_of(&self, result: &CaseResult) -> bool {
        let case = &result.planned;
        fits(&self.lanes, case.lane.name())
            && fits(&self.qemus, &case.qemu.label)
            && fits(&self.machines, &case.machine)
            && fits(&self.models, &case.cpu)
            && fits(&self.cases, &result.case)
    }

    fn accepts(&self, change: &Finding) -> bool {
        fits(&self.checks, change.check.name())
            && fits(&self.findings, &change.name)
            && fits(&self.places, &change.place.to_string())
    }
}

/// A list that is left out fits everything.
fn fits(globs: &[Glob], name: &str) -> bool {
    globs.is_empty() || Glob::matches(globs, name)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::case::offers::Offers;
    use crate::case::{Case, Lane, Qemu};
    use crate::check::finding::{CheckId, Kind, Layer};

    const FILE: &str = "[[waiver]]\nname = \"leak\"\nreason = \"PVM executes CPUID natively\"\nlink = \"README\"\n\
                        expires = 2030-01-31\nhost_modules = [\"kvm_pvm\"]\nlanes = [\"kvm*\"]\nchecks = [\"kvm-given\"]\n";

    fn host(modules: &[&str], vendor: &str) -> HostKind {
        HostKind {
            modules: modules.iter().map(|module| (*module).to_owned()).collect(),
            vendor: vendor.to_owned(),
        }
    }

    fn waivers(modules: &[&str], today: (u16, u8, u8)) -> Waivers {
        Waivers::parse(FILE, &host(modules, "AuthenticAMD"), today).expect("a file")
    }

    fn result(lane: Lane, checks: &[CheckId]) -> CaseResult {
        let change = |check: &CheckId| {
            Finding::new(
                check.clone(),
                Kind::Gained,
                "sse4.1",
                "clear",
                "set",
                Layer::Kvm,
            )
        };
        CaseResult {
            trial: "kvm/qemu-11.1/-/486-v1".to_owned(),
            case: "kvm/qemu-11.1/-/486-v1".to_owned(),
            planned: Case::new(
                &Arc::new(Qemu {
                    path: "qemu".into(),
                    label: "qemu-11.1".to_owned(),
                    offers: Arc::new(Offers::default()),
                }),
                lane,
                "q35",
                "486-v1",
            ),
            status: if checks.is_empty() {
                Status::Pass
            } else {
                Status::Fail
            },
            reason: String::new(),
            duration: Duration::ZERO,
            command: Vec::new(),
            changes: checks.iter().map(change).collect(),
            waivers: BTreeSet::new(),
            seen: None,
            flow: None,
            linux: None,
            passage: None,
            crossing: None,
        }
    }

    const TODAY: (u16, u8, u8) = (2026, 11, 23);

    fn covered(waivers: &Waivers, mut result: CaseResult) -> CaseResult {
        waivers.cover(&mut result);
        result
    }

    #[test]
    fn a_covered_finding_is_waived() {
        let waivers = waivers(&["kvm_pvm"], TODAY);
        let result = covered(&waivers, result(Lane::KVM, &[CheckId::KvmGiven]));
        assert_eq!(
            (result.status, result.reason.as_str()),
            (Status::Waived, "waived: leak")
        );
        assert!(waivers.outlived(&[result], true).is_empty());
    }

    #[test]
    fn a_further_finding_still_fails() {
        let result = covered(
            &waivers(&["kvm_pvm"], TODAY),
            result(Lane::KVM, &[CheckId::KvmGiven, CheckId::FeatureWords]),
        );
        assert_eq!((result.status, result.changes.len()), (Status::Fail, 1));
    }

    #[test]
    fn another_host_or_lane_is_not_covered() {
        let elsewhere = covered(
            &waivers(&["kvm_intel"], TODAY),
            result(Lane::KVM, &[CheckId::KvmGiven]),
        );
        assert_eq!(elsewhere.status, Status::Fail);
        let other = covered(
            &waivers(&["kvm_pvm"], TODAY),
            result(Lane::TCG, &[CheckId::KvmGiven]),
        );
        assert_eq!(other.status, Status::Fail);
    }

    #[test]
    fn a_host_of_another_vendor_is_not_covered() {
        let file = format!("{FILE}host_vendors = [\"GenuineIntel\"]\n");
        let status = |vendor: &str| {
            let waivers = Waivers::parse(&file, &host(&["kvm_pvm"], vendor), TODAY);
            let found = result(Lane::KVM, &[CheckId::KvmGiven]);
            covered(&waivers.expect("a file"), found).status
        };
        assert_eq!(status("GenuineIntel"), Status::Waived);
        assert_eq!(status("AuthenticAMD"), Status::Fail);
    }

    #[test]
    fn an_expired_waiver_covers_nothing_and_is_told() {
        let waivers = waivers(&["kvm_pvm"], (2030, 2, 1));
        let result = covered(&waivers, result(Lane::KVM, &[CheckId::KvmGiven]));
        assert_eq!(result.status, Status::Fail);
        let told = waivers.outlived(&[result], false);
        assert_eq!(
            told,
            ["waiver leak expired on 2030-01-31: PVM executes CPUID natively"]
        );
    }

    #[test]
    fn an_unused_waiver_is_told_once_all_was_run() {
        let waivers = waivers(&["kvm_pvm"], TODAY);
        let passed = [result(Lane::KVM, &[])];
        let unused = ["waiver leak is unused: nothing in its scope was found"];
        assert_eq!(waivers.outlived(&passed, true), unused);
        assert!(waivers.outlived(&passed, false).is_empty());
        assert!(waivers.outlived(&[result(Lane::TCG, &[])], true).is_empty());
    }

    #[test]
    fn a_malformed_file_is_told_with_its_place() {
        let error = Waivers::parse("[[waiver]]\nname = 3\n", &HostKind::default(), TODAY)
            .expect_err("an error");
        assert!(error.contains("line 2, column 8"), "{error}");
        let error = Waivers::parse(
            &FILE.replace("PVM executes CPUID natively", " "),
            &HostKind::default(),
            TODAY,
        );
        assert_eq!(error.expect_err("an error"), "waiver leak has no reason");
        let error = Waivers::parse(&format!("{FILE}{FILE}"), &HostKind::default(), TODAY);
        assert_eq!(
            error.expect_err("an error"),
            "the waiver name leak is used twice"
        );
    }

    #[test]
    fn a_waiver_can_name_the_cases_that_it_speaks_of() {
        for (cases, status) in [("kvm/*/486-*", Status::Waived), ("lab/*", Status::Fail)] {
            let file = format!("{FILE}cases = [\"{cases}\"]\n");
            let waivers = Waivers::parse(&file, &host(&["kvm_pvm"], ""), TODAY).expect("a file");
            let mut result = result(Lane::KVM, &[CheckId::KvmGiven]);
            waivers.cover(&mut result);
            assert_eq!(result.status, status, "{cases}");
            // Nothing of what it speaks of has run, so it is not unused either.
            assert!(waivers.outlived(&[result], true).is_empty());
        }
    }
}
