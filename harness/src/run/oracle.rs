//! The table of probes on a second emulator: the agent on processors of Bochs, where neither QEMU nor KVM has a say.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::case::Processor;
use crate::check::behaviour::explained::Compared;
use crate::cpuid::Dump;
use crate::expectation::store::Store;
use crate::util::cancel::Cancel;
use crate::vmm::bochs::{self, BochsError};
use crate::vmm::guest::Options;

/// A model, and what became of it.
#[derive(Debug)]
pub struct OnModel {
    /// Its name.
    pub model: String,
    /// What was seen on it.
    pub seen: Result<Seen, BochsError>,
}

/// What the agent saw on a model.
#[derive(Debug)]
pub struct Seen {
    /// All of it.
    pub dump: Dump,
    /// What its probes gave.
    pub compared: Compared,
    /// From Bochs' start to its end.
    pub elapsed: Duration,
}

/// A Bochs, and what its processors are compared with.
#[derive(Debug)]
pub struct Oracle<'a> {
    /// The program.
    pub bochs: &'a Path,
    /// The tables.
    pub store: &'a Store,
    /// What the agent tries, and how long it may take.
    pub options: &'a Options,
    /// Processors at once.
    pub threads: usize,
    /// What ends all of it.
    pub cancel: &'a Cancel,
}

/// What leaves long mode out of a model, so that the 32-bit agent tries what the processor has.
const WITHOUT_LONG_MODE: &str = "-longmode";

impl Oracle<'_> {
    /// Every model, and once more without long mode where it has that.
    pub fn all(&self, models: &[String]) -> Vec<OnModel> {
        let mut all = self.each(models);
        let has_long_mode = |on: &&OnModel| on.seen.as_ref().is_ok_and(|seen| seen.dump.mode == 64);
        let shorter = all.iter().filter(has_long_mode);
        let shorter: Vec<String> = shorter
            .map(|on| format!("{}{WITHOUT_LONG_MODE}", on.model))
            .collect();
        all.extend(self.each(&shorter));
        all
    }

    /// Each of these, in their order: `tigerlake`, and without features of its `tigerlake-longmode-sha`.
    pub fn each(&self, names: &[String]) -> Vec<OnModel> {
        let next = AtomicUsize::new(0);
        let done = Mutex::new(Vec::new());
        let work = || {
            while let Some((index, name)) = take(&next, names) {
                let seen = self.see(name);
                let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                done.push((index, name, seen));
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..self.threads.min(names.len()) {
                scope.spawn(work);
            }
        });
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_by_key(|(index, ..)| *index);
        let done = done.into_iter();
        done.map(|(_, name, seen)| OnModel {
            model: name.clone(),
            seen,
        })
        .collect()
    }

    fn see(&self, name: &str) -> Result<Seen, BochsError> {
        let ran = bochs::boot(self.bochs, &processor(name), self.options, self.cancel)?;
        let store = self.store;
        Ok(Seen {
            compared: store.bochs.compare(name, &ran.dump, &store.table),
            dump: ran.dump,
            elapsed: ran.elapsed,
        })
    }
}

/// The model that a name begins with: no model of Bochs' has a hyphen in its name.
pub fn model_of(name: &str) -> &str {
    name.split('-').next().unwrap_or(name)
}

fn processor(name: &str) -> Processor {
    let without = name.split('-').skip(1);
    Processor {
        model: model_of(name).to_owned(),
        without: without.map(str::to_owned).collect(),
    }
}

fn take<'a>(next: &AtomicUsize, names: &'a [String]) -> Option<(usize, &'a String)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    Some((index, names.get(index)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_stands_behind_the_model() {
        let shown = processor("tigerlake-longmode-sha");
        assert_eq!(shown.model, "tigerlake");
        assert_eq!(shown.without, ["longmode", "sha"]);
        assert_eq!(processor("i386").without, Vec::<String>::new());
    }
}
