//! Phase `behaviour` in user space: the probes of the agent's table that need no privilege, each behind a breadcrumb.
//!
//! What the kernel left off is off: a fault of what is not enabled is the answer. Whether it is right the host says.

use fidelity_protocol::config::PROBE_WORDS;
use fidelity_protocol::entry::Register;
use fidelity_protocol::frame::{Kind as FrameKind, Phase};
use fidelity_protocol::slot::OP_PROBE;

use crate::area::Area;
use crate::pages::{LINE, PAGE, Pages, RET, code};
use crate::stream::Stream;
use crate::traps::{self, Attempt, attempt};

/// A row of the table, as harness/build/probes.rs writes it; the agent has the same.
pub struct Probe {
    /// The instruction and a RET.
    code: [u8; 12],
    /// EAX before it.
    eax: u32,
    /// ECX before it.
    ecx: u32,
    /// EDX before it.
    edx: u32,
    /// What is asked for.
    kind: Kind,
    /// What is reported: `RESULT_…`.
    result: u8,
    #[expect(dead_code, reason = "the host says which rows are tried")]
    modes: u8,
    #[expect(dead_code, reason = "user space changes no state of the system")]
    state: u8,
}

/// What a row asks for.
enum Kind {
    Run,
    Cr4,
    Xcr0,
    Msr,
    Wrmsr,
    Off,
    On,
    PageNx,
    PageSmep,
    PageSmap,
    PagePku,
    PagePks,
    PageSmepOff,
    PageSmapOff,
    PagePkuOff,
    Size,
}

const STATE_CR4: u8 = 0;
const STATE_MSR: u8 = 1;
const STATE_XCR0: u8 = 2;
const MODE_64: u8 = 1;
const MODE_32: u8 = 2;
const RESULT_NONE: u8 = 0;
const RESULT_EAX: u8 = 1;
const RESULT_ECX: u8 = 2;
const RESULT_LINE: u8 = 3;

include!(concat!(env!("OUT_DIR"), "/probes.rs"));

/// Asks for the state of a component that a process has not by itself (arch_prctl(2)), and the component that may be asked for: AMX's tiles.
const ARCH_REQ_XCOMP_PERM: i32 = 0x1023;
const TILE_DATA: u64 = 18;

/// A set of rows, as the host gives it.
pub type Set = [u32; PROBE_WORDS];

/// Reads `fidelity.probes=SET` off the command line: hexadecimal words, the first rows last. None where there is no such word.
pub fn asked(line: &str) -> Set {
    let mut words = line.split_whitespace();
    let digits = words.find_map(|word| word.strip_prefix("fidelity.probes="));
    let digits = digits.unwrap_or_default().as_bytes();
    let mut set = [0; PROBE_WORDS];
    for (word, digits) in set.iter_mut().zip(digits.rchunks(8)) {
        let text = std::str::from_utf8(digits).unwrap_or_default();
        *word = u32::from_str_radix(text, 16).unwrap_or(0);
    }
    set
}

/// Tries the rows of a set on the CPU that this runs on; no phase where there are none.
///
/// # Errors
/// There is no memory for them, or the host's cannot be written.
pub fn report(area: &mut Area, stream: &mut Stream, set: &Set) -> Result<(), String> {
    if set.iter().all(|word| *word == 0) {
        return Ok(());
    }
    let scratch = Scratch::new()?;
    traps::catch()?;
    ask_for_tiles();
    stream.begin_phase(area, Phase::Behaviour)?;
    for (id, probe) in (0u32..).zip(&PROBES) {
        let row = id as usize;
        if set[row / 32] >> (row % 32) & 1 == 0 {
            continue;
        }
        area.breadcrumb(OP_PROBE, id, 0);
        let attempt = scratch.attempt(row, probe);
        let entry = Register {
            id,
            status: u32::try_from(attempt.status).unwrap_or(u32::MAX),
            value: attempt.value,
        };
        stream.push(area, FrameKind::Probe, &entry)?;
        // A probe that kills the guest leaves all earlier answers behind.
        stream.flush(area)?;
    }
    stream.end_phase(area)
}

/// A process has AMX's tiles where it asked for them. A kernel or a CPU without them refuses, which is no answer to any probe.
fn ask_for_tiles() {
    // SAFETY: takes numbers alone.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, TILE_DATA) };
}

/// What probes execute and touch.
struct Scratch {
    code: u64,
    line: std::cell::RefCell<Pages>,
}

impl Scratch {
    fn new() -> Result<Scratch, String> {
        let rows: Vec<u8> = PROBES.iter().flat_map(|probe| probe.code).collect();
        Ok(Scratch {
            code: code(&rows)?,
            // XSAVE's legacy area and header lie behind the line, and FXSAVE's.
            line: Pages::new(PAGE, Some(LINE))?.into(),
        })
    }

    fn attempt(&self, row: usize, probe: &Probe) -> Attempt {
        match probe.kind {
            Kind::Run => self.run(row, probe),
            Kind::PageNx => no_execute().unwrap_or(Attempt::not_tried()),
            Kind::PagePku => locked().unwrap_or(Attempt::not_tried()),
            Kind::Size => xsave_size().unwrap_or(Attempt::not_tried()),
            _ => Attempt::not_tried(),
        }
    }

