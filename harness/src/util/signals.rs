//! Signals: which end the run's waits, which are left alone, and what a process that is started here gets.

use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use super::cancel::Cancel;

/// What asks a process to end.
pub(super) const ENDINGS: [Signal; 3] = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM];

/// The last of the kernel's signals on x86.
const LAST: i32 = 64;

static SWITCH: OnceLock<Cancel> = OnceLock::new();

/// Since when [`CONTINUED`] counts.
static BEGIN: OnceLock<Instant> = OnceLock::new();
/// The switch that Ctrl-C throws, for waits that nobody can hand it to; `None` where Ctrl-C ends the process.
pub fn switch() -> Option<&'static Cancel> {
    SWITCH.get()
}

/// When this process last went on after a stop, in nanoseconds since [`BEGIN`]; 0 for never.
static CONTINUED: AtomicU64 = AtomicU64::new(0);

/// Has SIGINT, SIGTERM and SIGHUP throw `cancel` from now on. One that was ignored when this program was started stays ignored:
/// `nohup` ignores SIGHUP, and a shell ignores SIGINT for what a script starts in the background. A stop (SIGSTOP) is noted as well, for
/// deadlines. Only the first call has an effect.
///
/// # Errors
/// The kernel refuses.
pub fn listen(cancel: &Cancel) -> std::io::Result<()> {
    if SWITCH.set(cancel.clone()).is_err() {
        return Ok(());
    }
    for signal in ENDINGS {
        if !is_ignored(signal)? {
            handle(signal, throw)?;
        }
    }
    BEGIN.get_or_init(Instant::now);
    handle(Signal::SIGCONT, note)
}

/// When this process last went on after a stop.
pub(super) fn continued() -> Option<Instant> {
    let nanoseconds = CONTINUED.load(Ordering::Relaxed);
    let begin = BEGIN.get().filter(|_| nanoseconds > 0)?;
    begin.checked_add(Duration::from_nanos(nanoseconds))
}

/// Blocks `signal` for this thread and for those that it starts. Programs that it starts have it unblocked ([`set_defaults`]).
///
/// # Errors
/// The kernel refuses.
pub fn block(signal: Signal) -> std::io::Result<()> {
    Ok(SigSet::from(signal).thread_block()?)
}

/// Makes a file that grows past `ulimit -f` an error of its write, instead of the end of this program (SIGXFSZ, setrlimit(2)), which would
/// leave a part of the file. To be called while there is one thread.
///
/// # Errors
/// The kernel refuses.
pub fn block_file_size() -> std::io::Result<()> {
    block(Signal::SIGXFSZ)
}

/// Gives every signal its default effect and blocks none: what a shell gives its commands. Makes only system calls, so that it may be
/// called between fork and exec.
///
/// # Errors
/// The kernel refuses.
pub fn set_defaults() -> std::io::Result<()> {
    let fixed = [Signal::SIGKILL as i32, Signal::SIGSTOP as i32];
    for signal in (1..=LAST).filter(|signal| !fixed.contains(signal)) {
        set_default(signal)?;
    }
    Ok(SigSet::empty().thread_set_mask()?)
}

/// Gives one signal its default effect. It is asked of the kernel, because libc keeps two of them for itself, which may be ignored too.
pub(super) fn set_default(signal: i32) -> std::io::Result<()> {
    let action = [libc::SIG_DFL as u64; 4];
    // SAFETY: the kernel's `struct sigaction` is four words on x86-64 (handler, flags, restorer, mask), which it only reads, and the
    // default effect runs no code of this program.
    let failed = unsafe {
        libc::syscall(
            libc::SYS_rt_sigaction,
            signal,
            action.as_ptr(),
            ptr::null::<u64>(),
            size_of::<u64>(),
        )
    };
    if failed == 0 {
        return Ok(());
    }
    Err(std::io::Error::last_os_error())
}

/// Whether a signal has no effect on this process.
fn is_ignored(signal: Signal) -> std::io::Result<bool> {
    let mut old = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: a null pointer changes nothing, and `old` has room for what the kernel writes.
    if unsafe { libc::sigaction(signal as i32, ptr::null(), old.as_mut_ptr()) } != 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the call was successful, so `old` is written.
    Ok(unsafe { old.assume_init() }.sa_sigaction == libc::SIG_IGN)
}

fn handle(signal: Signal, handler: extern "C" fn(i32)) -> std::io::Result<()> {
    let handler = SigHandler::Handler(handler);
    let action = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: each handler here reads what was set before it was installed, and makes one system call or stores a number.
    unsafe { sigaction(signal, &action) }?;
    Ok(())
}

extern "C" fn throw(_: i32) {
    if let Some(cancel) = SWITCH.get() {
        cancel.throw();
    }
}

extern "C" fn note(_: i32) {
    if let Some(begin) = BEGIN.get() {
        let nanoseconds = u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        CONTINUED.store(nanoseconds, Ordering::Relaxed);
    }
}
