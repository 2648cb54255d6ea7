//! The parts of an `-smp` argument, as QEMU completes them.

use serde::{Deserialize, Serialize};

use super::topology::Topology;
use crate::util::limits::VCPUS;

/// How many of each a machine has. `None` where the argument leaves it to the machine type ([`Prefer`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts {
    /// Sockets of the machine.
    pub sockets: Option<u32>,
    /// Dies of a socket.
    pub dies: u32,
    /// Modules of a die.
    pub modules: u32,
    /// Cores of a module.
    pub cores: Option<u32>,
    /// Threads of a core.
    pub threads: u32,
}

impl Parts {
    /// Logical processors of the first `depth` of thread, core, module and die, and the bits that their ids take
    /// (x86_apicid_pkg_offset in include/hw/i386/topology.h); `None` also where they are more than any machine has.
    pub fn within(&self, depth: usize) -> Option<(u32, u32)> {
        let parts = [self.threads, self.cores?, self.modules, self.dies];
        let mut inner = parts.get(..depth)?.iter();
        // No more than a machine can have, so that the bits are fewer than an id has.
        let all = inner.try_fold((1u32, 0), |(count, bits), part| {
            Some((count.checked_mul(*part)?, bits + width(*part)))
        });
        all.filter(|(count, _)| *count <= VCPUS)
    }

    /// Logical processors of a socket.
    pub fn per_package(&self) -> Option<u32> {
        Some(self.within(4)?.0)
    }

    /// Width of the APIC id below the core, and below the package.
    pub fn widths(&self) -> Option<(u32, u32)> {
        Some((self.within(1)?.1, self.within(4)?.1))
    }
}

/// What a machine type makes of vCPUs that `-smp` places nowhere: cores since 6.2, sockets before (machine_parse_smp_config in
/// hw/core/machine-smp.c, `prefer_sockets` in hw/i386/pc.c), sockets in libvirt (qemuBuildSmpCommandLine in src/qemu/qemu_command.c).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefer {
    /// One socket.
    Cores,
    /// One core a socket.
    Sockets,
}

impl Prefer {
    /// Of a machine type of this QEMU: a name without a version, as `q35`, is the newest one.
    pub fn of_machine(machine: &str, qemu: &str) -> Prefer {
        let name = machine.split(',').next().unwrap_or(machine);
        let version = name.rsplit('-').next().and_then(version);
        let own = version.or_else(|| self::version(qemu)).unwrap_or((0, 0));
        if own >= (6, 2) {
            Prefer::Cores
        } else {
            Prefer::Sockets
        }
    }
}

