//! Inputs: recorded data, changed a little or a lot.

use serde_json::Value;

use crate::random::Random;

mod bytes;
mod frames;
mod json;
mod text;

/// Longest input.
const LONGEST: usize = 512 << 10;

/// What an input is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Bytes.
    Bytes,
    /// Lines of text, TOML and XML among it.
    Text,
    /// JSON, or lines of it.
    Json,
    /// Frames of an agent's stream.
    Frames,
}

/// Recorded inputs of one reader.
pub struct Seeds {
    shape: Shape,
    raw: Vec<Vec<u8>>,
    /// Of each, its lines as JSON.
    parsed: Vec<Vec<Value>>,
}

impl Seeds {
    /// Of these inputs.
    pub fn new(shape: Shape, raw: Vec<Vec<u8>>) -> Seeds {
        let parsed = match shape {
            Shape::Json => raw.iter().map(|seed| values(seed)).collect(),
            _ => Vec::new(),
        };
        Seeds { shape, raw, parsed }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.raw.len()
    }

    /// The first inputs are the seeds themselves; those behind them are changed.
    pub fn input(&self, seed: u64, execution: u64) -> Vec<u8> {
        let unchanged = usize::try_from(execution)
            .ok()
            .and_then(|index| self.raw.get(index));
        if let Some(seed) = unchanged {
            return seed.clone();
        }
        let mut random = Random::new(seed, execution);
        let mut input = self.changed(&mut random);
        input.truncate(LONGEST);
        input
    }

    fn changed(&self, random: &mut Random) -> Vec<u8> {
        let which = random.below(self.raw.len());
        let other = &self.raw[random.below(self.raw.len())];
        let times = 1 + random.below(4) * random.below(4);
        let change = match self.shape {
            Shape::Json if !random.once_in(5) => return self.changed_json(which, times, random),
            Shape::Json | Shape::Text => text::change,
            Shape::Bytes => bytes::change,
            Shape::Frames => frames::change,
        };
        let mut input = self.raw[which].clone();
        (0..times).for_each(|_| change(&mut input, other, random));
        input
    }

    fn changed_json(&self, which: usize, times: usize, random: &mut Random) -> Vec<u8> {
        let mut values = self.parsed[which].clone();
        for _ in 0..times {
            let at = random.below(values.len());
            if let Some(value) = values.get_mut(at) {
                json::change(value, random);
            }
        }
        let lines: Vec<String> = values.iter().map(|value| format!("{value}\n")).collect();
        lines.concat().into_bytes()
    }
}

/// One value, or one a line.
fn values(text: &[u8]) -> Vec<Value> {
    let stream = serde_json::Deserializer::from_slice(text).into_iter();
    stream.map_while(Result::ok).collect()
}
