//! What every suite needs.

use std::path::Path;

use cpuid_fidelity::check::behaviour::Facts;
use cpuid_fidelity::cpuid::table::Table;
use cpuid_fidelity::cpuid::volatile::Volatile;

use super::behaviour::facts;

/// Names of features, and fields that differ from run to run; which mutants are run.
pub struct Tables {
    pub names: Table,
    pub masks: Volatile,
    pub behaviour: Facts,
    /// Every how manieth mutant of a suite is run.
    pub every: usize,
}

impl Tables {
    /// From the folder of expectations, to run every `every`-th mutant of a suite.
    ///
    /// # Errors
    /// A table cannot be read.
    pub fn read(expectations: &Path, every: usize) -> anyhow::Result<Tables> {
        let read = |name: &str| std::fs::read_to_string(expectations.join(name));
        let names = Table::parse("features.tsv", &read("features.tsv")?)
            .map_err(|error| anyhow::anyhow!("{error}"))?;
        let masks = Volatile::parse(&read("volatile.toml")?, &names).map_err(anyhow::Error::msg)?;
        let behaviour = facts(&read("behaviour.tsv")?, &names)?;
        Ok(Tables {
            behaviour,
            names,
            masks,
            every,
        })
    }
}
