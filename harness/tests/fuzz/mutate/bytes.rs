//! Changes of bytes that know nothing of what the bytes are.

use crate::random::Random;

/// Bytes that mean something somewhere.
const SPECIAL: &[u8] = b"\0\x01\x7f\x80\xff\n\r\t \"'<>[]{}()&|,:;=-+*%#/\\.@0";
/// What no text, or no plain text, has in it.
const BREAKS: [&[u8]; 7] = [
    b"\xc3",
    b"\xff\xfe",
    b"\0",
    b"\xed\xa0\x80",
    "\u{202e}".as_bytes(),
    "é".as_bytes(),
    "😀".as_bytes(),
];

/// Changes `bytes` once.
pub fn change(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    match random.below(8) {
        0 => flip(bytes, random),
        1 => set(bytes, random),
        2 => drop(bytes.drain(random.range(bytes.len(), 64))),
        3 => repeat(bytes, random),
        4 => bytes.truncate(random.below(bytes.len() + 1)),
        5 => splice(bytes, other, random),
        6 => insert(bytes, random.choose(&BREAKS).unwrap_or(&BREAKS[0]), random),
        _ => amplify(bytes, random),
    }
}

/// Puts `piece` somewhere into `bytes`.
pub fn insert(bytes: &mut Vec<u8>, piece: &[u8], random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    bytes.splice(at..at, piece.iter().copied());
}

fn flip(bytes: &mut [u8], random: &mut Random) {
    let at = random.below(bytes.len());
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << random.below(8);
    }
}

fn set(bytes: &mut [u8], random: &mut Random) {
    let at = random.below(bytes.len());
    if let (Some(byte), Some(special)) = (bytes.get_mut(at), random.choose(SPECIAL)) {
        *byte = *special;
    }
}

fn repeat(bytes: &mut Vec<u8>, random: &mut Random) {
    let piece = bytes[random.range(bytes.len(), 256)].to_vec();
    insert(bytes, &piece, random);
}

/// The start of one input and the end of another.
fn splice(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    bytes.truncate(random.below(bytes.len() + 1));
    bytes.extend_from_slice(&other[random.below(other.len() + 1)..]);
}

/// One piece many times: what is quadratic shows then. Seldom, for it takes long.
fn amplify(bytes: &mut Vec<u8>, random: &mut Random) {
    if !random.once_in(16) {
        return flip(bytes, random);
    }
    let piece = bytes[random.range(bytes.len(), 64)].to_vec();
    let times = random.below(4096);
    insert(bytes, &piece.repeat(times), random);
}
