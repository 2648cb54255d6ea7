//! `volatile.toml`: the fields whose value says nothing about fidelity, each with its reason.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::table::Table;

/// One entry of the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// A name of the feature table, or `cpuinfo.` and a field of a Linux guest's /proc/cpuinfo.
    name: String,
    /// What is printed instead of the value, without the angle brackets.
    placeholder: String,
    /// Why the value may differ from run to run or from vCPU to vCPU.
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    volatile: Vec<Entry>,
}

/// What to print instead of a value, by name, and why. Empty: nothing is masked.
#[derive(Clone, Debug, Default)]
pub struct Volatile(BTreeMap<String, Mask>);

#[derive(Clone, Debug)]
struct Mask {
    placeholder: String,
    reason: String,
}

impl Volatile {
    /// Reads the file's text.
    ///
    /// # Errors
    /// TOML errors with line and column; an entry with no reason, or with a name that the table does not know.
    pub fn parse(text: &str, table: &Table) -> Result<Volatile, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut masks = BTreeMap::new();
        for entry in file.volatile {
            if entry.reason.trim().is_empty() {
                return Err(format!("volatile field {} has no reason", entry.name));
            }
            // Fields of /proc/cpuinfo are the kernel's.
            let cpuinfo = entry.name.starts_with("cpuinfo.");
            if !cpuinfo && table.named(&entry.name).is_none() {
                return Err(format!(
                    "volatile field {} is not in the feature table",
                    entry.name
                ));
            }
            let placeholder = format!("<{}>", entry.placeholder);
            let reason = entry.reason.trim().to_owned();
            masks.insert(
                entry.name,
                Mask {
                    placeholder,
                    reason,
                },
            );
        }
        Ok(Volatile(masks))
    }

    /// The placeholder for a name, `None` where the value is printed.
    pub fn placeholder(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|mask| mask.placeholder.as_str())
    }

    /// Why the value of a name is not compared; `None` where it is.
    pub fn reason(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|mask| mask.reason.as_str())
    }
}
