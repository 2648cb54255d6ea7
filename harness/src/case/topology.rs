//! The `-smp` argument.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::util::limits::VCPUS;

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

    /// vCPUs that there is room for.
    pub fn room(&self) -> u32 {
        let mut parts = self.0.split(',');
        let given = parts.find_map(|part| part.strip_prefix("maxcpus="));
        given
            .and_then(|count| count.parse().ok())
            .unwrap_or_else(|| self.vcpus())
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
            .filter(|count| (1..=VCPUS).contains(count))
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
        let room = argument
            .split(',')
            .find_map(|part| part.strip_prefix("maxcpus="));
        let room = room.and_then(|count| count.parse().ok()).unwrap_or(1u32);
        match Self::count(argument).filter(|_| room <= VCPUS) {
            Some(_) => Ok(Topology(argument.to_owned())),
            None => Err(format!(
                "-smp “{argument}” does not start with a number of vCPUs, 1 to {VCPUS}"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Topology;

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
    fn room_is_what_runs_where_there_is_no_more() {
        for (argument, room) in [("4", 4), ("2,maxcpus=6", 6)] {
            let topology: Topology = argument.parse().expect("a topology");
            assert_eq!(topology.room(), room, "{argument}");
        }
    }

    #[test]
    fn a_topology_without_a_count_is_refused() {
        assert!("sockets=2".parse::<Topology>().is_err());
        assert!("0".parse::<Topology>().is_err());
        assert!("4096".parse::<Topology>().is_ok() && "4097".parse::<Topology>().is_err());
        assert!("cpus=4294967295".parse::<Topology>().is_err());
        assert!("4,maxcpus=4294967295".parse::<Topology>().is_err());
    }
}
