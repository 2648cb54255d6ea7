//! Bits of control registers and MSRs that are changed, put to use and put back. No closures: under TCG each copy of this code that the
//! compiler made would have to be translated.

use core::sync::atomic::{AtomicU64, Ordering};

use fidelity_protocol::entry::status;
use x86_64::registers::control::Cr4;

use crate::cpu::{self, Attempt};
use crate::memory::LINE;

pub const STATE_CR4: u8 = 0;
pub const STATE_MSR: u8 = 1;
pub const STATE_XCR0: u8 = 2;
pub const STATE_PKRU: u8 = 3;

/// XCR0 as the probes found it. It is remembered, for there are KVMs that end the guest at XGETBV ([`FLAG_NO_XCR0`]).
///
/// [`FLAG_NO_XCR0`]: fidelity_protocol::config::FLAG_NO_XCR0
pub static XCR0: AtomicU64 = AtomicU64::new(0);

// SAFETY: defined in behaviour.s with these signatures; whatever fault a probe raises is caught there and becomes a status. No row of the
// table writes memory but the scratch line or the stack below. `try_in_state` puts the state back.
unsafe extern "sysv64" {
    pub safe fn try_probe(target: u32, line: u64, eax: u32, ecx: u32, edx: u32) -> Attempt;
    safe fn try_in_state(
        target: u32,
        address: u64,
        state: u32,
        index: u32,
        meanwhile: u64,
        before: u64,
    ) -> Attempt;
    safe fn snippet_wrpkru();
}

/// Bits that are to be set or clear.
pub struct Change {
    /// `STATE_…`.
    pub state: u8,
    /// Of an MSR.
    pub index: u32,
    pub mask: u64,
    pub is_set: bool,
}

/// What is executed then, and the value that says that it ran.
pub struct Try {
    pub target: u32,
    /// Goes into RDI.
    pub address: u64,
    pub value: u64,
}

impl Change {
    pub const fn cr4(mask: u64, is_set: bool) -> Change {
        Change {
            state: STATE_CR4,
            index: 0,
            mask,
            is_set,
        }
    }

    pub const fn msr(index: u32, mask: u64, is_set: bool) -> Change {
        Change {
            state: STATE_MSR,
            index,
            mask,
            is_set,
        }
    }

    fn read(&self) -> Attempt {
        match self.state {
            STATE_CR4 => Attempt::value(Cr4::read_raw()),
            STATE_MSR => cpu::try_rdmsr(self.index),
            STATE_XCR0 => Attempt::value(XCR0.load(Ordering::Relaxed)),
            _ => Attempt::value(0),
        }
    }

    fn write(&self, value: u64) -> Attempt {
        match self.state {
            STATE_CR4 => cpu::try_write_cr4(value),
            STATE_MSR => cpu::try_wrmsr(self.index, value),
            STATE_XCR0 => cpu::try_xsetbv(value),
            _ => {
                let target = snippet_wrpkru as *const () as usize as u32;
                try_probe(target, LINE as u64, value as u32, 0, 0)
            }
        }
    }

    /// Whether what was written can be read again; XCR0 and PKRU take all or fault.
    fn holds(&self, wanted: u64) -> bool {
        self.state >= STATE_XCR0 || self.read().value & self.mask == wanted & self.mask
    }
}

/// Makes the changes one after the other, executes, and puts all back. Without anything to execute the answer is that of the last change:
/// its fault, or whether the bits were found as wanted; with it, nothing is tried where a change cannot be made.
#[inline(never)]
pub fn with(changes: &[Change], then: Option<Try>) -> Attempt {
    let Some((change, rest)) = changes.split_first() else {
        return then.map_or(Attempt::value(1), Try::attempt);
    };
    let before = change.read();
    let wanted = if change.is_set {
        before.value | change.mask
    } else {
        before.value & !change.mask
    };
    let is_needed = before.succeeded() && wanted != before.value;
    if let (Some(then), true) = (&then, is_needed && !change.is_set && rest.is_empty()) {
        return then.attempt_without(change, wanted, before.value);
    }
    let written = if is_needed {
        change.write(wanted)
    } else {
        before
    };
    let found = stuck(written, !is_needed || change.holds(wanted));
    let answer = match then {
        None if rest.is_empty() => found,
        _ if found.value == 0 => not_tried(),
        then => with(rest, then),
    };
    if is_needed && written.succeeded() {
        _ = change.write(before.value);
    }
    answer
}

impl Try {
    fn attempt(self) -> Attempt {
        self.answer(try_probe(self.target, self.address, 0, 0, 0))
    }

    /// While bits are clear. That they are is not looked at: an instruction that needs them and runs is the answer.
    fn attempt_without(&self, change: &Change, meanwhile: u64, before: u64) -> Attempt {
        let state = u32::from(change.state);
        let (target, address) = (self.target, self.address);
        self.answer(try_in_state(
            target,
            address,
            state,
            change.index,
            meanwhile,
            before,
        ))
    }

    fn answer(&self, attempt: Attempt) -> Attempt {
        let value = if attempt.succeeded() { self.value } else { 0 };
        Attempt { value, ..attempt }
    }
}

/// The answer to a write: its fault, or whether the bits were found as wanted.
pub fn stuck(written: Attempt, is_found: bool) -> Attempt {
    Attempt {
        value: u64::from(written.succeeded() && is_found),
        ..written
    }
}

pub fn not_tried() -> Attempt {
    Attempt::fault(status::NOT_TRIED)
}
