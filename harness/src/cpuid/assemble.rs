//! Frames → [`Dump`].

use std::collections::BTreeMap;

use fidelity_protocol::entry::{self, Control, Entry, end, status};
use fidelity_protocol::frame::{Frame, FrameError, Kind, Phase};

use super::answers::Key;
use super::dump::{Dump, PhaseDump, Reading, Run, Vcpu};
use super::probes::PROBES;
use super::tried::Tried;

/// What is wrong with the bytes of a guest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// No vCPU wrote anything.
    #[error("the agent reported nothing")]
    Empty,
    /// Bytes that are not a frame.
    #[error("garbled dump at byte {at}: {error}")]
    Frame {
        /// Offset in the stream.
        at: usize,
        /// What is wrong there.
        error: FrameError,
    },
    /// A frame missing, repeated or out of order.
    #[error("vCPU {vcpu:#x}: frame {found} where {expected} was due")]
    Sequence {
        /// APIC ID.
        vcpu: u32,
        /// Sequence number due.
        expected: u16,
        /// Sequence number found.
        found: u16,
    },
    /// A well-formed frame that makes no sense.
    #[error("vCPU {vcpu:#x}, phase {phase}: {problem}")]
    Nonsense {
        /// APIC ID.
        vcpu: u32,
        /// Phase of the frame.
        phase: &'static str,
        /// What makes no sense.
        problem: String,
    },
    /// An exception in the agent that no fix-up expected.
    #[error("vCPU {vcpu:#x}: exception {vector} at {ip:#x} in phase {phase}")]
    Fault {
        /// APIC ID.
        vcpu: u32,
        /// Phase it struck in.
        phase: &'static str,
        /// Exception vector.
        vector: u32,
        /// Instruction pointer.
        ip: u64,
    },
    /// The stream stops before its end mark.
    #[error("the dump ends in phase {phase} of vCPU {vcpu:#x}, without an end mark")]
    Unfinished {
        /// APIC ID.
        vcpu: u32,
        /// Phase that had begun last.
        phase: &'static str,
    },
    /// Fewer vCPUs than the agent says.
    #[error("{found} vCPUs reported where the agent counted {counted}")]
    MissingVcpus {
        /// Streams found.
        found: usize,
        /// What the boot processor's end mark says.
        counted: u32,
    },
    /// The agent ran out of room.
    #[error("vCPU {vcpu:#x} ran out of room: frames were dropped")]
    Overflow {
        /// APIC ID.
        vcpu: u32,
    },
}

/// A dump as far as it goes, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assembled {
    /// All that was delivered whole.
    pub dump: Dump,
    /// The first thing wrong, `None` for a whole dump.
    pub error: Option<StreamError>,
}

/// Joins the streams of a guest: one a vCPU from its slots, or one with all vCPUs' frames from the debug port.
pub fn assemble<'a>(streams: impl IntoIterator<Item = &'a [u8]>) -> Assembled {
    let mut builder = Builder::default();
    let mut error = None;
    for stream in streams {
        let result = builder.stream(stream);
        error = error.or(result.err());
    }
    error = error.or_else(|| builder.finish().err());
    Assembled {
        dump: builder.into_dump(),
        error,
    }
}

/// A vCPU's stream so far.
#[derive(Default)]
struct Partial {
    next: u16,
    current: Option<Phase>,
    ended: Option<entry::End>,
    vcpu: Vcpu,
}

#[derive(Default)]
struct Builder {
    /// In the order in which they first spoke: the boot processor first.
    order: Vec<u32>,
    vcpus: BTreeMap<u32, Partial>,
    hello: Option<entry::Hello>,
    generation: Option<u8>,
}

impl Builder {
    fn stream(&mut self, bytes: &[u8]) -> Result<(), StreamError> {
        let mut at = 0;
        while at < bytes.len() {
            let (frame, length) =
                Frame::read(&bytes[at..]).map_err(|error| StreamError::Frame { at, error })?;
            self.frame(&frame)?;
            at += length;
        }
        Ok(())
    }

