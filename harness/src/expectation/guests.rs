//! What the guests of one release see, by its files alone: definitions, what machine types change of them, and what TCG leaves.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::content::ContentError;
use super::files::Expected;
use super::lineage::SUFFIX;
use super::store::Store;
use super::whole::compared_models;
use crate::check::Shift;
use crate::check::groups::{Groups, Models, shifted};
use crate::cpuid::Line;
use crate::cpuid::parse;

/// The text of files, by their paths below the folder of a release: `models/EPYC-v4.snap`.
pub type Texts = BTreeMap<String, String>;

/// A release, by what its guests see.
#[derive(Clone, Debug, Default)]
pub struct Guests {
    /// `10.0`.
    pub release: String,
    /// The newest q35 machine type, on which the definitions are.
    pub newest: String,
    /// All its versioned models, whether or not they are among the definitions here.
    pub models: BTreeSet<String>,
    /// All its versioned machine types, likewise.
    pub machine_types: BTreeSet<String>,
    /// Definitions, by versioned model.
    pub definitions: BTreeMap<String, Vec<Line>>,
    /// What each older machine type changes of them.
    pub machines: BTreeMap<String, Groups>,
    /// What TCG leaves, by model, with a version or without.
    pub tcg: BTreeMap<String, Vec<Line>>,
}

impl Guests {
    /// The guests of a release that is recorded, as `10.0`.
    ///
    /// # Errors
    /// A file of it cannot be read.
    pub fn recorded(store: &Store, release: &str) -> Result<Guests, ContentError> {
        let folder = format!("qemu-{release}");
        let known = store.files.known();
        let prefix = format!("{folder}/");
        let mut texts = Texts::new();
        for path in known.iter().filter(|path| path.starts_with(&prefix)) {
            if let Expected::Text(text) = store.expectation(Path::new(path))? {
                texts.insert(path[prefix.len()..].to_owned(), text);
            }
        }
        let all = Models::new(compared_models(&folder, known), &store.sets);
        let mut guests = Guests {
            release: release.to_owned(),
            newest: format!("pc-q35-{release}"),
            ..Guests::default()
        };
        guests.add(&texts, &all)?;
        guests.models = guests.definitions.keys().cloned().collect();
        guests.machine_types = guests.machines.keys().cloned().collect();
        guests.machine_types.insert(guests.newest.clone());
        Ok(guests)
    }

    /// Adds what these files have; `all` is what `*` stands for in those of machine types.
    ///
    /// # Errors
    /// A file is none.
    pub fn add(&mut self, texts: &Texts, all: &Models) -> Result<(), ContentError> {
        for (path, text) in texts {
            let name = |folder: &str| path.strip_prefix(folder)?.strip_suffix(SUFFIX);
            if let Some(machine) = name("machines/") {
                let groups = Groups::parse(text, all);
                let groups = groups.map_err(|error| ContentError::Group(path.clone(), error))?;
                self.machines.insert(machine.to_owned(), groups);
                continue;
            }
            let (models, name) = match (name("models/"), name("tcg/")) {
                (Some(model), _) => (&mut self.definitions, model),
                (None, Some(model)) => (&mut self.tcg, model),
                (None, None) => continue,
            };
            let lines = parse::lines(text);
            let lines = lines.map_err(|error| ContentError::Line(path.clone(), error))?;
            models.insert(name.to_owned(), lines);
        }
        Ok(())
    }

    /// What this machine type changes of this model; `None` where it is not there.
    pub fn changes(&self, machine: &str, model: &str) -> Option<BTreeSet<&Shift>> {
        if machine == self.newest {
            return Some(BTreeSet::new());
        }
        Some(self.machines.get(machine)?.changes(model))
    }

    /// What a guest of this model sees on this machine type; `None` where one of them is not there.
    pub fn lines(&self, machine: &str, model: &str) -> Option<Vec<Line>> {
        let definition = self.definitions.get(model)?;
        let changes = self.changes(machine, model)?;
        Some(without_filled(shifted(definition, &changes)))
    }
}

/// Without the line that says of a leaf that it has no bit, where a machine type gives it some: the file of the machine type has those
/// bits alone, for they say it.
fn without_filled(mut lines: Vec<Line>) -> Vec<Line> {
    let leaf = |line: &Line| {
        (
            line.place.vcpu,
            line.place.register,
            line.place.address.clone(),
        )
    };
    let is_zero = |line: &Line| line.text == "zero" && line.place.bits.is_empty();
    let filled = lines.iter().filter(|line| !is_zero(line)).map(leaf);
    let filled: BTreeSet<_> = filled.collect();
    lines.retain(|line| !is_zero(line) || !filled.contains(&leaf(line)));
    lines
}
