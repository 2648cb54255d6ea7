//! A case and what became of it, as JSON lines hold it. Fields may be added, never renamed.

use clap::ValueEnum as _;
use serde::{Deserialize, Serialize};

use crate::case::Lane;
use crate::case::migration::Way;
use crate::check::outcome::LinuxSeen;
use crate::check::{CaseResult, Crossing, Finding, Outcome, Passage, Status};
use crate::evidence::flow::Step;

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
    /// QEMU's life, in milliseconds.
    #[serde(default)]
    pub duration_ms: f64,
    /// The exact command line.
    #[serde(default)]
    pub command: Vec<String>,
    /// What was found.
    #[serde(default)]
    pub changes: Vec<Finding>,
    /// Names of the waivers that covered something.
    #[serde(default)]
    pub waivers: Vec<String>,
    /// The host class it ran on, where that has a say in the result (the KVM lanes); `None` where it has none.
    #[serde(default)]
    pub host: Option<String>,
    /// CRC-32 of the expectation lines that the guest showed, in hexadecimal; `None` where no guest ran to its end. Two hosts that run
    /// one host-independent case must show the same.
    #[serde(default)]
    pub seen: Option<String>,
    /// Features through the layers, from the promise to the guest; `None` where the layers were not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<Vec<Step>>,
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

/// A migration that was tried. `qemu` of its row is the source, labelled with the pair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migration {
    /// The source.
    pub from: Binary,
    /// The destination.
    pub to: Binary,
    /// How the state travelled.
    pub way: Way,
    /// What became of it; null where it broke off for a reason that says nothing of either QEMU's promises, or was not tried.
    pub outcome: Option<Outcome>,
    /// Which sides refused or failed.
    #[serde(default)]
    pub sides: Vec<String>,
    /// Their own words.
    #[serde(default)]
    pub message: String,
    /// Milliseconds of the whole migration, as the source tells them.
    #[serde(default)]
    pub total_ms: Option<u64>,
    /// Milliseconds during which the guest stood still.
    #[serde(default)]
    pub downtime_ms: Option<u64>,
    /// Bytes of RAM in the stream.
    #[serde(default)]
    pub ram_bytes: Option<u64>,
}

impl From<&Passage> for Migration {
    fn from(passage: &Passage) -> Migration {
        Migration {
            from: Binary::of(&passage.from),
            to: Binary::of(&passage.to),
            way: passage.way,
            outcome: passage.outcome,
            sides: passage
                .sides
                .iter()
                .map(|side| (*side).to_owned())
                .collect(),
            message: passage.message.clone(),
            total_ms: passage.total_ms,
            downtime_ms: passage.downtime_ms,
            ram_bytes: passage.ram_bytes,
        }
    }
}

pub use crate::check::crossing::Binary;

impl Row {
    /// Of a result; `class` is the name of this host's class.
    pub fn of(result: &CaseResult, class: &str) -> Row {
        let case = &result.planned;
        Row {
            case: result.case.clone(),
            trial: result.trial.clone(),
            lane: case.lane,
            qemu: Binary::of(&case.qemu),
            machine: case.machine.clone(),
            cpu: case.cpu.clone(),
            resolved: case.resolved_model().map(str::to_owned),
            smp: case.smp.as_str().to_owned(),
            status: result.status,
            reason: result.reason.clone(),
            duration_ms: result.duration.as_secs_f64() * 1000.0,
            command: result.command.clone(),
            changes: result.changes.clone(),
            waivers: result.waivers.iter().cloned().collect(),
            host: (!case.host_independent()).then(|| class.to_owned()),
            seen: result.seen.clone(),
            flow: result.flow.clone(),
            linux: result.linux.clone(),
            migration: result.passage.as_ref().map(Migration::from),
            crossing: result.crossing.clone(),
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
            changes: Vec::new(),
            waivers: Vec::new(),
            seen: None,
            flow: None,
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

/// Case, and host class.
pub type Key = (String, Option<String>);

/// Exit status of a run: 3 where something could not be run, else 1 where something was found, else 0.
pub fn exit_status<'a>(rows: impl IntoIterator<Item = &'a Row>) -> u8 {
    rows.into_iter()
        .map(|row| row.status.exit_status())
        .max()
        .unwrap_or(0)
}