    fn frame(&mut self, frame: &Frame<'_>) -> Result<(), StreamError> {
        if !self.vcpus.contains_key(&frame.vcpu) {
            self.order.push(frame.vcpu);
        }
        let generation = *self.generation.get_or_insert(frame.generation);
        let partial = self.vcpus.entry(frame.vcpu).or_default();
        partial.vcpu.apic_id = frame.vcpu;
        if frame.sequence != partial.next {
            return Err(StreamError::Sequence {
                vcpu: frame.vcpu,
                expected: partial.next,
                found: frame.sequence,
            });
        }
        partial.next = partial.next.wrapping_add(1);
        if generation != frame.generation {
            return Err(nonsense(frame, format!("generation {}", frame.generation)));
        }
        if partial.ended.is_some() {
            return Err(nonsense(frame, "a frame behind the end mark".into()));
        }
        match frame.kind {
            Kind::Hello => self.hello(frame),
            _ => partial.frame(frame),
        }
    }

    fn hello(&mut self, frame: &Frame<'_>) -> Result<(), StreamError> {
        let hello: entry::Hello = single(frame)?;
        let first = *self.hello.get_or_insert(hello);
        if frame.sequence != 0 || first != hello {
            return Err(nonsense(frame, format!("unexpected greeting {hello:?}")));
        }
        Ok(())
    }

    fn finish(&self) -> Result<(), StreamError> {
        let boot = self.order.first().ok_or(StreamError::Empty)?;
        for partial in self.order.iter().map(|id| &self.vcpus[id]) {
            partial.finish()?;
        }
        let counted = self.vcpus[boot].ended.map_or(0, |ended| ended.vcpus);
        if counted as usize != self.vcpus.len() {
            return Err(StreamError::MissingVcpus {
                found: self.vcpus.len(),
                counted,
            });
        }
        Ok(())
    }

    fn into_dump(mut self) -> Dump {
        let mut order = std::mem::take(&mut self.order);
        if let Some(others) = order.get_mut(1..) {
            others.sort_unstable();
        }
        let vcpus = order.iter().filter_map(|id| self.vcpus.remove(id));
        Dump {
            mode: self.hello.map_or(0, |hello| hello.mode),
            has_cpuid: self.hello.is_some_and(|hello| hello.has_cpuid != 0),
            vcpus: vcpus.map(|partial| partial.vcpu).collect(),
        }
    }
}

impl Partial {
    fn frame(&mut self, frame: &Frame<'_>) -> Result<(), StreamError> {
        match frame.kind {
            Kind::PhaseBegin => return self.begin(frame),
            Kind::End => return self.end(frame),
            Kind::Fault => return Err(fault(frame, &single(frame)?)),
            _ => {}
        }
        if self.current != Some(frame.phase) {
            return Err(nonsense(frame, "a frame outside its phase".into()));
        }
        let phase = self.vcpu.phases.entry(frame.phase).or_default();
        match frame.kind {
            Kind::PhaseEnd => {
                phase.complete = true;
                self.current = None;
                Ok(())
            }
            _ => fill(phase, frame),
        }
    }

    fn begin(&mut self, frame: &Frame<'_>) -> Result<(), StreamError> {
        if self.current.is_some() || self.vcpu.phases.contains_key(&frame.phase) {
            return Err(nonsense(frame, "the phase begins twice".into()));
        }
        self.current = Some(frame.phase);
        self.vcpu.phases.insert(frame.phase, PhaseDump::default());
        Ok(())
    }

    fn end(&mut self, frame: &Frame<'_>) -> Result<(), StreamError> {
        let ended: entry::End = single(frame)?;
        if self.current.is_some() || ended.frames != u32::from(frame.sequence) + 1 {
            return Err(nonsense(frame, format!("misplaced end mark {ended:?}")));
        }
        self.ended = Some(ended);
        Ok(())
    }

    fn finish(&self) -> Result<(), StreamError> {
        let vcpu = self.vcpu.apic_id;
        match self.ended {
            Some(ended) if ended.flags & end::OVERFLOW != 0 => Err(StreamError::Overflow { vcpu }),
            Some(_) => Ok(()),
            None => {
                let last = self.vcpu.phases.keys().next_back().copied();
                let phase = self.current.or(last).unwrap_or(Phase::Reset).name();
                Err(StreamError::Unfinished { vcpu, phase })
            }
        }
    }
}

