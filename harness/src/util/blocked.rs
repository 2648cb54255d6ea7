//! Signals that end a program by default where a system call also returns an error.

use rustix::process::Signal;

/// The kernel's and every libc's value on x86 (asm-generic/signal-defs.h).
const SIG_BLOCK: i32 = 0;

/// glibc's `sigset_t` has 1024 bits, of which the kernel uses 64; musl's is the same size.
type SigSet = [u64; 16];

unsafe extern "C" {
    fn pthread_sigmask(how: i32, set: *const SigSet, old: *mut SigSet) -> i32;
}

/// Blocks `signal` for this thread and for those that it starts. Programs that it starts have it unblocked: std empties their mask.
///
/// # Errors
/// The kernel refuses.
pub fn block(signal: Signal) -> std::io::Result<()> {
    let mut set: SigSet = [0; 16];
    set[0] = 1 << (signal.as_raw() - 1);
    // SAFETY: `set` is a whole sigset_t, and a null pointer asks for no old mask.
    match unsafe { pthread_sigmask(SIG_BLOCK, &set, std::ptr::null_mut()) } {
        0 => Ok(()),
        number => Err(std::io::Error::from_raw_os_error(number)),
    }
}

/// Makes a file that grows past `ulimit -f` an error of its write, instead of the end of this program (SIGXFSZ, setrlimit(2)), which would
/// leave a part of the file. To be called while there is one thread.
///
/// # Errors
/// The kernel refuses.
pub fn block_file_size() -> std::io::Result<()> {
    block(Signal::XFSZ)
}
