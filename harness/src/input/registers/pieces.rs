//! Lines that a mailer or a terminal has broken, joined again.

use super::around::is_elision;
use super::grammar::{Context, Grammar, Item};
use super::scan::Miss;
use crate::input::error::InputError;
use crate::input::text::Line;

/// Lines that one line was broken into, at most.
const PIECES: usize = 4;

/// A line that was read, and how many lines of the file it was.
pub struct Piece {
    /// What it is.
    pub item: Result<Item, Miss>,
    /// The lines, with where each begins in the joined text.
    pub lines: Vec<(usize, usize)>,
    /// The joined text.
    pub text: String,
}

/// The line at `index` with those behind it that it was broken into.
pub fn piece(grammar: &Grammar, lines: &[Line], index: usize, context: &mut Context) -> Piece {
    let first = &lines[index].text;
    let before = context.clone();
    let item = grammar.parse(first, context);
    let alone = |item| Piece {
        item,
        lines: vec![(0, index)],
        text: first.clone(),
    };
    match &item {
        Ok(Item::Answer(..) | Item::Msr(..)) => {
            let Some(next) = lines.get(index + 1).filter(|next| continues(&next.text)) else {
                return alone(item);
            };
            let apart = if is_hex(&next.text) { "" } else { " " };
            let longer = format!("{first}{apart}{}", next.text);
            let mut again = before;
            match grammar.parse(&longer, &mut again) {
                Ok(item) => Piece {
                    item: Ok(item),
                    lines: vec![(0, index), (first.len(), index + 1)],
                    text: longer,
                },
                Err(_) => alone(item),
            }
        }
        Err(miss) if miss.at > 0 => {
            joined(grammar, lines, index, &before, context).unwrap_or_else(|| alone(item))
        }
        _ => alone(item),
    }
}

/// A line that can only be the rest of the one before: a remark in brackets, a column of text, some last digits.
fn continues(line: &str) -> bool {
    (line.starts_with(['[', '|']) && !is_elision(line)) || is_hex(line)
}

fn is_hex(line: &str) -> bool {
    line.len() < 8 && line.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The line that ends too early with lines behind it, as soon as they are one. Mailers break at spaces, terminals anywhere.
fn joined(
    grammar: &Grammar,
    lines: &[Line],
    index: usize,
    before: &Context,
    context: &mut Context,
) -> Option<Piece> {
    for apart in [" ", ""] {
        let mut text = lines[index].text.clone();
        let mut places = vec![(0, index)];
        for (place, next) in lines.iter().enumerate().skip(index + 1).take(PIECES - 1) {
            let end = text.len();
            text = text + apart + &next.text;
            places.push((end, place));
            let mut again = before.clone();
            match grammar.parse(&text, &mut again) {
                Ok(item) => {
                    *context = again;
                    return Some(Piece {
                        item: Ok(item),
                        lines: places,
                        text,
                    });
                }
                Err(miss) if miss.at <= end + apart.len() => break,
                Err(_) => {}
            }
        }
    }
    None
}

impl Piece {
    /// The error for a `miss` in it.
    pub fn error(&self, grammar: &Grammar, lines: &[Line], miss: &Miss) -> InputError {
        let at = self.lines.iter().rfind(|(start, _)| *start <= miss.at);
        let (start, index) = at.copied().unwrap_or_default();
        let line = &lines[index];
        let rest: String = self.text[miss.at..].trim().chars().take(60).collect();
        InputError::Malformed {
            format: grammar.format,
            line: line.number,
            column: line.column(miss.at - start),
            expected: miss.expected.to_owned(),
            found: if rest.is_empty() {
                "the end of the line".to_owned()
            } else {
                rest
            },
        }
    }
}
