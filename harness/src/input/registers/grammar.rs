//! What the lines of a register text are.

use super::scan::{Miss, Scan};
use crate::cpuid::answers::Regs;
use crate::cpuid::dump::Reading;
use crate::input::coverage::Coverage;
use crate::input::cpu::{Cpu, State};
use crate::input::format::Format;

/// A line that means something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// An answer of CPUID: leaf, subleaf where the line names it, registers.
    Answer(u32, Option<u32>, Regs),
    /// A whole dump in one line: its title, and its one processor.
    Set(String, Box<Cpu>),
    /// An MSR.
    Msr(u32, Reading),
    /// What follows is of this processor; a program that shows one gives it no number.
    Processor(Option<u32>),
    /// What follows is of the first processor.
    FirstProcessor,
    /// What follows is another dump, with this title.
    Dump(String),
    /// What the dump calls itself.
    Title(String),
    /// A line of the format that carries nothing.
    Nothing,
    /// What follows is no more of a dump.
    End,
}

/// What lines before a line say of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// The leaf that subleaves without one are of.
    pub leaf: Option<u32>,
    /// Whether this is a part of the file that carries no registers.
    pub elsewhere: bool,
    /// Names of columns.
    pub columns: Vec<String>,
}

/// Reads one kind of line.
pub type Parse = fn(&mut Scan<'_>, &mut Context) -> Result<Item, Miss>;

/// A format whose lines carry registers.
pub struct Grammar {
    /// The format.
    pub format: Format,
    /// Its kinds of lines.
    pub lines: &'static [Parse],
    /// What messages call these.
    pub expected: &'static str,
    /// Whether the program itself prints other lines between them.
    pub talks: bool,
    /// Whether an answer may come again: a log of executions, and no dump.
    pub again: bool,
    /// Who had set control state.
    pub state: State,
    /// What processors that were read leave out.
    pub coverage: fn(&[Cpu]) -> Coverage,
}

impl Grammar {
    /// The line, read.
    ///
    /// # Errors
    /// It is of no kind; the kind that fits longest says why.
    pub fn parse(&self, line: &str, context: &mut Context) -> Result<Item, Miss> {
        let mut longest: Option<Miss> = None;
        for parse in self.lines {
            match parse(&mut Scan::new(line), context) {
                Ok(item) => return Ok(item),
                Err(miss) => {
                    let further = longest.as_ref().is_none_or(|longest| {
                        (miss.damaged, miss.at) > (longest.damaged, longest.at)
                    });
                    if further {
                        longest = Some(miss);
                    }
                }
            }
        }
        Err(longest.unwrap_or(Miss {
            at: 0,
            expected: self.expected,
            damaged: false,
        }))
    }
}
