//! Exceptions of user space, which arrive as signals: a probe is called, and its signal becomes an answer.

use std::arch::global_asm;
use std::io::Error;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

use fidelity_protocol::entry::status;

global_asm!(include_str!("probe.s"), options(att_syntax));

/// The signals that exceptions become (arch/x86/kernel/traps.c), with the vector where the kernel names none.
const SIGNALS: [(i32, u8); 5] = [
    (libc::SIGILL, 6),
    (libc::SIGSEGV, 13),
    (libc::SIGBUS, 17),
    (libc::SIGFPE, 16),
    (libc::SIGTRAP, 3),
];
/// Vectors that are exceptions.
const EXCEPTIONS: i64 = 32;

/// What a probe did.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Attempt {
    /// EAX, and ECX above it; 0 after an exception.
    pub value: u64,
    /// As in [`fidelity_protocol::entry::Register`].
    pub status: u64,
}

// SAFETY: defined in probe.s with this signature, and `PROBE_STACK` with this type. Whatever a target raises is caught below and becomes a
// status. A target is a snippet or a row of the table; it writes no memory but the scratch pages that it is given.
unsafe extern "sysv64" {
    safe fn try_probe(target: u64, line: u64, eax: u32, ecx: u32, edx: u32) -> Attempt;
    safe fn probe_faulted();
    safe fn snippet_read();
    safe fn snippet_xsave();
    safe static PROBE_STACK: AtomicU64;
}

impl Attempt {
    /// It ran; this is what is reported of it.
    pub fn value(value: u64) -> Attempt {
        let status = u64::from(status::VALUE);
        Attempt { value, status }
    }

    /// What it needs could not be set.
    pub fn not_tried() -> Attempt {
        Attempt {
            value: 0,
            status: u64::from(status::NOT_TRIED),
        }
    }

    /// Whether it ran.
    pub fn succeeded(self) -> bool {
        self.status == u64::from(status::VALUE)
    }
}

/// The address of a snippet that reads from the line.
pub fn read() -> u64 {
    snippet_read as *const () as u64
}

/// The address of a snippet that saves all components there.
pub fn xsave() -> u64 {
    snippet_xsave as *const () as u64
}

/// Calls the code at `target` with `line` in RDI and three registers; it ends with RET.
pub fn attempt(target: u64, line: u64, [eax, ecx, edx]: [u32; 3]) -> Attempt {
    try_probe(target, line, eax, ecx, edx)
}

/// Has exceptions of probes caught.
///
/// # Errors
/// The kernel refuses a handler.
pub fn catch() -> Result<(), String> {
    SIGNALS.iter().try_for_each(|(signal, _)| {
        let handler: extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void) = caught;
        // SAFETY: all of this struct may be 0.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = handler as usize;
        action.sa_flags = libc::SA_SIGINFO;
        // SAFETY: `action` is whole, and the handler does nothing but change its context.
        match unsafe { libc::sigaction(*signal, &raw const action, ptr::null_mut()) } {
            0 => Ok(()),
            _ => Err(format!(
                "failed to catch signal {signal}: {}",
                Error::last_os_error()
            )),
        }
    })
}

/// Has a probe go on at `probe_faulted`. A signal of /init itself takes its usual course when the instruction is executed again.
extern "C" fn caught(signal: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let stack = PROBE_STACK.load(Ordering::Relaxed);
    if stack == 0 {
        // SAFETY: the usual effect of a signal needs no handler.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
        return;
    }
    // SAFETY: the kernel hands a handler with SA_SIGINFO its context, which nobody else sees.
    let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
    let registers = &mut context.uc_mcontext.gregs;
    let trap = registers[libc::REG_TRAPNO as usize];
    registers[libc::REG_R8 as usize] = i64::from(status::fault(vector(signal, trap)));
    registers[libc::REG_RSP as usize] = stack.cast_signed();
    registers[libc::REG_RIP as usize] = probe_faulted as *const () as i64;
}

/// The exception's vector, as the kernel names it.
fn vector(signal: i32, trap: i64) -> u8 {
    let named = u8::try_from(trap)
        .ok()
        .filter(|_| (0..EXCEPTIONS).contains(&trap));
    let usual = SIGNALS.iter().find(|(known, _)| *known == signal);
    named
        .or(usual.map(|(_, vector)| *vector))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_is_told_by_its_vector_or_else_by_its_signal() {
        assert_eq!(vector(libc::SIGSEGV, 14), 14);
        assert_eq!(vector(libc::SIGFPE, 0), 0);
        assert_eq!(vector(libc::SIGILL, 99), 6);
        assert_eq!(vector(libc::SIGSEGV, -1), 13);
    }
}
