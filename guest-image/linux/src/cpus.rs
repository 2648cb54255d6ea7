//! Every CPU that is online, each asked on itself.

use std::arch::asm;
use std::fs::{self, File};
use std::io::Error;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use fidelity_protocol::entry::{Control, Cpuid, Hello, Register, status};
use fidelity_protocol::frame::{Kind, MODE_LINUX, Phase};
use fidelity_protocol::leaves::FEATURE_MSRS;
use fidelity_protocol::slot::{OP_CPUID, OP_RDMSR};
use fidelity_protocol::walk::walk;
use rustix::thread::{CpuSet, sched_setaffinity};

use crate::area::Area;
use crate::behaviour::{self, Set};
use crate::files;
use crate::stream::Stream;

/// Where the host puts the msr driver and what it needs, numbered in the order in which they are loaded.
const MODULES: &str = "/modules";
/// Vector of #GP: the msr driver answers EIO where RDMSR faults.
const GENERAL_PROTECTION: u8 = 13;

/// Reports every CPU, the first one with what is about the whole machine, and with what the probes of a set do there.
///
/// # Errors
/// The host's memory cannot be written, or a CPU cannot be pinned.
pub fn report(area: &mut Area, probes: &Set) -> Result<(), String> {
    let cpus = online();
    let count = u32::try_from(cpus.len()).unwrap_or(u32::MAX);
    let mut streams = Vec::new();
    for (index, cpu) in cpus.iter().enumerate() {
        streams.push(enabled(area, *cpu, count, index == 0)?);
    }
    // The driver late: it changes the kernel.
    load_modules();
    for (cpu, stream) in cpus.iter().zip(&mut streams) {
        msrs(area, stream, *cpu)?;
    }
    // Last what may kill the guest.
    if let (Some(first), Some(stream)) = (cpus.first(), streams.first_mut()) {
        pin(*first)?;
        behaviour::report(area, stream, probes)?;
    }
    for (index, stream) in streams.into_iter().enumerate() {
        stream.end(area, if index == 0 { count } else { 0 })?;
    }
    area.done()
}

/// What the kernel shows of a CPU, and CPUID on it; of the first one also what is about the whole machine.
fn enabled(area: &mut Area, cpu: usize, count: u32, is_first: bool) -> Result<Stream, String> {
    pin(cpu)?;
    let mut stream = Stream::new(apic_id());
    let hello = Hello {
        mode: MODE_LINUX,
        vcpus: count,
        has_cpuid: 1,
    };
    stream.push(area, Kind::Hello, &hello)?;
    stream.begin_phase(area, Phase::Enabled)?;
    if is_first {
        texts(area, &mut stream, files::machine())?;
    }
    texts(area, &mut stream, files::of_cpu(cpu))?;
    cpuid(area, &mut stream)?;
    if let Some(xcr0) = xcr0() {
        stream.push(area, Kind::Control, &xcr0)?;
    }
    stream.end_phase(area)?;
    Ok(stream)
}

/// XCR0 as the kernel set it, where user space can read it.
fn xcr0() -> Option<Register> {
    const OSXSAVE: u32 = 1 << 27;
    let is_on = execute(1, 0)[2] & OSXSAVE != 0;
    is_on.then(|| {
        let (low, high): (u32, u32);
        // SAFETY: XGETBV of XCR0 has no other effect than these two registers, and runs where CR4.OSXSAVE is on.
        unsafe {
            asm!("xgetbv", in("ecx") 0, out("eax") low, out("edx") high, options(nomem, nostack))
        };
        Register {
            id: Control::Xcr0 as u32,
            status: status::VALUE,
            value: u64::from(high) << 32 | u64::from(low),
        }
    })
}

fn texts(
    area: &mut Area,
    stream: &mut Stream,
    files: Vec<(std::path::PathBuf, Vec<u8>)>,
) -> Result<(), String> {
    for (path, content) in files {
        stream.text(area, &path.to_string_lossy(), &content)?;
    }
    Ok(())
}

fn execute(leaf: u32, subleaf: u32) -> [u32; 4] {
    let result = raw_cpuid::native_cpuid::cpuid_count(leaf, subleaf);
    [result.eax, result.ebx, result.ecx, result.edx]
}

fn cpuid(area: &mut Area, stream: &mut Stream) -> Result<(), String> {
    let mut answers = Vec::new();
    let asked = std::cell::RefCell::new(&mut *area);
    let read = |leaf, subleaf| {
        asked.borrow_mut().breadcrumb(OP_CPUID, leaf, subleaf);
        execute(leaf, subleaf)
    };
    walk(read, |leaf, subleaf, regs| {
        answers.push(Cpuid {
            leaf,
            subleaf,
            regs,
        });
    });
    answers
        .iter()
        .try_for_each(|answer| stream.push(area, Kind::Cpuid, answer))
}

/// The x2APIC ID where leaf 0BH is there, else the initial APIC ID, as the agent has it.
fn apic_id() -> u32 {
    if execute(0, 0)[0] >= 0xB {
        let [_, ebx, _, edx] = execute(0xB, 0);
        if ebx != 0 {
            return edx;
        }
    }
    execute(1, 0)[1] >> 24
}

/// The feature MSRs; no phase at all where the kernel has no msr driver.
fn msrs(area: &mut Area, stream: &mut Stream, cpu: usize) -> Result<(), String> {
    let Ok(device) = File::open(format!("/dev/cpu/{cpu}/msr")) else {
        return Ok(());
    };
    stream.begin_phase(area, Phase::Msrs)?;
    for index in FEATURE_MSRS {
        area.breadcrumb(OP_RDMSR, index, 0);
        let mut bytes = [0; 8];
        let read = device.read_exact_at(&mut bytes, u64::from(index));
        let register = Register {
            id: index,
            status: match read {
                Ok(()) => status::VALUE,
                Err(_) => status::fault(GENERAL_PROTECTION),
            },
            value: u64::from_le_bytes(bytes),
        };
        stream.push(area, Kind::Msr, &register)?;
    }
    stream.end_phase(area)
}

fn load_modules() {
    let entries = fs::read_dir(MODULES).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if let Err(error) = load(&path) {
            eprintln!("init: {}: {error}", path.display());
        }
    }
}

fn load(path: &Path) -> Result<(), Error> {
    rustix::system::init_module(&fs::read(path)?, c"")?;
    Ok(())
}

fn pin(cpu: usize) -> Result<(), String> {
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set).map_err(|error| format!("failed to run on CPU {cpu}: {error}"))
}

/// Numbers of the CPUs that are online; 0 alone where the kernel does not say.
fn online() -> Vec<usize> {
    let text = fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default();
    let cpus = numbers(text.trim());
    if cpus.is_empty() { vec![0] } else { cpus }
}

/// `0-2,5`.
fn numbers(list: &str) -> Vec<usize> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    list.split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn lists_of_cpus_are_read() {
        assert_eq!(numbers("0-2,5"), [0, 1, 2, 5]);
        assert_eq!(numbers("0"), [0]);
        assert!(numbers("").is_empty());
    }
}
