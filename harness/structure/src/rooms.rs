//! The order of the rooms, and imports that go against it.

use std::collections::BTreeSet;
use std::path::Path;

use crate::resolve::Import;
use crate::source::{Source, SourceError, text};

const LIST: &str = "harness/structure/rooms.tsv";

/// The rooms, lowest first.
#[derive(Debug)]
pub struct Rooms(Vec<String>);

impl Rooms {
    /// Reads the list of the tree at `top`.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(top: &Path) -> Result<Rooms, SourceError> {
        let text = text(&top.join(LIST))?;
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let names = lines.filter_map(|line| line.split_once('\t'));
        Ok(Rooms(names.map(|(name, _)| name.to_owned()).collect()))
    }

    /// Rooms that the list does not have, and imports that go up.
    pub fn complaints(&self, source: &Source, imports: &[Import]) -> Vec<String> {
        let rooms: BTreeSet<String> = source.files.keys().filter_map(|file| room(file)).collect();
        let unlisted = rooms.iter().filter(|room| self.place(room).is_none());
        let mut complaints: Vec<String> = unlisted
            .map(|room| format!("{LIST}:1: room {room} is not in this list"))
            .collect();
        let mut upward: Vec<String> = imports
            .iter()
            .filter_map(|import| self.upward(import))
            .collect();
        upward.dedup();
        complaints.extend(upward);
        complaints
    }

    fn place(&self, room: &str) -> Option<usize> {
        self.0.iter().position(|known| known == room)
    }

    fn upward(&self, import: &Import) -> Option<String> {
        let (from, to) = (room(&import.from)?, room(&import.to)?);
        let (file, line) = (&import.from, import.line);
        (self.place(&from)? < self.place(&to)?)
            .then(|| format!("{file}:{line}: {from} imports {to} above it"))
    }
}

/// The room of a file; roots of crates are in none.
fn room(file: &str) -> Option<String> {
    if let Some(rest) = file.strip_prefix("guest-image/") {
        let (name, _) = rest.split_once('/')?;
        return Some(format!("guest-image/{name}"));
    }
    let rest = file.strip_prefix("harness/src/")?;
    let (name, _) = rest.split_once('/').or_else(|| rest.split_once('.'))?;
    (!["lib", "main"].contains(&name)).then(|| name.to_owned())
}
