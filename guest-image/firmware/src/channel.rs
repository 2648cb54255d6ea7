//! The port channel: finished frames go through the debug port, where the host asks for that.

use core::sync::atomic::Ordering;

use fidelity_protocol::config::FLAG_PORT;

use crate::boot::CONFIG;
use crate::slot::Slot;
use crate::{port, processors};

/// Sends what the boot processor has finished since the last time, on the port channel.
pub fn send_new(slot: Slot) {
    if CONFIG.flags & FLAG_PORT != 0 {
        let frames = slot.finished();
        let sent = processors::SENT.swap(frames.len() as u32, Ordering::Relaxed) as usize;
        port::send(&frames[sent..]);
    }
}

/// Sends the frames of an application processor that is done, on the port channel.
pub fn send_all(slot: Slot) {
    if CONFIG.flags & FLAG_PORT != 0 {
        port::send(slot.finished());
    }
}
