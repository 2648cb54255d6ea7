//! Lines → dumps. What stands around a dump is passed over; a line within one that means nothing is an error.

use super::around::{self, Prompt, is_elision};
use super::dumps::{Dumps, Gap};
use super::grammar::{Context, Grammar, Item};
use super::pieces::{Piece, piece};
use super::scan::Miss;
use crate::input::cpu::Input;
use crate::input::error::InputError;
use crate::input::text::{Line, Text};

/// Whether any line has registers, as this format writes them.
pub fn knows(grammar: &Grammar, text: &Text) -> bool {
    let mut context = Context::default();
    (0..text.lines.len()).any(|index| {
        let piece = piece(grammar, &text.lines, index, &mut context);
        matches!(
            piece.item,
            Ok(Item::Answer(..) | Item::Set(..) | Item::Msr(..))
        )
    })
}

/// Every dump of the text.
///
/// # Errors
/// A line of a dump is damaged, or one within a dump means nothing.
pub fn collect(grammar: &Grammar, text: &Text) -> Result<Vec<Input>, InputError> {
    let mut collector = Collector {
        grammar,
        lines: &text.lines,
        dumps: Dumps::new(grammar),
        gap: Vec::new(),
        heading: 0,
    };
    let mut context = Context::default();
    let mut index = 0;
    while index < text.lines.len() {
        let piece = piece(grammar, &text.lines, index, &mut context);
        if piece.item == Ok(Item::End) {
            break;
        }
        index += piece.lines.len();
        collector.take(piece)?;
    }
    Ok(collector.dumps.finish())
}

struct Collector<'a> {
    grammar: &'a Grammar,
    lines: &'a [Line],
    dumps: Dumps<'a>,
    /// Lines since the last one with registers that are none of the format's.
    gap: Vec<(usize, Miss)>,
    /// How many of them stood before the last heading of a processor.
    heading: usize,
}

impl Collector<'_> {
    fn take(&mut self, piece: Piece<'_>) -> Result<(), InputError> {
        let item = match &piece.item {
            Err(miss) if miss.damaged => return Err(piece.error(self.grammar, self.lines, miss)),
            Err(miss) => {
                let index = piece.lines.first().map_or(0, |(_, index)| *index);
                self.gap.push((index, miss.clone()));
                return Ok(());
            }
            Ok(item) => item.clone(),
        };
        let gap = match item {
            Item::Processor(_) => {
                self.heading = self.gap.len();
                Gap::default()
            }
            Item::Answer(..) | Item::Set(..) | Item::Msr(..) => self.close(&item)?,
            _ => Gap::default(),
        };
        self.dumps.take(item, gap);
        Ok(())
    }

    /// The gap before `item`, which has registers.
    fn close(&mut self, item: &Item) -> Result<Gap, InputError> {
        let before = if self.dumps.has_heading() {
            self.heading
        } else {
            self.gap.len()
        };
        let gap = self.describe(before);
        let begins = self.dumps.begins(item, &gap);
        let allowed = begins || gap.host.is_some() || self.has_prompt() || self.grammar.talks;
        // Between a processor's heading and its first line nothing stands but marks.
        let from = if allowed { before } else { 0 };
        let mut nothing = self.gap.iter().skip(from);
        let nothing = nothing.find(|(index, _)| !is_elision(&self.lines[*index].text));
        if let Some((index, _)) = nothing
            && !self.grammar.talks
        {
            return Err(self.means_nothing(*index));
        }
        self.gap.clear();
        self.heading = 0;
        Ok(gap)
    }

    fn describe(&self, before: usize) -> Gap {
        let text = |(index, _): &(usize, Miss)| self.lines[*index].text.as_str();
        let prompts = self.gap.iter().map(text).filter_map(Prompt::parse);
        Gap {
            is_there: !self.gap.is_empty(),
            left_out: self.gap.iter().map(text).any(is_elision),
            title: around::title(self.gap[..before].iter().map(text)),
            host: prompts.filter_map(|prompt| prompt.host).next_back(),
        }
    }

    fn has_prompt(&self) -> bool {
        let mut lines = self.gap.iter().map(|(index, _)| &self.lines[*index].text);
        lines.any(|line| Prompt::parse(line).is_some())
    }

    fn means_nothing(&self, index: usize) -> InputError {
        let line = &self.lines[index];
        InputError::Malformed {
            format: self.grammar.format,
            line: line.number,
            column: line.column(0),
            expected: self.grammar.expected.to_owned(),
            found: line.text.chars().take(60).collect(),
        }
    }
}
