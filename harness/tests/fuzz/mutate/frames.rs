//! Changes of the agent's streams that leave them streams: frames are taken apart, changed, put together and summed up again.

use fidelity_protocol::crc::crc32;
use fidelity_protocol::frame::{HEADER, Kind};

use super::bytes;
use crate::random::Random;

/// Offsets in a frame's header.
const KIND: usize = 5;
const PHASE: usize = 6;
const VCPU: usize = 8;
const LENGTH: usize = 12;
const SEQUENCE: usize = 14;
const CHECKSUM: usize = 16;

/// Changes a stream once.
pub fn change(stream: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    if random.once_in(6) {
        return bytes::change(stream, other, random);
    }
    let mut frames = split(stream);
    match random.below(5) {
        0 if !frames.is_empty() => drop(frames.remove(random.below(frames.len()))),
        1 => {
            let others = split(other);
            let new = random.choose(&others).cloned();
            let at = random.below(frames.len() + 1);
            frames.splice(at..at, new);
        }
        _ => {
            let at = random.below(frames.len());
            if let Some(frame) = frames.get_mut(at) {
                alter(frame, random);
            }
        }
    }
    if !random.once_in(8) {
        number(&mut frames);
    }
    frames.iter_mut().for_each(|frame| seal(frame));
    *stream = frames.concat();
}

/// The frames, by the lengths that their headers state; what is none is the last.
fn split(stream: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let mut rest = stream;
    while rest.len() >= HEADER {
        let length = HEADER + usize::from(u16::from_le_bytes([rest[LENGTH], rest[LENGTH + 1]]));
        let (frame, next) = rest.split_at(length.min(rest.len()));
        frames.push(frame.to_vec());
        rest = next;
    }
    frames
}

fn alter(frame: &mut Vec<u8>, random: &mut Random) {
    let random_byte = random.next() as u8;
    match random.below(8) {
        0 => frame[KIND] = 1 + random_byte % 11,
        1 => frame[PHASE] = random_byte % 7,
        2 => frame[VCPU] = random_byte % 4,
        3 => frame.truncate(HEADER + random.below(frame.len() - HEADER + 1)),
        4 => {
            let at = HEADER + random.below(frame.len() - HEADER + 1);
            frame.splice(at..at, (0..24).map(|_| random_byte));
        }
        _ => {
            let at = random.below(frame.len());
            frame[at] = random_byte;
        }
    }
}

/// Numbers the frames of each vCPU, so that an end mark is not refused for its number alone.
fn number(frames: &mut [Vec<u8>]) {
    let mut next = std::collections::BTreeMap::<u8, u16>::new();
    for frame in frames {
        let own = next.entry(frame[VCPU]).or_default();
        frame[SEQUENCE..SEQUENCE + 2].copy_from_slice(&own.to_le_bytes());
        *own = own.wrapping_add(1);
        if frame[KIND] == Kind::End as u8 && frame.len() >= HEADER + 4 {
            frame[HEADER..HEADER + 4].copy_from_slice(&u32::from(*own).to_le_bytes());
        }
    }
}

fn seal(frame: &mut [u8]) {
    let length = u16::try_from(frame.len() - HEADER).unwrap_or(u16::MAX);
    frame[LENGTH..LENGTH + 2].copy_from_slice(&length.to_le_bytes());
    let sum = crc32(&[&frame[..CHECKSUM], &frame[HEADER..]]);
    frame[CHECKSUM..HEADER].copy_from_slice(&sum.to_le_bytes());
}
