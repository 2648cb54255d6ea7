//! A case and what became of it, as JSON lines hold it. Fields may be added, never renamed.

use std::collections::BTreeSet;
use std::time::Duration;

use clap::ValueEnum as _;
use fidelity_protocol::crc::crc32;
use serde::{Deserialize, Serialize};

use super::crossing::{Binary, Crossing};
use super::linux::LinuxSeen;
use super::migration::Migration;
use super::status::Status;
use crate::case::migration::Way;
use crate::case::{Case, Lane};
use crate::check::Finding;
use crate::check::behaviour::Deviation;
use crate::check::waivers::{Scope, Waivers};
use crate::cpuid::line::Line;
use crate::evidence::flow::Step;
use crate::host::HostKind;
use crate::host::lab::emulators::kind;

/// One line of a run's results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The case's name: unique within a plan.
    pub case: String,
    /// The trial it belongs to.
    #[serde(default)]
    pub trial: String,
    /// How the guest was run.
    pub lane: Lane,
    /// The binary.
    pub qemu: Binary,
    /// The `-machine` argument.
    pub machine: String,
    /// The `-cpu` argument without what the lane adds.
    pub cpu: String,
    /// The versioned model that `cpu` names there.
    #[serde(default)]
    pub resolved: Option<String>,
    /// The `-smp` argument.
    pub smp: String,
    /// What became of it.
    pub status: Status,
    /// Why, where the status does not say it all.
    #[serde(default)]
    pub reason: String,
    /// Milliseconds from QEMU's start to its end.
    #[serde(default, deserialize_with = "super::durations::milliseconds")]
    pub duration_ms: f64,
    /// The exact command line.
    #[serde(default)]
    pub command: Vec<String>,
    /// The command line of this program that shows it again, an argument each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reproduce: Vec<String>,
    /// What was found.
    #[serde(default)]
    pub changes: Vec<Finding>,
    /// Names of the waivers that covered something.
    #[serde(default)]
    pub waivers: BTreeSet<String>,
    /// The host class it ran on, where that has a say in the result (the KVM lanes); `None` where it has none.
    #[serde(default)]
    pub host: Option<String>,
    /// The kind of the emulated host that it ran on; `None` for a case on this host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emulated: Option<HostKind>,
    /// CRC-32 of the expectation lines that the guest showed, in hexadecimal; `None` where no guest ran to its end. Two hosts that run
    /// one host-independent case must show the same.
    #[serde(default)]
    pub seen: Option<String>,
    /// Features through the layers, from the promise to the guest; `None` where the layers were not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<Vec<Step>>,
    /// What the guest does otherwise than its CPUID says, expected or not; `None` where nothing was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behaviour: Option<Vec<Deviation>>,
    /// What the kernel of a Linux guest showed; `None` in other lanes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linux: Option<LinuxSeen>,
    /// What became of the migration; `None` where it is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migration: Option<Migration>,
    /// Where two guests were held against one another (`qemu` is the one it goes to): from which, and what is different, expected or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crossing: Option<Crossing>,
}

impl Row {
    /// A case and what became of it, and nothing more yet; `name` is unique within the plan.
    ///
    /// Where the host has a say in the result, `host` is empty until [`Row::on_host`] fills it.
    pub fn new(trial: &str, name: String, case: &Case, status: Status, reason: &str) -> Row {
        Row {
            case: name,
            trial: trial.to_owned(),
            lane: case.lane,
            qemu: Binary::from_qemu(&case.qemu),
            machine: case.machine.clone(),
            cpu: case.cpu.clone(),
            resolved: case.resolved_model().map(str::to_owned),
            smp: case.smp.as_str().to_owned(),
            status,
            reason: reason.to_owned(),
            duration_ms: 0.0,
            command: Vec::new(),
            reproduce: Vec::new(),
            changes: Vec::new(),
            waivers: BTreeSet::new(),
            host: (!case.host_independent()).then(String::new),
            emulated: case.host.as_ref().and_then(|host| kind(&host.emulation)),
            seen: None,
            flow: None,
            behaviour: None,
            linux: None,
            migration: None,
            crossing: None,
        }
    }

    /// The same, run on a host of that class.
    #[must_use]
    pub fn on_host(self, class: &str) -> Row {
        Row {
            host: self.host.map(|_| class.to_owned()),
            ..self
        }
    }

    /// The same, with the time from QEMU's start to its end and with its command line.
    #[must_use]
    pub fn ran(self, duration: Duration, command: &[String]) -> Row {
        Row {
            duration_ms: duration.as_secs_f64() * 1000.0,
            command: command.to_vec(),
            ..self
        }
    }

    /// The same, with features through the layers.
    #[must_use]
    pub fn through(self, flow: Option<Vec<Step>>) -> Row {
        Row { flow, ..self }
    }

    /// The same, of a guest that ran to its end and showed `lines`.
    #[must_use]
    pub fn saw(self, lines: &[Line]) -> Row {
        let text: Vec<String> = lines.iter().map(Line::to_string).collect();
        let seen = crc32(&[text.join("\n").as_bytes()]);
        Row {
            seen: Some(format!("{seen:08x}")),
            ..self
        }
    }

    /// Takes what waivers cover out of the findings, and notes by which ones. A case all of whose findings are covered is WAIVED, and
    /// keeps them all.
    pub fn waive(&mut self, waivers: &Waivers) {
        if self.status != Status::Fail || self.changes.is_empty() {
            return;
        }
        let covered = waivers.cover(&self.waiver_scope(), &self.changes);
        self.waivers.extend(covered.waivers);
        if covered.left.is_empty() {
            let names: Vec<&str> = self.waivers.iter().map(String::as_str).collect();
            self.reason = format!("waived: {}", names.join(", "));
            self.status = Status::Waived;
        } else {
            self.changes = covered.left;
        }
    }

