//! What many cases have in common, once: texts, and command lines that differ in a few arguments.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::Value;

use crate::util::shell::quoted;

/// Texts, each once.
#[derive(Default)]
pub struct Strings<'a> {
    known: HashMap<Cow<'a, str>, usize>,
    texts: Vec<Cow<'a, str>>,
}

impl<'a> Strings<'a> {
    /// The number of a text.
    pub fn index(&mut self, text: impl Into<Cow<'a, str>>) -> usize {
        let text = text.into();
        if let Some(index) = self.known.get(&text) {
            return *index;
        }
        let index = self.texts.len();
        self.texts.push(text.clone());
        self.known.insert(text, index);
        index
    }

    /// All of them, by number.
    pub fn texts(&self) -> &[Cow<'a, str>] {
        &self.texts
    }
}

/// Command lines, quoted for a shell: each is the first one of its group, with other arguments in some places.
#[derive(Default)]
pub struct Commands {
    /// By what the commands of a group have in common.
    known: HashMap<(String, usize), usize>,
    first: Vec<Vec<usize>>,
}

impl Commands {
    /// `[number of the first one, place, argument, place, argument …]`; nothing of no command.
    pub fn pack<'a>(
        &mut self,
        group: &str,
        command: &'a [String],
        strings: &mut Strings<'a>,
    ) -> Vec<usize> {
        if command.is_empty() {
            return Vec::new();
        }
        let arguments = command
            .iter()
            .map(|argument| strings.index(quoted(argument)));
        let arguments: Vec<usize> = arguments.collect();
        let next = self.first.len();
        let key = (group.to_owned(), arguments.len());
        let number = *self.known.entry(key).or_insert(next);
        if number == next {
            self.first.push(arguments);
            return vec![number];
        }
        let pairs = self.first[number].iter().zip(&arguments).enumerate();
        let other = pairs.filter(|(_, (first, own))| first != own);
        let other = other.flat_map(|(place, (_, own))| [place, *own]);
        std::iter::once(number).chain(other).collect()
    }

    /// The first ones, by number.
    pub fn first(&self) -> Value {
        self.first.iter().cloned().map(Value::from).collect()
    }
}