    fn run(&self, row: usize, probe: &Probe) -> Attempt {
        let mut line = self.line.borrow_mut();
        line.bytes_mut()[..64].fill(0);
        let target = self.code + (row * probe.code.len()) as u64;
        let attempt = attempt(target, LINE, probe.registers());
        let value = match probe.result {
            RESULT_EAX => attempt.value & 0xFFFF_FFFF,
            RESULT_ECX => attempt.value >> 32,
            RESULT_LINE => first_word(line.bytes_mut()),
            _ => 0,
        };
        if attempt.succeeded() {
            Attempt { value, ..attempt }
        } else {
            attempt
        }
    }
}

impl Probe {
    /// EAX, ECX and EDX before it. A register that is reported, and that is no input, holds what no probe leaves there.
    fn registers(&self) -> [u32; 3] {
        let marked = |value: u32, is_result: bool| match (value, is_result) {
            (0, true) => u32::MAX,
            (value, _) => value,
        };
        let eax = marked(self.eax, self.result == RESULT_EAX);
        let ecx = marked(self.ecx, self.result == RESULT_ECX);
        [eax, ecx, self.edx]
    }
}

fn first_word(bytes: &[u8]) -> u64 {
    u64::from(u16::from_le_bytes([bytes[0], bytes[1]]))
}

/// Executes a RET in a page that may not be executed.
fn no_execute() -> Option<Attempt> {
    let mut page = Pages::new(PAGE, None).ok()?;
    page.bytes_mut()[0] = RET;
    Some(ran(attempt(page.address(), LINE, [0; 3])))
}

/// Reads a page whose key allows no access.
fn locked() -> Option<Attempt> {
    let page = Pages::new(PAGE, None).ok()?;
    page.lock_with_key()
        .then(|| ran(attempt(traps::read(), page.address(), [0; 3])))
}

/// A bit of state that did not stop an access is one that works no more than it is there.
fn ran(attempt: Attempt) -> Attempt {
    if attempt.succeeded() {
        Attempt::value(1)
    } else {
        attempt
    }
}

/// How far XSAVE of all enabled components writes, from the start of its area.
fn xsave_size() -> Option<Attempt> {
    const FILL: u8 = 0xA5;
    let most = raw_cpuid::native_cpuid::cpuid_count(0xD, 0).ecx as usize;
    let mut area = Pages::new(most.clamp(576, 1 << 20) + 64, None).ok()?;
    let address = area.address();
    area.bytes_mut().fill(FILL);
    // The header must be 0 before XSAVE reads it (SDM vol. 1, 13.7).
    area.bytes_mut()[512..576].fill(0);
    let attempt = attempt(traps::xsave(), address, [u32::MAX, 0, u32::MAX]);
    if !attempt.succeeded() {
        return Some(attempt);
    }
    let untouched = |word: &[u8]| *word == [FILL; 8];
    let last = area
        .bytes_mut()
        .chunks_exact(8)
        .rposition(|word| !untouched(word));
    let last = last.map_or(0, |index| 8 * (index as u64 + 1));
    Some(Attempt::value(last))
}

#[cfg(test)]
mod tests {
    use fidelity_protocol::entry::status;

    use super::*;

    #[test]
    fn the_rows_to_try_are_read_off_the_command_line() {
        let set = asked("quiet fidelity.probes=80000001deadbeef panic=-1");
        assert_eq!(set[..3], [0xDEAD_BEEF, 0x8000_0001, 0]);
        assert_eq!(asked("quiet"), [0; PROBE_WORDS]);
        assert_eq!(asked("fidelity.probes=rubbish"), [0; PROBE_WORDS]);
    }

    #[test]
    fn a_register_that_is_reported_holds_a_mark_before() {
        let rdtscp = PROBES.iter().find(|probe| probe.result == RESULT_ECX);
        assert_eq!(rdtscp.expect("rdtscp").registers(), [0, u32::MAX, 0]);
    }

    #[test]
    fn what_is_reported_of_a_row_is_what_its_answer_names() {
        let count = |result| PROBES.iter().filter(|probe| probe.result == result).count();
        // SGDT and SIDT; RDTSCP.
        assert_eq!((count(RESULT_LINE), count(RESULT_ECX)), (2, 1));
    }

    #[test]
    fn what_this_processor_lacks_raises_an_exception_and_what_it_has_runs() {
        traps::catch().expect("handlers");
        let run = |bytes: &[u8]| {
            let target = code(bytes).expect("code");
            attempt(target, LINE, [0; 3])
        };
        assert!(run(&[RET]).succeeded());
        let undefined = run(&[0x0F, 0x0B, RET]);
        assert_eq!(undefined.status, u64::from(status::fault(6)));
        // HLT is for ring 0.
        assert_eq!(run(&[0xF4, RET]).status, u64::from(status::fault(13)));
        let forbidden = no_execute().expect("a page");
        assert_eq!(forbidden.status, u64::from(status::fault(14)));
        let size = xsave_size().expect("pages");
        assert!(size.value >= 512 || !size.succeeded(), "{size:?}");
    }
}
