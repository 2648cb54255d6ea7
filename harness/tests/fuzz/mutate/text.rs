//! Changes of text: numbers, tokens, lines, brackets.

use super::bytes;
use crate::random::Random;

/// Numbers at the edges of types, and what is nearly a number.
const EXTREMES: [&str; 34] = [
    "0",
    "1",
    "-1",
    "2",
    "4",
    "7",
    "31",
    "32",
    "33",
    "63",
    "64",
    "65",
    "255",
    "256",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1e300",
    "-1e300",
    "1e-300",
    "NaN",
    "inf",
    "0x0",
    "0xffffffff",
    "ffffffff",
    "0xffffffffffffffff",
    "",
];
/// What opens something, or goes in front of something, and may be piled up.
const OPENING: [&str; 10] = ["(", "[", "{", "!", "( ", "! ", "<a>", "{\"a\":", "[[", "-"];

/// Changes `text` once.
pub fn change(text: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    match random.below(10) {
        0..=2 => number(text, random),
        3 | 4 => token(text, other, random),
        5 => line_from(text, other, random),
        6 => lines(text, random),
        7 if random.once_in(64) => pile(text, random),
        _ => bytes::change(text, other, random),
    }
}

/// Puts an extreme in the place of a number.
fn number(text: &mut Vec<u8>, random: &mut Random) {
    let numbers = runs(text, u8::is_ascii_digit, random);
    if let (Some(place), Some(extreme)) = (numbers, random.choose(&EXTREMES)) {
        text.splice(place, extreme.bytes());
    }
}

/// Puts another token of this text, or of another one, in the place of a token.
fn token(text: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let from = if random.once_in(2) {
        other.to_vec()
    } else {
        text.clone()
    };
    let new = runs(&from, is_letter, random).map(|place| from[place].to_vec());
    if let (Some(place), Some(new)) = (runs(text, is_letter, random), new) {
        text.splice(place, new);
    }
}

/// A run of such bytes at or behind some place; `None` where there is none.
fn runs(
    text: &[u8],
    fits: impl Fn(&u8) -> bool,
    random: &mut Random,
) -> Option<std::ops::Range<usize>> {
    let from = random.below(text.len());
    let start = from + text.get(from..)?.iter().position(&fits)?;
    let start = text[..start]
        .iter()
        .rposition(|byte| !fits(byte))
        .map_or(0, |before| before + 1);
    let length = text[start..].iter().position(|byte| !fits(byte));
    Some(start..length.map_or(text.len(), |length| start + length))
}

/// The line at some place, with its end.
fn line(text: &[u8], random: &mut Random) -> std::ops::Range<usize> {
    let at = random.below(text.len());
    let start = text[..at.min(text.len())]
        .iter()
        .rposition(|byte| *byte == b'\n');
    let start = start.map_or(0, |end| end + 1);
    let end = text[start..].iter().position(|byte| *byte == b'\n');
    start..end.map_or(text.len(), |end| start + end + 1)
}

/// Puts a line of another text in front of one.
fn line_from(text: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let new = other[line(other, random)].to_vec();
    let at = line(text, random).start;
    text.splice(at..at, new);
}

/// Takes a line away, or puts it elsewhere as well.
fn lines(text: &mut Vec<u8>, random: &mut Random) {
    let place = line(text, random);
    let own = text[place.clone()].to_vec();
    if random.once_in(2) {
        text.drain(place);
    }
    if random.once_in(2) {
        let at = line(text, random).start;
        text.splice(at..at, own);
    }
}

/// Many brackets that nothing closes: a reader that calls itself runs out of stack.
fn pile(text: &mut Vec<u8>, random: &mut Random) {
    let opening = random.choose(&OPENING).copied().unwrap_or("(");
    let many = opening.repeat(random.below(20_000));
    bytes::insert(text, many.as_bytes(), random);
}
