//! Dumps of a file while its lines are read: where one ends and the next begins.

use std::collections::BTreeMap;

use super::grammar::{Grammar, Item};
use super::processor::Processor;
use crate::input::coverage::Coverage;
use crate::input::cpu::{Cpu, Input};

/// All dumps so far.
pub struct Dumps<'a> {
    grammar: &'a Grammar,
    finished: Vec<Input>,
    title: Option<String>,
    host: Option<String>,
    processors: Vec<Processor>,
    by_number: BTreeMap<Option<u32>, usize>,
    current: usize,
    heading: Option<Option<u32>>,
    left_out: bool,
}

/// What stood between two lines with registers.
#[derive(Clone, Debug, Default)]
pub struct Gap {
    /// Whether anything did.
    pub is_there: bool,
    /// Whether it says that lines were left out.
    pub left_out: bool,
    /// A title.
    pub title: Option<String>,
    /// The host of a shell prompt.
    pub host: Option<String>,
}

impl<'a> Dumps<'a> {
    /// None yet.
    pub fn new(grammar: &'a Grammar) -> Dumps<'a> {
        Dumps {
            grammar,
            finished: Vec::new(),
            title: None,
            host: None,
            processors: Vec::new(),
            by_number: BTreeMap::new(),
            current: 0,
            heading: None,
            left_out: false,
        }
    }

    /// Whether lines of a dump were read, and it has not ended.
    pub fn has_begun(&self) -> bool {
        !self.processors.is_empty()
    }

    /// Whether a processor's heading was read and nothing of it yet.
    pub fn has_heading(&self) -> bool {
        self.heading.is_some()
    }

    /// Whether `item`, after `gap`, is of another dump than the lines before it.
    pub fn begins(&self, item: &Item, gap: &Gap) -> bool {
        let Item::Answer(leaf, subleaf, _) = item else {
            return !self.has_begun();
        };
        let another_host = gap.host.is_some() && gap.host != self.host;
        if !self.has_begun() || another_host {
            return true;
        }
        if self.grammar.again {
            return false;
        }
        let Some(processor) = self.target() else {
            return false;
        };
        if !processor.has(*leaf, *subleaf) {
            return false;
        }
        let again = self.heading.is_some() || gap.is_there;
        again || (*leaf == 0 && processor.last_leaf() != Some(0))
    }

    /// Takes a line.
    pub fn take(&mut self, item: Item, gap: Gap) {
        match item {
            Item::Dump(title) => {
                self.end();
                self.title = Some(title);
            }
            Item::Title(title) => {
                self.end();
                self.title = Some(title);
            }
            Item::Processor(number) => self.heading = Some(number),
            Item::FirstProcessor => {
                self.heading = None;
                self.current = 0;
            }
            Item::Nothing | Item::End => {}
            Item::Set(title, cpu) => {
                self.end();
                self.title = Some(title);
                self.push(vec![*cpu]);
            }
            Item::Answer(..) | Item::Msr(..) => self.registers(item, gap),
        }
    }

    fn registers(&mut self, item: Item, gap: Gap) {
        if self.begins(&item, &gap) {
            self.begin(gap.title, gap.host);
        } else {
            self.left_out |= gap.left_out;
        }
        let processor = self.processor();
        match item {
            Item::Answer(leaf, subleaf, regs) => processor.answer(leaf, subleaf, regs),
            Item::Msr(index, reading) => processor.msr(index, reading),
            _ => {}
        }
    }

    /// The dump that `title` was read for goes on; another one ends.
    fn begin(&mut self, title: Option<String>, host: Option<String>) {
        if self.has_begun() {
            self.end();
        }
        self.title = self.title.take().or(title);
        self.host = host;
    }

    /// The processor that the next line is of, where it was there before.
    fn target(&self) -> Option<&Processor> {
        let index = match self.heading {
            Some(number) => *self.by_number.get(&number)?,
            None => self.current,
        };
        self.processors.get(index)
    }

    fn processor(&mut self) -> &mut Processor {
        let number = match self.heading.take() {
            Some(number) => Some(number),
            None if self.processors.is_empty() => Some(None),
            None => None,
        };
        if let Some(number) = number {
            let next = self.processors.len();
            self.current = *self.by_number.entry(number).or_insert(next);
            if self.current == next {
                self.processors.push(Processor::new(number));
            }
        }
        &mut self.processors[self.current]
    }

    /// The dump has ended.
    fn end(&mut self) {
        let processors = std::mem::take(&mut self.processors);
        self.by_number.clear();
        self.current = 0;
        let cpus: Vec<Cpu> = processors
            .into_iter()
            .filter(|processor| !processor.is_empty())
            .map(Processor::finish)
            .collect();
        self.push(cpus);
    }

    fn push(&mut self, cpus: Vec<Cpu>) {
        let title = self.title.take();
        let left_out = std::mem::take(&mut self.left_out);
        if cpus.is_empty() {
            return;
        }
        let coverage = if left_out {
            Coverage::Excerpt
        } else {
            (self.grammar.coverage)(&cpus)
        };
        self.finished.push(Input {
            title,
            cpus,
            ..Input::new(self.grammar.format, self.grammar.state, coverage)
        });
    }

    /// All of them.
    pub fn finish(mut self) -> Vec<Input> {
        self.end();
        self.finished
    }
}
