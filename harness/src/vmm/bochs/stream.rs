//! What comes out of port E9H: Bochs' own greeting, the agent's frames, and at last the byte that the agent writes to the exit port, which is
//! the same port here.

use fidelity_protocol::config::EXIT_OK;
use fidelity_protocol::frame::{Frame, FrameError, Kind, MAGIC};

/// Most bytes that are taken: a slot's frames have fewer.
const MOST: usize = 1 << 20;

/// The bytes as far as they came.
#[derive(Debug, Default)]
pub struct Stream {
    bytes: Vec<u8>,
    /// Where the first frame begins.
    start: Option<usize>,
    /// Bytes of whole frames behind that.
    frames: usize,
    /// Whether the last whole frame is one with which the agent ends.
    ends: bool,
}

/// Whether more is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Yes.
    Open,
    /// The agent has ended, with this byte.
    Ended(u8),
    /// These are no frames, or too many.
    Garbled,
}

impl Stream {
    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) -> State {
        self.bytes.extend_from_slice(bytes);
        if self.start.is_none() {
            let mut windows = self.bytes.windows(MAGIC.len());
            self.start = windows.position(|window| window == MAGIC);
        }
        match self.start {
            _ if self.bytes.len() > MOST => State::Garbled,
            Some(start) => self.read_frames(start),
            None => State::Open,
        }
    }

    fn read_frames(&mut self, start: usize) -> State {
        loop {
            let rest = &self.bytes[start + self.frames..];
            if self.ends {
                return rest.first().map_or(State::Open, |byte| State::Ended(*byte));
            }
            match Frame::read(rest) {
                Ok((frame, length)) => {
                    self.ends = matches!(frame.kind, Kind::End | Kind::Fault);
                    self.frames += length;
                }
                Err(FrameError::Truncated { .. }) => return State::Open,
                Err(_) => return State::Garbled,
            }
        }
    }

    /// All that the agent sent, but for the byte behind it.
    pub fn frames(&self) -> &[u8] {
        let start = self.start.unwrap_or(self.bytes.len());
        let end = if self.ends {
            start + self.frames
        } else {
            self.bytes.len()
        };
        &self.bytes[start..end]
    }
}

/// Whether the byte is that of an agent that did all it was asked for.
pub fn is_good(byte: u8) -> bool {
    byte == EXIT_OK
}

#[cfg(test)]
mod tests {
    use fidelity_protocol::config::EXIT_FAULT;
    use fidelity_protocol::frame::{HEADER, Phase};

    use super::*;

    fn frame(kind: Kind, sequence: u16) -> Vec<u8> {
        let frame = Frame {
            kind,
            phase: Phase::Reset,
            generation: 0,
            vcpu: 0,
            sequence,
            payload: &[],
        };
        let mut buffer = [0; HEADER];
        frame.seal(&mut buffer, 0).expect("a frame");
        buffer.to_vec()
    }

    /// Greeting, two frames, the byte.
    fn sent(last: Kind, byte: u8) -> Vec<u8> {
        let frames = [frame(Kind::PhaseBegin, 0), frame(last, 1)].concat();
        [b"====\nBochs CP\n====\n".as_slice(), &frames, &[byte]].concat()
    }

    #[test]
    fn it_ends_with_the_byte_behind_the_last_frame_however_the_bytes_come() {
        for (last, byte) in [(Kind::End, EXIT_OK), (Kind::Fault, EXIT_FAULT)] {
            let all = sent(last, byte);
            for step in [1, 7, all.len()] {
                let mut stream = Stream::default();
                let states: Vec<State> = all.chunks(step).map(|part| stream.push(part)).collect();
                let (end, before) = states.split_last().expect("states");
                assert_eq!(*end, State::Ended(byte), "{step}");
                assert!(before.iter().all(|state| *state == State::Open), "{step}");
                assert_eq!(stream.frames(), &all[19..all.len() - 1]);
            }
        }
        assert!(is_good(EXIT_OK) && !is_good(EXIT_FAULT));
    }

    #[test]
    fn a_stream_that_stops_keeps_what_came() {
        let all = sent(Kind::End, EXIT_OK);
        let mut stream = Stream::default();
        assert_eq!(stream.push(&all[..all.len() - 6]), State::Open);
        assert_eq!(stream.frames(), &all[19..all.len() - 6]);
        assert_eq!(Stream::default().push(b"no frames"), State::Open);
        assert_eq!(Stream::default().frames(), b"");
    }

    #[test]
    fn what_is_no_frame_and_what_has_no_end_is_garbled() {
        let mut all = sent(Kind::End, EXIT_OK);
        all[19 + HEADER] ^= 1;
        assert_eq!(Stream::default().push(&all), State::Garbled);
        assert_eq!(Stream::default().push(&[0; MOST + 1]), State::Garbled);
    }
}