    /// The case as waivers name it.
    fn waiver_scope(&self) -> Scope<'_> {
        Scope {
            lane: self.lane.name(),
            qemu: &self.qemu.label,
            machine: &self.machine,
            cpu: &self.cpu,
            smp: &self.smp,
            case: &self.case,
            host: self.emulated.as_ref(),
        }
    }

    /// A planned case that has no result. Lane, QEMU, machine type and model are read off its name, `LANE/QEMU/MACHINE/MODEL`; `None`
    /// where the first part is no lane.
    pub fn missing((case, host): Key) -> Option<Row> {
        let mut parts = case.splitn(4, '/').map(str::to_owned);
        let lane = Lane::from_str(&parts.next()?, false).ok()?;
        let mut part = || parts.next().unwrap_or_default();
        let (label, machine, cpu) = (part(), part(), part());
        // A migration's name has the way in front of the model.
        let way = [Way::Live, Way::File].map(Way::name).into_iter();
        let model = way
            .filter_map(|way| cpu.strip_prefix(way)?.strip_prefix('/'))
            .next();
        let cpu = model.unwrap_or(&cpu).to_owned();
        Some(Row {
            trial: case.clone(),
            lane,
            qemu: Binary {
                path: String::new(),
                version: label.trim_start_matches("qemu-").to_owned(),
                package: String::new(),
                label,
            },
            machine,
            cpu,
            resolved: None,
            smp: "1".to_owned(),
            status: Status::Miss,
            reason: "planned, and there is no result for it".to_owned(),
            duration_ms: 0.0,
            command: Vec::new(),
            reproduce: Vec::new(),
            changes: Vec::new(),
            waivers: BTreeSet::new(),
            emulated: None,
            seen: None,
            flow: None,
            behaviour: None,
            linux: None,
            migration: None,
            crossing: None,
            case,
            host,
        })
    }

    /// What tells it apart in a merge: the case, and the host class where that is an axis.
    pub fn key(&self) -> Key {
        (self.case.clone(), self.host.clone())
    }

    /// Whether somebody has to look at it.
    pub fn bad(&self) -> bool {
        matches!(self.status, Status::Fail | Status::Error | Status::Miss)
    }
}

/// The waivers that are over or unused, a sentence each; see [`Waivers::outlived`].
pub fn outlived(waivers: &Waivers, rows: &[Row], complete: bool) -> Vec<String> {
    let ran = rows.iter().filter(|row| row.status != Status::Skip);
    let ran = ran.map(|row| (row.waiver_scope(), &row.waivers));
    waivers.outlived(ran, complete)
}

/// Case, and host class.
pub type Key = (String, Option<String>);

/// Exit status of a run: 3 where something could not be run, or nothing was compared, else 1 where something was found, else 0.
pub fn exit_status<'a>(rows: impl IntoIterator<Item = &'a Row>) -> u8 {
    let mut compared = false;
    let mut worst = 0;
    for row in rows {
        compared |= row.status != Status::Skip;
        worst = worst.max(row.status.exit_status());
    }
    if compared { worst } else { NOTHING_COMPARED }
}

/// Exit status of a run that compared nothing: nobody knows whether any guest is as promised.
const NOTHING_COMPARED: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::HostKind;
    use crate::results::fixture::{lost, row};

    fn waivers(finding: &str) -> Waivers {
        let text = format!(
            "[[waiver]]\nname = \"known\"\nreason = \"r\"\nlink = \"l\"\nexpires = 2030-01-31\nfindings = [\"{finding}\"]\n"
        );
        Waivers::parse(&text, &HostKind::default(), (2026, 1, 1)).expect("a file")
    }

    #[test]
    fn a_case_is_waived_where_all_of_its_findings_are_covered() {
        let mut covered = lost("tcg/qemu-11.1/-/max", &["avx2", "avx"]);
        covered.waive(&waivers("avx*"));
        assert_eq!((covered.status, covered.changes.len()), (Status::Waived, 2));
        assert_eq!(covered.reason, "waived: known");
        assert!(outlived(&waivers("avx*"), &[covered], true).is_empty());
    }

    #[test]
    fn a_case_with_a_further_finding_fails_with_that() {
        let mut partly = lost("tcg/qemu-11.1/-/max", &["avx2", "sse"]);
        partly.waive(&waivers("avx*"));
        assert_eq!((partly.status, partly.changes.len()), (Status::Fail, 1));
        assert_eq!(partly.waivers, ["known".to_owned()].into());
    }

    #[test]
    fn a_run_that_compared_nothing_is_no_success() {
        let status = |statuses: &[Status]| {
            let rows = statuses
                .iter()
                .map(|status| row("tcg/qemu-11.1/-/max", *status));
            let rows: Vec<Row> = rows.collect();
            exit_status(&rows)
        };
        assert_eq!(status(&[]), 3);
        assert_eq!(status(&[Status::Skip, Status::Skip]), 3);
        assert_eq!(status(&[Status::Skip, Status::Pass]), 0);
        assert_eq!(status(&[Status::Fail, Status::Skip]), 1);
    }

    #[test]
    fn a_skipped_case_leaves_its_waivers_unjudged() {
        let skipped = [row("tcg/qemu-11.1/-/max", Status::Skip)];
        assert!(outlived(&waivers("avx2"), &skipped, true).is_empty());
        let passed = [row("tcg/qemu-11.1/-/max", Status::Pass)];
        assert_eq!(outlived(&waivers("avx2"), &passed, true).len(), 1);
    }
}
