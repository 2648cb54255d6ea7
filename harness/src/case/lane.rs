//! Lanes by name: how a guest is run. What a lane does stands in `lanes/`; here is what everybody may know of one.
use crate::util::near::hint;

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// What executes the guest's instructions.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Accelerator {
    /// TCG, QEMU's own emulator: the same on every host.
    #[default]
    Tcg,
    /// KVM of the machine on which the guest runs.
    Kvm,
}

impl Accelerator {
    /// As QEMU's `-accel` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Accelerator::Tcg => "tcg",
            Accelerator::Kvm => "kvm",
        }
    }
}

/// What starts the guest.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Starter {
    /// This program starts QEMU.
    #[default]
    Qemu,
    /// This program is the VMM and uses KVM's ioctls itself.
    Harness,
    /// libvirt starts QEMU.
    Libvirt,
    /// No guest: the machine itself is asked, its processors and its KVM.
    Nobody,
}

/// How a guest is run: the properties that decide what it shows, beside its command line.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct RunAs {
    /// What executes it.
    pub accelerator: Accelerator,
    /// What starts it.
    #[serde(default)]
    pub starter: Starter,
    /// `x-force-features=on`: the CPU model's features are not filtered.
    #[serde(default)]
    pub forced_features: bool,
}

impl RunAs {
    /// Whether a guest with this `-cpu` and `-smp` is compared whole with its model's reviewed definition: a model as it is, with forced
    /// features, on one vCPU.
    pub fn compares_whole(self, cpu: &str, smp: &str) -> bool {
        self.forced_features && !cpu.contains(',') && smp == "1"
    }

    /// The lane that boots the agent on this host in this way.
    pub fn lane_here(self) -> Option<Lane> {
        let here = |row: &&Row| row.run_as == self && row.boots == Boots::Agent;
        ROWS.iter().find(here).map(|row| row.lane)
    }
}

/// A lane, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lane(&'static str);

/// What a lane boots under QEMU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Boots {
    /// The agent, on this host.
    Agent,
    /// The agent, on an emulated host.
    AgentElsewhere,
    /// A Linux kernel.
    Linux,
}

/// A row of the table of lanes.
struct Row {
    lane: Lane,
    about: &'static str,
    run_as: RunAs,
    boots: Boots,
    /// Folder of a release's expectations that holds what a model shows; `None` where nothing is recorded of one.
    models: Option<&'static str>,
}

const fn row(lane: Lane, run_as: RunAs, about: &'static str) -> Row {
    Row {
        lane,
        about,
        run_as,
        boots: Boots::Agent,
        models: None,
    }
}

impl Row {
    const fn models(self, folder: &'static str) -> Row {
        Row {
            models: Some(folder),
            ..self
        }
    }

    const fn boots(self, boots: Boots) -> Row {
        Row { boots, ..self }
    }
}

const TCG: RunAs = RunAs {
    accelerator: Accelerator::Tcg,
    starter: Starter::Qemu,
    forced_features: false,
};
const KVM: RunAs = RunAs {
    accelerator: Accelerator::Kvm,
    ..TCG
};

/// The lanes of this program, in the order of reports.
static ROWS: [Row; 7] = [
    row(
        Lane::DEFINITION,
        RunAs {
            forced_features: true,
            ..TCG
        },
        "TCG with x-force-features=on: the model's whole definition, on any host",
    )
    .models("models"),
    row(
        Lane::TCG,
        TCG,
        "TCG as a user gets it: features that TCG does not emulate are filtered",
    )
    .models("tcg"),
    row(Lane::KVM, KVM, "The host's KVM through QEMU"),
    row(
        Lane::KVM_DIRECT,
        RunAs {
            starter: Starter::Harness,
            ..KVM
        },
        "The host's KVM without QEMU: this program is the VMM",
    ),
    row(
        Lane::LAB,
        KVM,
        "KVM of a chosen kernel on an emulated host, with QEMU and without",
    )
    .boots(Boots::AgentElsewhere),
    row(
        Lane::LIBVIRT,
        RunAs {
            starter: Starter::Libvirt,
            ..TCG
        },
        "TCG, the guest being started by libvirt",
    ),
    row(
        Lane::LINUX,
        TCG,
        "A Linux guest, for what its kernel makes of CPUID in /proc/cpuinfo",
    )
    .boots(Boots::Linux),
];

