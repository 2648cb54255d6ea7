//! Every processor of this host, each asked on itself: CPUID by a thread pinned to it, MSRs through /dev/cpu/N/msr.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Error;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use fidelity_protocol::leaves::FEATURE_MSRS;
use rustix::io::Errno;
use rustix::thread::{CpuSet, sched_setaffinity};
use serde::{Deserialize, Serialize};

use super::found::{Found, text};
use crate::cpuid::answers::{Answers, execute, rows, walk};

/// What one processor says of itself. The first one is whole, every other tells only where it differs from the first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostCpu {
    /// Its number, as in /sys/devices/system/cpu.
    pub cpu: usize,
    /// CPUID.
    pub cpuid: Found<Cpuid>,
    /// Feature MSRs by index: a value, or absent where reading faults.
    pub msrs: Found<BTreeMap<u32, Found<u64>>>,
}

/// CPUID of a processor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cpuid {
    /// All answers, or those that the first processor does not give.
    #[serde(with = "rows")]
    pub answers: Answers,
    /// Inputs that the first processor answers and this one does not announce, `[leaf, subleaf]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lacking: Vec<[u32; 2]>,
}

/// All processors that are online.
pub fn every_cpu() -> Vec<HostCpu> {
    let mut cpus: Vec<HostCpu> = online().into_iter().map(query).collect();
    let mut cpus_iter = cpus.iter_mut();
    if let Some(first) = cpus_iter.next() {
        cpus_iter.for_each(|other| reduce(first, other));
    }
    cpus
}

impl HostCpu {
    /// All CPUID answers of a processor that is reported as different from `first`.
    pub fn whole_cpuid(&self, first: &HostCpu) -> Option<Answers> {
        let own = self.cpuid.value()?;
        if self.cpu == first.cpu {
            return Some(own.answers.clone());
        }
        let mut answers = first.cpuid.value()?.answers.clone();
        answers.retain(|key, _| !own.lacking.contains(&[key.leaf, key.subleaf]));
        answers.extend(&own.answers);
        Some(answers)
    }
}

/// Leaves of `other` what `first` does not say too.
fn reduce(first: &HostCpu, other: &mut HostCpu) {
    if let (Found::Value(first), Found::Value(other)) = (&first.cpuid, &mut other.cpuid) {
        let gone = first
            .answers
            .keys()
            .filter(|key| !other.answers.contains_key(key));
        other.lacking = gone.map(|key| [key.leaf, key.subleaf]).collect();
        other
            .answers
            .retain(|key, regs| first.answers.get(key) != Some(regs));
    }
    if let (Found::Value(first), Found::Value(other)) = (&first.msrs, &mut other.msrs) {
        other.retain(|index, value| first.get(index) != Some(value));
    }
}

fn query(cpu: usize) -> HostCpu {
    let answers = Found::from(pinned(cpu));
    HostCpu {
        cpu,
        cpuid: answers.map(|answers| Cpuid {
            answers,
            lacking: Vec::new(),
        }),
        msrs: msrs(&Path::new("/dev/cpu").join(cpu.to_string()).join("msr")),
    }
}

/// On a thread of its own, so that the caller's affinity stays as it is.
fn pinned(cpu: usize) -> Result<Answers, Error> {
    let walk_there = || {
        let mut set = CpuSet::new();
        if cpu >= CpuSet::MAX_CPU {
            return Err(Error::other(
                "beyond the processors that sched_setaffinity can name",
            ));
        }
        set.set(cpu);
        sched_setaffinity(None, &set)?;
        Ok(walk(execute))
    };
    std::thread::scope(|scope| {
        let walked = scope.spawn(walk_there).join();
        walked.unwrap_or_else(|_| Err(Error::other("the walk of CPUID panicked")))
    })
}

/// Feature MSRs that say something about a processor: not what the kernel sets for a task or a processor (TSC, debug control,
/// speculation control, KERNEL_GS_BASE, TSC_AUX), nor what cannot be read (FLUSH_CMD), nor a hypervisor's own.
pub fn host_msrs() -> impl Iterator<Item = u32> {
    const LEFT_OUT: [u32; 6] = [0x10, 0x48, 0x10B, 0x1D9, 0xC000_0102, 0xC000_0103];
    let hypervisor = |index: &u32| (0x4000_0000..0x5000_0000).contains(index);
    FEATURE_MSRS
        .into_iter()
        .filter(move |index| !LEFT_OUT.contains(index) && !hypervisor(index))
}

fn msrs(device: &Path) -> Found<BTreeMap<u32, Found<u64>>> {
    Found::from(File::open(device)).map(|file| {
        host_msrs()
            .map(|index| (index, msr(&file, index)))
            .collect()
    })
}

/// drivers: arch/x86/kernel/msr.c, msr_read: EIO where RDMSR faults.
fn msr(file: &File, index: u32) -> Found<u64> {
    let mut bytes = [0; 8];
    match file.read_exact_at(&mut bytes, u64::from(index)) {
        Ok(()) => Found::Value(u64::from_le_bytes(bytes)),
        Err(error) if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => Found::Absent,
        Err(error) => Found::Unreadable(error.to_string()),
    }
}

/// Numbers of the processors that are online; the first one alone where the kernel does not say.
fn online() -> Vec<usize> {
    let list = text(Path::new("/sys/devices/system/cpu/online"));
    list.value()
        .and_then(|list| numbers(list))
        .unwrap_or_else(|| vec![0])
}

/// `0-3,8` → 0, 1, 2, 3, 8.
fn numbers(list: &str) -> Option<Vec<usize>> {
    let mut all = Vec::new();
    for span in list.split(',') {
        let (first, last) = span.split_once('-').unwrap_or((span, span));
        all.extend(first.trim().parse::<usize>().ok()?..=last.trim().parse().ok()?);
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpuid::answers::Key;

    fn cpu(cpu: usize, answers: &[(Key, [u32; 4])]) -> HostCpu {
        let answers = answers.iter().copied().collect();
        let cpuid = Found::Value(Cpuid {
            answers,
            lacking: Vec::new(),
        });
        HostCpu {
            cpu,
            cpuid,
            msrs: Found::Absent,
        }
    }

    #[test]
    fn lists_of_processors_are_read() {
        assert_eq!(numbers("0-2,5"), Some(vec![0, 1, 2, 5]));
        assert_eq!(numbers("x"), None);
    }

    #[test]
    fn a_processor_told_by_its_differences_is_whole_again() {
        let (a, b, c) = (Key::new(0, 0), Key::new(1, 0), Key::new(7, 0));
        let first = cpu(0, &[(a, [1; 4]), (b, [2; 4])]);
        let whole = cpu(1, &[(a, [1; 4]), (c, [3; 4])]);
        let mut reduced = whole.clone();
        reduce(&first, &mut reduced);
        let expected = Cpuid {
            answers: [(c, [3; 4])].into(),
            lacking: vec![[1, 0]],
        };
        assert_eq!(reduced.cpuid, Found::Value(expected));
        assert_eq!(
            reduced.whole_cpuid(&first),
            whole.cpuid.value().map(|own| own.answers.clone())
        );
    }

    #[test]
    fn every_processor_of_this_host_answers() {
        let cpus = every_cpu();
        assert!(
            cpus.iter()
                .all(|cpu| matches!(cpu.cpuid, Found::Value(_)) || cpu.cpu > 0),
            "{cpus:?}"
        );
    }
}
