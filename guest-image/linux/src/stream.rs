//! The frames of one CPU.

use fidelity_protocol::entry::{End, Entry, end};
use fidelity_protocol::frame::{Frame, HEADER, Kind, MAX_PAYLOAD, Phase};

use crate::area::Area;

/// Room that is kept free for end marks.
const RESERVE: usize = 4096;

/// A stream under construction: the payload of the open frame.
pub struct Stream {
    vcpu: u32,
    phase: Phase,
    sequence: u16,
    kind: Kind,
    open: Vec<u8>,
    overflow: bool,
}

type Written = Result<(), String>;

impl Stream {
    /// A stream of the CPU with this APIC ID.
    pub fn new(vcpu: u32) -> Stream {
        Stream {
            vcpu,
            phase: Phase::Reset,
            sequence: 0,
            kind: Kind::Hello,
            open: Vec::new(),
            overflow: false,
        }
    }

    /// Appends an entry to the open frame of its kind.
    pub fn push<E: Entry>(&mut self, area: &mut Area, kind: Kind, entry: &E) -> Written {
        if kind != self.kind || self.open.len() + E::SIZE > MAX_PAYLOAD {
            self.flush(area)?;
            self.kind = kind;
        }
        let at = self.open.len();
        self.open.resize(at + E::SIZE, 0);
        entry.encode(&mut self.open[at..]);
        Ok(())
    }

    /// Appends a text in as many pieces as it takes; one of no length says that there is such a text.
    pub fn text(&mut self, area: &mut Area, name: &str, text: &[u8]) -> Written {
        self.flush(area)?;
        let most = MAX_PAYLOAD - name.len() - 1;
        let mut rest = text;
        loop {
            let (piece, more) = rest.split_at(rest.len().min(most));
            self.kind = Kind::Text;
            self.open.extend(name.as_bytes());
            self.open.push(0);
            self.open.extend(piece);
            self.flush(area)?;
            rest = more;
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    /// Starts a phase: every frame from here on names it.
    pub fn begin_phase(&mut self, area: &mut Area, phase: Phase) -> Written {
        self.flush(area)?;
        self.phase = phase;
        self.kind = Kind::PhaseBegin;
        self.seal(area, RESERVE)
    }

    /// Finishes the phase.
    pub fn end_phase(&mut self, area: &mut Area) -> Written {
        self.flush(area)?;
        self.kind = Kind::PhaseEnd;
        self.seal(area, RESERVE)
    }

    /// Finishes the open frame, if there is one.
    pub fn flush(&mut self, area: &mut Area) -> Written {
        if self.open.is_empty() {
            Ok(())
        } else {
            self.seal(area, RESERVE)
        }
    }

    /// Writes the end mark. `vcpus` is as in [`End`].
    pub fn end(mut self, area: &mut Area, vcpus: u32) -> Written {
        self.flush(area)?;
        let end = End {
            frames: u32::from(self.sequence) + 1,
            vcpus,
            flags: if self.overflow { end::OVERFLOW } else { 0 },
        };
        self.kind = Kind::End;
        self.open.resize(End::SIZE, 0);
        end.encode(&mut self.open);
        self.seal(area, 0)
    }

    /// Closes the open frame and hands it over, where there is room.
    fn seal(&mut self, area: &mut Area, reserve: usize) -> Written {
        let payload = std::mem::take(&mut self.open);
        if HEADER + payload.len() + reserve > area.left() {
            self.overflow = true;
            return Ok(());
        }
        let mut bytes = vec![0; HEADER];
        bytes.extend(&payload);
        let frame = Frame {
            kind: self.kind,
            phase: self.phase,
            generation: 0,
            vcpu: self.vcpu,
            sequence: self.sequence,
            payload: &[],
        };
        let length = frame.seal(&mut bytes, payload.len());
        let length = length.ok_or_else(|| format!("a frame of {} bytes", payload.len()))?;
        self.sequence = self.sequence.wrapping_add(1);
        area.append(&bytes[..length])
    }
}