impl Lane {
    /// Lane `definition`.
    pub const DEFINITION: Lane = Lane("definition");
    /// Lane `tcg`.
    pub const TCG: Lane = Lane("tcg");
    /// Lane `kvm`.
    pub const KVM: Lane = Lane("kvm");
    /// Lane `kvm-direct`.
    pub const KVM_DIRECT: Lane = Lane("kvm-direct");
    /// Lane `lab`.
    pub const LAB: Lane = Lane("lab");
    /// Lane `libvirt`.
    pub const LIBVIRT: Lane = Lane("libvirt");
    /// Lane `linux`.
    pub const LINUX: Lane = Lane("linux");

    /// A lane that is defined elsewhere, for its registration ([`crate::lanes::Registry`]).
    pub const fn new(name: &'static str) -> Lane {
        Lane(name)
    }

    /// The first part of a trial's name.
    pub fn name(self) -> &'static str {
        self.0
    }

    /// How it runs a guest, in a sentence.
    pub fn about(self) -> &'static str {
        self.row().map_or("", |row| row.about)
    }

    fn row(self) -> Option<&'static Row> {
        ROWS.iter().find(|row| row.lane == self)
    }

    /// Whether this program starts QEMU on this host, and the agent is the guest.
    pub fn boots_agent_under_qemu(self) -> bool {
        self.row()
            .is_some_and(|row| row.run_as.starter == Starter::Qemu && row.boots == Boots::Agent)
    }

    /// Whether guests run on this host's KVM, whatever they are.
    pub fn uses_this_kvm(self) -> bool {
        self.row().is_some_and(|row| {
            row.run_as.accelerator == Accelerator::Kvm && row.boots == Boots::Agent
        })
    }

    /// Folder of a release's expectations that holds what a model shows in this lane; `None` where nothing is recorded.
    pub fn models_folder(self) -> Option<&'static str> {
        self.row()?.models
    }

    /// How guests of the lane run where a case says nothing else.
    pub fn run_as(self) -> RunAs {
        self.row().map(|row| row.run_as).unwrap_or_default()
    }

    fn order(self) -> (usize, &'static str) {
        let row = ROWS.iter().position(|row| row.lane == self);
        (row.unwrap_or(ROWS.len()), self.0)
    }
}

impl Ord for Lane {
    fn cmp(&self, other: &Lane) -> Ordering {
        self.order().cmp(&other.order())
    }
}

impl PartialOrd for Lane {
    fn partial_cmp(&self, other: &Lane) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Serialize for Lane {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

/// A name that no lane has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no lane “{0}”; there are {names}{near}", names = names(), near = near(.0))]
pub struct UnknownLane(String);

fn near(name: &str) -> String {
    hint(name, ROWS.iter().map(|row| row.lane.0))
}

fn names() -> String {
    ROWS.each_ref().map(|row| row.lane.0).join(", ")
}

impl std::str::FromStr for Lane {
    type Err = UnknownLane;

    fn from_str(name: &str) -> Result<Lane, UnknownLane> {
        let row = ROWS.iter().find(|row| row.lane.0 == name);
        row.map(|row| row.lane)
            .ok_or_else(|| UnknownLane(name.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Lane {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Lane, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(D::Error::custom)
    }
}

impl clap::ValueEnum for Lane {
    fn value_variants<'a>() -> &'a [Lane] {
        static LANES: [Lane; 7] = [
            Lane::DEFINITION,
            Lane::TCG,
            Lane::KVM,
            Lane::KVM_DIRECT,
            Lane::LAB,
            Lane::LIBVIRT,
            Lane::LINUX,
        ];
        &LANES
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        let row = ROWS.iter().find(|row| row.lane == *self)?;
        Some(clap::builder::PossibleValue::new(row.lane.0).help(row.about))
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::{Lane, ROWS};

    #[test]
    fn the_command_line_takes_every_lane_by_its_name() {
        let rows: Vec<Lane> = ROWS.iter().map(|row| row.lane).collect();
        assert_eq!(Lane::value_variants(), rows);
        for lane in rows {
            assert_eq!(lane.name().parse(), Ok(lane));
            let value = lane.to_possible_value().expect("a name");
            assert_eq!(value.get_name(), lane.name());
        }
    }

    #[test]
    fn a_guest_of_an_emulated_host_has_the_lane_that_runs_it_so_here() {
        assert_eq!(Lane::LAB.run_as().lane_here(), Some(Lane::KVM));
        assert_eq!(
            Lane::KVM_DIRECT.run_as().lane_here(),
            Some(Lane::KVM_DIRECT)
        );
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_known_ones() {
        let error = "tgc".parse::<Lane>().expect_err("no such lane").to_string();
        assert_eq!(
            error,
            "no lane “tgc”; there are definition, tcg, kvm, kvm-direct, lab, libvirt, linux; near to it: tcg"
        );
    }
}