/// Adds a frame's entries to its phase; an entry that was there already is an error.
fn fill(phase: &mut PhaseDump, frame: &Frame<'_>) -> Result<(), StreamError> {
    match frame.kind {
        Kind::Cpuid => entries(frame)?.try_for_each(|cpuid: entry::Cpuid| {
            let key = Key::new(cpuid.leaf, cpuid.subleaf);
            let before = phase.cpuid.insert(key, cpuid.regs);
            once(frame, before, || format!("CPUID {key:x?} comes twice"))
        }),
        Kind::Msr => entries(frame)?.try_for_each(|msr: entry::Register| {
            let before = phase
                .msrs
                .insert(msr.id, reading(frame, msr.status, msr.value)?);
            once(frame, before, || format!("MSR {:#x} comes twice", msr.id))
        }),
        Kind::Control => entries(frame)?.try_for_each(|register: entry::Register| {
            let control = Control::from_id(register.id)
                .ok_or_else(|| nonsense(frame, format!("unknown control {}", register.id)))?;
            let value = reading(frame, register.status, register.value)?;
            let before = phase.control.insert(control, value);
            once(frame, before, || format!("{} comes twice", control.name()))
        }),
        Kind::MsrRun => entries(frame)?.try_for_each(|run: entry::Run| {
            let reading = reading(frame, run.status, run.value)?;
            phase.sweep.push(Run {
                first: run.first,
                last: run.last,
                reading,
            });
            Ok(())
        }),
        Kind::Probe => entries(frame)?.try_for_each(|entry| probe(phase, frame, entry)),
        Kind::Text => text(phase, frame),
        kind => Err(nonsense(frame, format!("unexpected frame kind {kind:?}"))),
    }
}

/// Adds what a probe gave.
fn probe(
    phase: &mut PhaseDump,
    frame: &Frame<'_>,
    entry: entry::Register,
) -> Result<(), StreamError> {
    let row = usize::try_from(entry.id)
        .ok()
        .and_then(|row| PROBES.get(row));
    let row = row.ok_or_else(|| nonsense(frame, format!("unknown probe {}", entry.id)))?;
    let tried = match entry.status {
        status::NOT_TRIED => Tried::NotTried,
        code => match reading(frame, code, entry.value)? {
            Reading::Value(value) => Tried::Value(value),
            Reading::Fault(vector) => Tried::Fault(vector),
        },
    };
    let before = phase.tried.insert(row.name.to_owned(), tried);
    once(frame, before, || format!("probe {} comes twice", row.name))
}

/// Appends a piece of a text. Bytes that are no UTF-8 are replaced: a file of /proc can hold any.
fn text(phase: &mut PhaseDump, frame: &Frame<'_>) -> Result<(), StreamError> {
    let mut parts = frame.payload.splitn(2, |byte| *byte == 0);
    let (Some(name), Some(piece)) = (parts.next(), parts.next()) else {
        return Err(nonsense(frame, "a text without a name".to_owned()));
    };
    let name = String::from_utf8_lossy(name).into_owned();
    let text = phase.texts.entry(name).or_default();
    text.push_str(&String::from_utf8_lossy(piece));
    Ok(())
}

fn once<T>(
    frame: &Frame<'_>,
    before: Option<T>,
    problem: impl FnOnce() -> String,
) -> Result<(), StreamError> {
    match before {
        Some(_) => Err(nonsense(frame, problem())),
        None => Ok(()),
    }
}

fn reading(frame: &Frame<'_>, code: u32, value: u64) -> Result<Reading, StreamError> {
    match status::vector(code) {
        _ if code == status::VALUE => Ok(Reading::Value(value)),
        Some(vector) => Ok(Reading::Fault(vector)),
        None => Err(nonsense(frame, format!("unknown status {code:#x}"))),
    }
}

fn entries<'a, E: Entry + 'a>(
    frame: &Frame<'a>,
) -> Result<impl Iterator<Item = E> + 'a, StreamError> {
    if !frame.payload.len().is_multiple_of(E::SIZE) {
        let problem = format!("{} bytes of {:?}", frame.payload.len(), frame.kind);
        return Err(nonsense(frame, problem));
    }
    Ok(frame.payload.chunks_exact(E::SIZE).filter_map(E::decode))
}

fn single<E: Entry>(frame: &Frame<'_>) -> Result<E, StreamError> {
    E::decode(frame.payload).ok_or_else(|| {
        nonsense(
            frame,
            format!("{} bytes of {:?}", frame.payload.len(), frame.kind),
        )
    })
}

fn nonsense(frame: &Frame<'_>, problem: String) -> StreamError {
    StreamError::Nonsense {
        vcpu: frame.vcpu,
        phase: frame.phase.name(),
        problem,
    }
}

fn fault(frame: &Frame<'_>, fault: &entry::Fault) -> StreamError {
    StreamError::Fault {
        vcpu: frame.vcpu,
        phase: frame.phase.name(),
        vector: fault.vector,
        ip: fault.ip,
    }
}

#[cfg(test)]
mod tests;
