//! A vCPU's slot in guest RAM: header, frames, stack (see [`fidelity_protocol::slot`]).

use core::ptr::{read_volatile, write_volatile};

use fidelity_protocol::slot as layout;

use crate::boot::CONFIG;

/// The slot of one vCPU, by its address.
#[derive(Clone, Copy)]
pub struct Slot {
    base: usize,
}

impl Slot {
    /// Slot `index`.
    pub fn at(index: u32) -> Slot {
        let base = CONFIG.slot_base + index * CONFIG.slot_size;
        Slot {
            base: base as usize,
        }
    }

    /// The slot whose stack holds `address`, and its index.
    pub fn of_stack(address: usize) -> (u32, Slot) {
        let index = (address as u32 - CONFIG.slot_base) / CONFIG.slot_size;
        (index, Slot::at(index))
    }

    /// Takes the slot for a new stream.
    pub fn begin(self, vcpu: u32, generation: u8) {
        self.write(layout::AT_USED, 0);
        self.write(layout::AT_VCPU, vcpu);
        self.write(layout::AT_GENERATION, u32::from(generation));
        self.write(layout::AT_STATE, layout::RUNNING);
        self.breadcrumb(layout::OP_NONE, 0, 0);
        self.write(layout::AT_MAGIC, layout::MAGIC);
    }

    /// Says which operation begins: what the host sees last of a guest that died.
    pub fn breadcrumb(self, operation: u32, operand: u32, operand2: u32) {
        self.write(layout::AT_OPERAND, operand);
        self.write(layout::AT_OPERAND2, operand2);
        self.write(layout::AT_OP, operation);
    }

    /// Writes a field of the header; `at` is one of the layout's offsets.
    pub fn write(self, at: usize, value: u32) {
        let field = (self.base + at) as *mut u32;
        // SAFETY: a slot lies in identity-mapped RAM that only its vCPU writes; the header is no part of `frames`. Volatile,
        // because the host reads it at any time.
        unsafe { write_volatile(field, value) }
    }

    /// Reads a field of the header.
    pub fn read(self, at: usize) -> u32 {
        let field = (self.base + at) as *const u32;
        // SAFETY: as in `write`; another vCPU's field may change under the read, which a volatile access allows for.
        unsafe { read_volatile(field) }
    }

    /// Room for frames: all between header and stack.
    pub fn frames(self) -> &'static mut [u8] {
        let length = CONFIG.slot_size as usize - layout::HEADER - layout::STACK;
        let start = (self.base + layout::HEADER) as *mut u8;
        // SAFETY: RAM of this slot that neither header nor stack uses. The vCPU's own stream takes it once; the only other
        // takers are the fault path, after which the stream never runs again, and the boot processor once the vCPU is done.
        unsafe { core::slice::from_raw_parts_mut(start, length) }
    }

    /// The finished frames.
    pub fn finished(self) -> &'static [u8] {
        let used = self.read(layout::AT_USED) as usize;
        &self.frames()[..used]
    }
}
