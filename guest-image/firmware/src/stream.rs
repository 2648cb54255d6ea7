//! The frames of one vCPU, written straight into its slot.

use core::sync::atomic::{Ordering, compiler_fence};

use fidelity_protocol::entry::{End, Entry, Fault, end};
use fidelity_protocol::frame::{Frame, HEADER, Kind, MAX_PAYLOAD, Phase};
use fidelity_protocol::slot as layout;

use crate::slot::Slot;

/// Room that is kept free for the frames a stream may end with: a fault and the end mark.
pub const RESERVE: usize = HEADER + Fault::SIZE + HEADER + End::SIZE;

/// A stream under construction: finished frames, then the payload of the open one.
pub struct Stream {
    slot: Slot,
    buffer: &'static mut [u8],
    /// Bytes of finished frames.
    used: usize,
    /// Bytes of payload in the open frame.
    open: usize,
    /// What the open frame carries.
    kind: Kind,
    phase: Phase,
    vcpu: u32,
    generation: u8,
    sequence: u16,
    overflow: bool,
}

impl Stream {
    /// Starts a stream in `slot`.
    pub fn begin(slot: Slot, vcpu: u32, generation: u8) -> Stream {
        slot.begin(vcpu, generation);
        Stream {
            slot,
            buffer: slot.frames(),
            used: 0,
            open: 0,
            kind: Kind::Hello,
            phase: Phase::Reset,
            vcpu,
            generation,
            sequence: 0,
            overflow: false,
        }
    }

    /// Takes over the stream of a vCPU that faulted, from what its slot says: the frames finished until then.
    pub fn recover(slot: Slot) -> Stream {
        let vcpu = slot.read(layout::AT_VCPU);
        let generation = slot.read(layout::AT_GENERATION) as u8;
        let used = slot.read(layout::AT_USED) as usize;
        let mut stream = Stream {
            slot,
            buffer: slot.frames(),
            used,
            open: 0,
            kind: Kind::Fault,
            phase: Phase::Reset,
            vcpu,
            generation,
            sequence: 0,
            overflow: false,
        };
        let mut at = 0;
        while let Ok((frame, length)) = Frame::read(&stream.buffer[at..used]) {
            stream.phase = frame.phase;
            stream.sequence = frame.sequence + 1;
            at += length;
        }
        stream
    }

    /// Appends an entry to the open frame of its kind.
    pub fn push<E: Entry>(&mut self, kind: Kind, entry: &E) {
        if kind != self.kind || self.open + E::SIZE > MAX_PAYLOAD {
            self.flush();
            self.kind = kind;
        }
        let at = self.used + HEADER + self.open;
        if self.overflow || at + E::SIZE + RESERVE > self.buffer.len() {
            self.overflow = true;
            return;
        }
        entry.encode(&mut self.buffer[at..at + E::SIZE]);
        self.open += E::SIZE;
    }

    /// Starts a phase: every frame from here on names it.
    pub fn begin_phase(&mut self, phase: Phase) {
        self.flush();
        self.phase = phase;
        self.mark(Kind::PhaseBegin);
    }

    /// Finishes the phase.
    pub fn end_phase(&mut self) {
        self.flush();
        self.mark(Kind::PhaseEnd);
    }

    /// Finishes the open frame, if there is one.
    pub fn flush(&mut self) {
        if self.open > 0 {
            self.seal();
        }
    }

    /// Writes the frame of a fault.
    pub fn fault(&mut self, fault: &Fault) {
        self.last(Kind::Fault, fault);
    }

    /// Writes the end mark. `vcpus` is as in [`End`].
    pub fn end(&mut self, vcpus: u32) {
        self.flush();
        let end = End {
            frames: u32::from(self.sequence) + 1,
            vcpus,
            flags: if self.overflow { end::OVERFLOW } else { 0 },
        };
        self.last(Kind::End, &end);
    }

    /// A frame for which room was kept.
    fn last<E: Entry>(&mut self, kind: Kind, entry: &E) {
        self.kind = kind;
        let at = self.used + HEADER;
        entry.encode(&mut self.buffer[at..at + E::SIZE]);
        self.open = E::SIZE;
        self.seal();
    }

    /// A frame without payload.
    fn mark(&mut self, kind: Kind) {
        self.kind = kind;
        if self.overflow || self.used + HEADER + RESERVE > self.buffer.len() {
            self.overflow = true;
            return;
        }
        self.seal();
    }

    /// Closes the open frame and tells the host.
    fn seal(&mut self) {
        let frame = Frame {
            kind: self.kind,
            phase: self.phase,
            generation: self.generation,
            vcpu: self.vcpu,
            sequence: self.sequence,
            payload: &[],
        };
        if let Some(length) = frame.seal(&mut self.buffer[self.used..], self.open) {
            self.used += length;
            self.sequence += 1;
        }
        self.open = 0;
        // The host may look at any moment: the bytes first, then their count. x86 keeps stores in order.
        compiler_fence(Ordering::Release);
        self.slot.write(layout::AT_USED, self.used as u32);
    }
}
