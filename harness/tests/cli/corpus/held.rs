//! The files.

use std::path::Path;

use cpuid_fidelity::cpuid::Table;
use cpuid_fidelity::cpuid::levels::Levels;
use cpuid_fidelity::input::{Input, InputError, read};

use super::super::require::{Capability, require, root};

/// libcpuid's, each with what the library makes of it.
pub const LIBCPUID: &str = "libcpuid-0.7.1";
/// libvirt's.
pub const LIBVIRT: &str = "libvirt-11.3.0";

/// A file.
pub struct Held {
    /// Its path below the folder of all dumps.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

impl Held {
    /// What the readers make of it.
    pub fn read(&self, table: &Table) -> Result<Vec<Input>, InputError> {
        read(&self.bytes, table)
    }
}

/// Every file of a package, in order; `None` where it was not fetched, which is printed.
#[track_caller]
pub fn files_of(package: &'static str) -> Option<Vec<Held>> {
    let folder = require(Capability::Dumps(package))?;
    let mut files = Vec::new();
    let above = folder.parent().expect("the folder of all dumps");
    collect(&folder, above, &mut files);
    files.sort_by(|one, other| one.name.cmp(&other.name));
    Some(files)
}

fn collect(folder: &Path, above: &Path, files: &mut Vec<Held>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, above, files);
            continue;
        }
        let name = path.strip_prefix(above).expect("a path below it");
        files.push(Held {
            name: name.to_string_lossy().into_owned(),
            bytes: std::fs::read(&path).expect("a file"),
        });
    }
}

/// The table of features.
pub fn table() -> Table {
    Table::parse("features.tsv", &expectations("features.tsv")).expect("the table")
}

/// The levels of the psABI.
pub fn levels(table: &Table) -> Levels {
    Levels::parse(&expectations("levels.tsv"), table).expect("the levels")
}

fn expectations(name: &str) -> String {
    std::fs::read_to_string(root().join("expectations").join(name)).expect("a table")
}
