//! Lines that a mailer or a terminal has broken, joined again.

use std::borrow::Cow;

use super::around::is_elision;
use super::grammar::{Context, Grammar, Item};
use super::scan::Miss;
use crate::input::error::InputError;
use crate::input::text::Line;

/// Lines that one line was broken into, at most.
const PIECES: usize = 4;

/// A line that was read, and how many lines of the file it was.
#[derive(Clone)]
pub struct Piece<'a> {
    /// What it is.
    pub item: Result<Item, Miss>,
    /// The lines, with where each begins in the joined text.
    pub lines: Vec<(usize, usize)>,
    /// The joined text.
    pub text: Cow<'a, str>,
}

/// The line at `index` with those behind it that it was broken into.
pub fn piece<'a>(
    grammar: &Grammar,
    lines: &'a [Line],
    index: usize,
    context: &mut Context,
) -> Piece<'a> {
    let first = &lines[index].text;
    let before = context.clone();
    let item = grammar.parse(first, context);
    let alone = |item| Piece {
        item,
        lines: vec![(0, index)],
        text: Cow::Borrowed(first),
    };
    match &item {
        Ok(Item::Answer(..) | Item::Msr(..)) => {
            let Some(next) = lines
                .get(index + 1)
                .filter(|next| continues(first, &next.text))
            else {
                return alone(item);
            };
            let apart = if completes(first, &next.text) {
                ""
            } else {
                " "
            };
            let longer = format!("{first}{apart}{}", next.text);
            let mut again = before;
            match grammar.parse(&longer, &mut again) {
                Ok(item) => Piece {
                    item: Ok(item),
                    lines: vec![(0, index), (first.len() + apart.len(), index + 1)],
                    text: Cow::Owned(longer),
                },
                Err(_) => alone(item),
            }
        }
        // Only a line that goes wrong in what stands last goes on below.
        Err(miss) if miss.at > 0 && !first[miss.at..].contains(' ') => {
            joined(grammar, lines, index, &before, context).unwrap_or_else(|| alone(item))
        }
        _ => alone(item),
    }
}

/// Whether `next` can only be the rest of `line`: a remark in brackets, a column of text, the last digits of eight.
fn continues(line: &str, next: &str) -> bool {
    (next.starts_with(['[', '|']) && !is_elision(next)) || completes(line, next)
}

/// Whether `next` is the digits that the last of eight hexadecimal digits of `line` lack.
fn completes(line: &str, next: &str) -> bool {
    let whole = next.bytes().all(|byte| byte.is_ascii_hexdigit());
    let begun = line.bytes().rev();
    let begun = begun.take_while(u8::is_ascii_hexdigit).count();
    let prefixed = next
        .strip_prefix(['x', 'X'])
        .is_some_and(|digits| digits.len() == 8 && line.ends_with("=0"));
    prefixed || (whole && begun + next.len() == 8)
}

/// The line that ends too early with lines behind it, as soon as they are one; or where what goes on is damaged. Mailers break at spaces,
/// terminals anywhere.
fn joined(
    grammar: &Grammar,
    lines: &[Line],
    index: usize,
    before: &Context,
    context: &mut Context,
) -> Option<Piece<'static>> {
    let mut furthest = None;
    let mut reached = 0;
    for apart in [" ", ""] {
        let mut piece = Piece {
            item: Ok(Item::Nothing),
            lines: vec![(0, index)],
            text: Cow::Owned(lines[index].text.clone()),
        };
        for (place, next) in lines.iter().enumerate().skip(index + 1).take(PIECES - 1) {
            // What means something alone is no rest of another line.
            if grammar.parse(&next.text, &mut before.clone()).is_ok() {
                break;
            }
            let end = piece.text.len();
            piece.lines.push((end + apart.len(), place));
            piece.text = Cow::Owned(format!("{}{apart}{}", piece.text, next.text));
            let mut again = before.clone();
            piece.item = grammar.parse(&piece.text, &mut again);
            match &piece.item {
                Ok(_) => {
                    *context = again;
                    return Some(piece);
                }
                Err(miss) if miss.at <= end + apart.len() => break,
                Err(miss) if miss.damaged && miss.at > reached => {
                    reached = miss.at;
                    furthest = Some(piece.clone());
                }
                Err(_) => {}
            }
        }
    }
    furthest
}

impl Piece<'_> {
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
