//! A case: one QEMU binary × lane × machine type × `-cpu` argument × `-smp` topology.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use fidelity_protocol::frame::Phase;
use serde::{Deserialize, Serialize};

use super::kernel::{Accelerator, LinuxGuest};
use super::offers::Offers;

/// The `-cpu` of a `kvm-direct` guest that is given what KVM itself supports.
pub const SUPPORTED: &str = "supported";

/// The name of the host in lane `kvm-direct`: its processors and its KVM, without a guest.
pub const HOST: &str = "host";

/// libvirt's mode that makes a model of the host; beside models in lane `libvirt`.
pub const HOST_MODEL: &str = "host-model";

/// How the guest is run.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Lane {
    /// TCG with `x-force-features=on`: the model's whole definition, on any host.
    Definition,
    /// TCG as a user gets it: features that TCG does not emulate are filtered.
    Tcg,
    /// The host's KVM through QEMU.
    Kvm,
    /// The host's KVM without QEMU: the harness is the VMM.
    KvmDirect,
    /// KVM of a chosen kernel on an emulated host, with QEMU and without. The guests of its trials run in lanes `kvm` and
    /// `kvm-direct` there.
    Lab,
    /// TCG, the guest being started by libvirt.
    Libvirt,
    /// A Linux guest, for what its kernel makes of CPUID in /proc/cpuinfo.
    Linux,
}

impl Lane {
    /// The first part of a trial's name.
    pub fn name(self) -> &'static str {
        match self {
            Lane::Definition => "definition",
            Lane::Tcg => "tcg",
            Lane::Kvm => "kvm",
            Lane::KvmDirect => "kvm-direct",
            Lane::Lab => "lab",
            Lane::Linux => "linux",
            Lane::Libvirt => "libvirt",
        }
    }
}

impl Lane {
    /// What executes the instructions of its guests; a Linux guest may ask for another one ([`Case::accelerator`]).
    pub fn accelerator(self) -> Accelerator {
        match self {
            Lane::Kvm | Lane::KvmDirect | Lane::Lab => Accelerator::Kvm,
            Lane::Definition | Lane::Tcg | Lane::Linux | Lane::Libvirt => Accelerator::Tcg,
        }
    }

    /// Whether guests get every feature of their model, emulated or not (`x-force-features`, target/i386/cpu.c).
    pub fn forces_features(self) -> bool {
        self == Lane::Definition
    }

    /// Whether what the guest shows has nothing to do with the machine it runs on: the same on every host.
    pub fn host_independent(self) -> bool {
        match self {
            Lane::Definition | Lane::Tcg | Lane::Lab | Lane::Linux => true,
            // Which libvirt there is belongs to the host.
            Lane::Kvm | Lane::KvmDirect | Lane::Libvirt => false,
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A QEMU binary and what it offers.
#[derive(Debug, PartialEq, Eq)]
pub struct Qemu {
    /// What is started.
    pub path: PathBuf,
    /// Middle part of a trial's name: `qemu-10.0`, or `qemu-10.0.2` where two point releases are tested side by side.
    pub label: String,
    /// What it said of itself.
    pub offers: Arc<Offers>,
}

impl Qemu {
    /// No binary: for lane `kvm-direct` with a table that comes from elsewhere.
    pub fn none() -> Qemu {
        Qemu {
            path: PathBuf::new(),
            label: "-".to_owned(),
            offers: Arc::default(),
        }
    }

    /// Folder of the release's expectations: `qemu-10.0`.
    pub fn release_folder(&self) -> String {
        let (major, minor) = self.offers.release();
        format!("qemu-{major}.{minor}")
    }
}

/// The `-smp` argument.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Topology(String);

impl Topology {
    /// One vCPU.
    pub fn single() -> Topology {
        Topology("1".to_owned())
    }

    /// So many vCPUs, and room for one more.
    pub fn with_room(vcpus: u32) -> Topology {
        Topology(format!("{vcpus},maxcpus={}", vcpus + 1))
    }

    /// vCPUs that run from the start.
    pub fn vcpus(&self) -> u32 {
        Self::count(&self.0).unwrap_or(1)
    }

    /// The argument as QEMU takes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn count(argument: &str) -> Option<u32> {
        let first = argument.split(',').next()?;
        let plain = first.parse().ok();
        let named = argument
            .split(',')
            .find_map(|part| part.strip_prefix("cpus="));
        plain
            .or_else(|| named?.parse().ok())
            .filter(|count| *count > 0)
    }
}

impl TryFrom<String> for Topology {
    type Error = String;

    fn try_from(argument: String) -> Result<Topology, String> {
        argument.parse()
    }
}

impl FromStr for Topology {
    type Err = String;

    fn from_str(argument: &str) -> Result<Topology, String> {
        match Self::count(argument) {
            Some(_) => Ok(Topology(argument.to_owned())),
            None => Err(format!(
                "-smp “{argument}” does not start with a number of vCPUs"
            )),
        }
    }
}

/// One guest to boot.
#[derive(Clone, Debug)]
pub struct Case {
    /// The binary.
    pub qemu: Arc<Qemu>,
    /// How it is run.
    pub lane: Lane,
    /// The `-machine` argument.
    pub machine: String,
    /// The `-cpu` argument without what the lane adds.
    pub cpu: String,
    /// The `-smp` argument.
    pub smp: Topology,
    /// Phases that the configuration spares this guest.
    pub spared: Vec<Phase>,
    /// The kernel, in lane `linux`; `None` where the agent runs without an operating system.
    pub linux: Option<Arc<LinuxGuest>>,
}

impl Case {
    /// Whether its host has no say in what it shows.
    pub fn host_independent(&self) -> bool {
        let on_kvm = |guest: &Arc<LinuxGuest>| guest.accelerator == Accelerator::Kvm;
        self.lane.host_independent() && !self.linux.as_ref().is_some_and(on_kvm)
    }

    /// What executes the guest's instructions: the lane's accelerator, or the one that was asked for its Linux guest.
    pub fn accelerator(&self) -> Accelerator {
        let guest = self.linux.as_ref().map(|guest| guest.accelerator);
        guest.unwrap_or_else(|| self.lane.accelerator())
    }

    /// The `-cpu` argument with what the lane adds.
    pub fn cpu_argument(&self) -> String {
        if self.lane.forces_features() {
            format!("{},x-force-features=on", self.cpu)
        } else {
            self.cpu.clone()
        }
    }

    /// The versioned model that the `-cpu` argument names on this machine type, `None` where QEMU resolves nothing.
    pub fn resolved_model(&self) -> Option<&str> {
        let model = self.cpu.split(',').next()?;
        self.qemu.offers.resolve(&self.machine, model)
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::{Lane, Topology};

    #[test]
    fn every_lane_is_called_by_the_name_that_the_command_line_takes() {
        for lane in Lane::value_variants() {
            let value = lane.to_possible_value().expect("a name");
            assert_eq!(value.get_name(), lane.name());
        }
    }

    #[test]
    fn vcpus_are_read_from_every_form() {
        for (argument, count) in [
            ("4", 4),
            ("8,sockets=2,cores=4", 8),
            ("sockets=2,cpus=2", 2),
        ] {
            let topology: Topology = argument.parse().expect("a topology");
            assert_eq!(topology.vcpus(), count, "{argument}");
        }
    }

    #[test]
    fn a_topology_without_a_count_is_refused() {
        assert!("sockets=2".parse::<Topology>().is_err());
        assert!("0".parse::<Topology>().is_err());
    }
}
