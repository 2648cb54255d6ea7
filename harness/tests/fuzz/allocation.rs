//! How much memory a reader takes: the allocator of this program counts, by thread, and refuses what is over the limit.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Cursor, Write as _};

/// Most bytes that reading one input may take.
pub const LIMIT: usize = 256 << 20;

/// Counts what each thread takes.
pub struct Counting;

thread_local! {
    static LIVE: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
    static EXECUTION: Cell<Option<Execution>> = const { Cell::new(None) };
}

/// Which input is being read, for the message of a program that is about to end.
#[derive(Clone, Copy, Debug)]
pub struct Execution {
    /// The reader's name.
    pub reader: &'static str,
    /// What the mutations follow from.
    pub seed: u64,
    /// Its number.
    pub number: u64,
}

/// What `run` gives, and the most bytes that this thread held meanwhile.
pub fn measured<T>(execution: Execution, run: impl FnOnce() -> T) -> (T, usize) {
    LIVE.set(0);
    PEAK.set(0);
    EXECUTION.set(Some(execution));
    let value = run();
    EXECUTION.set(None);
    (value, PEAK.get())
}

/// The most bytes that this thread held since the input began.
pub fn peak() -> usize {
    PEAK.get()
}

/// Whether there is room for `size` bytes more.
fn take(size: usize) -> bool {
    let live = LIVE.get().saturating_add(size);
    if live > LIMIT
        && let Some(execution) = EXECUTION.get()
    {
        report(execution, size);
        return false;
    }
    LIVE.set(live);
    PEAK.set(PEAK.get().max(live));
    true
}

fn give_back(size: usize) {
    LIVE.set(LIVE.get().saturating_sub(size));
}

/// Says which input it was: the program aborts on an allocation that fails. No memory is allocated here.
fn report(execution: Execution, size: usize) {
    let mut line = Cursor::new([0u8; 256]);
    let Execution {
        reader,
        seed,
        number,
    } = execution;
    let _ = writeln!(
        line,
        "{reader}: over {LIMIT} bytes (the next are {size}): CPUID_FIDELITY_FUZZ_SEED={seed} CPUID_FIDELITY_FUZZ_EXECUTION={number}"
    );
    let length = usize::try_from(line.position()).unwrap_or(0);
    let _ = std::io::stderr().write_all(&line.get_ref()[..length]);
}

// SAFETY: every request goes to the system's allocator with the layout that came, or is refused with a null pointer; counting touches
// cells of the thread alone, which have no destructor, and allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !take(layout.size()) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's layout, as it came.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if !take(layout.size()) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's layout, as it came.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        give_back(layout.size());
        // SAFETY: the caller's pointer, which `alloc` of this allocator and so the system's gave.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !take(size.saturating_sub(layout.size())) {
            return std::ptr::null_mut();
        }
        give_back(layout.size().saturating_sub(size));
        // SAFETY: the caller's pointer and layout, as they came.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
