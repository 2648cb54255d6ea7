//! From the reset vector to Rust, or to the 32-bit agent.

use core::arch::global_asm;
use core::mem::offset_of;

use fidelity_protocol::config::Config;

global_asm!(include_str!("reset.s"), options(att_syntax));
global_asm!(include_str!("setup.s"), options(att_syntax));
global_asm!(include_str!("long.s"), options(att_syntax));

/// What the agent does when the host filled no mailbox.
#[used]
#[unsafe(no_mangle)]
static DEFAULT_CONFIG: Config = Config::DEFAULT;

#[expect(
    improper_ctypes,
    reason = "setup.s copies the mailbox word by word into it; the assertion below holds the order of a pair"
)]
// SAFETY: defined in setup.s, which writes them before any Rust code runs and never after.
unsafe extern "C" {
    /// The mailbox, or the default.
    pub safe static CONFIG: Config;
}

const _: () = assert!(offset_of!((u32, u32), 0) == 0 && offset_of!((u32, u32), 1) == 4);