/// `(8, 2)` of `8.2` and of `8.2.1`.
fn version(text: &str) -> Option<(u32, u32)> {
    let (major, rest) = text.split_once('.')?;
    let minor = rest.split('.').next()?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Bits that number `count` things.
pub fn width(count: u32) -> u32 {
    u32::BITS - count.saturating_sub(1).leading_zeros()
}

/// All of them at once; `None` where that is more than any machine has.
fn product(parts: [u32; 3]) -> Option<u32> {
    let mut parts = parts.into_iter();
    parts.try_fold(1u32, u32::checked_mul)
}

/// How often so many parts fit into `total`; `None` where they do not, or where a part is none.
fn share(total: u32, parts: [u32; 3]) -> Option<u32> {
    let shares = total.checked_div(product(parts)?);
    shares.filter(|count| *count > 0)
}

impl Topology {
    /// The parts that the argument makes on a machine that fills the rest in so; `None` as in [`Topology::parts`].
    pub fn parts_on(&self, prefer: Prefer) -> Option<Parts> {
        let parts = self.parts()?;
        let (None, None) = (parts.sockets, parts.cores) else {
            return Some(parts);
        };
        let rest = share(self.room(), [parts.dies, parts.modules, parts.threads])?;
        let (sockets, cores) = match prefer {
            Prefer::Cores => (1, rest),
            Prefer::Sockets => (rest, 1),
        };
        Some(Parts {
            sockets: Some(sockets),
            cores: Some(cores),
            ..parts
        })
    }

    /// What the argument says of the machine's parts; `None` where it gives a part no x86 machine has, or none at all.
    pub fn parts(&self) -> Option<Parts> {
        let mut given = [None; 10];
        const NAMES: [&str; 10] = [
            "cpus", "maxcpus", "sockets", "dies", "modules", "cores", "threads", "clusters",
            "books", "drawers",
        ];
        for (index, part) in self.as_str().split(',').enumerate() {
            let (name, count) = part.split_once('=').unwrap_or(("cpus", part));
            let named = NAMES.iter().position(|known| *known == name);
            if index > 0 && !part.contains('=') {
                return None;
            }
            given[named?] = Some(
                count
                    .parse()
                    .ok()
                    .filter(|count| (1..=VCPUS).contains(count))?,
            );
        }
        let [
            cpus,
            max,
            sockets,
            dies,
            modules,
            cores,
            threads,
            foreign @ ..,
        ] = given;
        // Of what no x86 machine has there may be one (smp_props in hw/core/machine-smp.c).
        if foreign.iter().flatten().any(|count| *count > 1) {
            return None;
        }
        let (dies, modules) = (dies.unwrap_or(1), modules.unwrap_or(1));
        let total = max.or(cpus)?;
        let threads = match (threads, sockets, cores) {
            (Some(threads), _, _) => threads,
            (None, Some(sockets), Some(cores)) => {
                share(share(total, [sockets, cores, 1])?, [dies, modules, 1])?
            }
            _ => 1,
        };
        let rest = |known: u32| {
            share(total, [known, dies, modules]).and_then(|rest| share(rest, [threads, 1, 1]))
        };
        let one = (product([threads, dies, modules]) == Some(total)).then_some(1);
        Some(Parts {
            sockets: sockets.or(match cores {
                Some(cores) => rest(cores),
                None => one,
            }),
            dies,
            modules,
            cores: cores.or(match sockets {
                Some(sockets) => rest(sockets),
                None => one,
            }),
            threads,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(argument: &str) -> Option<Parts> {
        argument.parse::<Topology>().ok()?.parts()
    }

    fn describe(argument: &str) -> String {
        let Some(parts) = parts(argument) else {
            return "unknown".to_owned();
        };
        let count = |count: Option<u32>| count.map_or("?".to_owned(), |count| count.to_string());
        let (sockets, cores) = (count(parts.sockets), count(parts.cores));
        let Parts {
            dies,
            modules,
            threads,
            ..
        } = parts;
        format!("{sockets} × {dies} × {modules} × {cores} × {threads}")
    }

    #[test]
    fn parts_are_completed_as_qemu_does() {
        for (argument, expected) in [
            ("1", "1 × 1 × 1 × 1 × 1"),
            ("4", "? × 1 × 1 × ? × 1"),
            ("4,sockets=2,cores=2", "2 × 1 × 1 × 2 × 1"),
            ("8,sockets=2,cores=2", "2 × 1 × 1 × 2 × 2"),
            ("8,sockets=2,threads=2", "2 × 1 × 1 × 2 × 2"),
            ("8,dies=2,cores=2,threads=2", "1 × 2 × 1 × 2 × 2"),
            ("2,maxcpus=8,cores=4", "2 × 1 × 1 × 4 × 1"),
            ("4,clusters=2", "unknown"),
            ("4,clusters=1", "? × 1 × 1 × ? × 1"),
            ("4,cores=0", "unknown"),
        ] {
            assert_eq!(describe(argument), expected, "{argument}");
        }
    }

    #[test]
    fn what_an_argument_leaves_out_is_filled_in_by_the_machine_type() {
        let on = |argument: &str, machine: &str, qemu: &str| {
            let smp: Topology = argument.parse().expect("a topology");
            let parts = smp
                .parts_on(Prefer::of_machine(machine, qemu))
                .expect("parts");
            (parts.sockets, parts.cores)
        };
        for (argument, machine, qemu, expected) in [
            ("4", "pc-q35-8.2", "10.0.2", (1, 4)),
            ("4", "pc-q35-6.1,smm=off", "10.0.2", (4, 1)),
            ("4", "q35", "10.0.2", (1, 4)),
            ("4", "pc", "5.2.0", (4, 1)),
            ("2,maxcpus=6,dies=2", "q35", "11.1.0", (1, 3)),
            ("4,cores=2", "pc-q35-6.1", "11.1.0", (2, 2)),
        ] {
            let expected = (Some(expected.0), Some(expected.1));
            assert_eq!(
                on(argument, machine, qemu),
                expected,
                "{argument} {machine}"
            );
        }
    }

    #[test]
    fn parts_that_no_machine_has_are_no_parts_and_no_panic() {
        for argument in [
            "4,sockets=65536,cores=65536,threads=65536",
            "4,sockets=4294967295,dies=4294967295",
            "4,dies=4294967295,modules=2",
            "4,sockets=65536,cores=65536",
            "4,sockets=0",
            "4,cores=4097",
        ] {
            assert_eq!(parts(argument), None, "{argument}");
        }
        let many = parts("4,sockets=4096,cores=4096,threads=4096");
        assert_eq!(many.and_then(|parts| parts.widths()), None);
        assert_eq!(
            [0, 1, 2, 3, 4, 5, u32::MAX].map(width),
            [0, 0, 1, 2, 2, 3, 32]
        );
    }

    #[test]
    fn parts_of_a_record_that_are_none_are_no_panic() {
        let none = Parts {
            sockets: Some(0),
            dies: 0,
            modules: 0,
            cores: Some(0),
            threads: 0,
        };
        assert_eq!((none.widths(), none.per_package()), (Some((0, 0)), Some(0)));
    }

    #[test]
    fn widths_are_rounded_up_part_by_part() {
        let parts = parts("6,sockets=1,cores=3,threads=2").expect("parts");
        assert_eq!(
            (parts.widths(), parts.per_package()),
            (Some((1, 3)), Some(6))
        );
    }
}
