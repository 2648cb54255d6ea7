//! The parts of an `-smp` argument, as QEMU completes them.

use super::topology::Topology;

/// How many of each a machine has. `None` where the argument leaves it to the machine type: 6.2 prefers cores to sockets, older
/// ones sockets to cores (machine_parse_smp_config in hw/core/machine-smp.c).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// Logical processors of a socket.
    pub fn per_package(&self) -> Option<u32> {
        Some(self.dies * self.modules * self.cores? * self.threads)
    }

    /// Width of the APIC id below the core, and below the package (x86_apicid_pkg_offset in include/hw/i386/topology.h).
    pub fn widths(&self) -> Option<(u32, u32)> {
        let parts = [self.threads, self.cores?, self.modules, self.dies];
        let total = parts.into_iter().map(width).sum();
        Some((width(self.threads), total))
    }
}

/// Bits that number `count` things.
pub fn width(count: u32) -> u32 {
    count.max(1).next_power_of_two().ilog2()
}

impl Topology {
    /// What the argument says of the machine's parts; `None` where it gives a part no x86 machine has, or none at all.
    pub fn parts(&self) -> Option<Parts> {
        let mut given = [None; 7];
        const NAMES: [&str; 7] = [
            "cpus", "maxcpus", "sockets", "dies", "modules", "cores", "threads",
        ];
        for (index, part) in self.as_str().split(',').enumerate() {
            let (name, count) = part.split_once('=').unwrap_or(("cpus", part));
            let named = NAMES.iter().position(|known| *known == name);
            if index > 0 && !part.contains('=') {
                return None;
            }
            given[named?] = Some(count.parse::<u32>().ok().filter(|count| *count > 0)?);
        }
        let [cpus, max, sockets, dies, modules, cores, threads] = given;
        let (dies, modules) = (dies.unwrap_or(1), modules.unwrap_or(1));
        let total = max.or(cpus)?;
        let rest = |known: u32| Some(total / (known * dies * modules)).filter(|count| *count > 0);
        let threads = match (threads, sockets, cores) {
            (Some(threads), _, _) => threads,
            (None, Some(sockets), Some(cores)) => rest(sockets * cores)?,
            _ => 1,
        };
        let one = (total == threads * dies * modules).then_some(1);
        Some(Parts {
            sockets: sockets.or(match cores {
                Some(cores) => rest(cores * threads),
                None => one,
            }),
            dies,
            modules,
            cores: cores.or(match sockets {
                Some(sockets) => rest(sockets * threads),
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
            ("4,cores=0", "unknown"),
        ] {
            assert_eq!(describe(argument), expected, "{argument}");
        }
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
