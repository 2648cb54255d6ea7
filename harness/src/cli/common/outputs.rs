//! Where results go, for every verb that has some.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use cpuid_fidelity::report::shown::Shown;
use cpuid_fidelity::report::{compat, html, junit, kcidb, ktap, markdown, summary};
use cpuid_fidelity::results::RunFile;
use cpuid_fidelity::results::history::History;
use cpuid_fidelity::util::files::writable;

use super::exit::{print, write_result};

/// Files to write, and earlier nights to hold the results against.
#[derive(Clone, Debug, Args)]
pub struct Outputs {
    /// Write JUnit XML here
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Write KTAP here, as kernel selftests print it
    #[arg(long, value_name = "FILE")]
    pub ktap: Option<PathBuf>,
    /// Write KCIDB JSON (schema 5.3) here
    #[arg(long, value_name = "FILE")]
    pub kcidb: Option<PathBuf>,
    /// Origin of the KCIDB report: who sends it, in lower case
    #[arg(long, value_name = "NAME", default_value = ORIGIN, value_parser = kcidb::origin)]
    pub kcidb_origin: String,
    /// Write Markdown here, for a comment on a merge request
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// Write one HTML page here that needs nothing else
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Folder of earlier nights: say what is new, fixed, still failing and flaky since then
    #[arg(long, value_name = "DIR")]
    pub history: Option<PathBuf>,
}

impl Default for Outputs {
    fn default() -> Outputs {
        Outputs {
            junit: None,
            ktap: None,
            kcidb: None,
            kcidb_origin: ORIGIN.to_owned(),
            markdown: None,
            html: None,
            history: None,
        }
    }
}

/// Who sends KCIDB reports where nobody else is named.
const ORIGIN: &str = "cpuid_fidelity";

/// The nights before; none where no folder is named.
pub fn history(folder: Option<&Path>) -> anyhow::Result<Option<History>> {
    Ok(folder.map(History::read).transpose()?)
}

impl Outputs {
    /// Whether every file can be written.
    pub fn writable(&self, json: Option<&PathBuf>) -> anyhow::Result<()> {
        let files = [
            &self.junit,
            &self.ktap,
            &self.kcidb,
            &self.markdown,
            &self.html,
        ];
        for file in files.into_iter().flatten().chain(json) {
            writable(file)
                .map_err(|error| anyhow::anyhow!("failed to write {}: {error}", file.display()))?;
        }
        Ok(())
    }

    /// The summary.
    pub fn print(&self, file: &RunFile, took: Duration, history: &Option<History>) {
        let shown = shown(file, history);
        print(&summary::run(&shown, took));
        print(&compat::text(&shown));
    }

    /// Every file that is asked for.
    pub fn write(
        &self,
        json: Option<&PathBuf>,
        file: &RunFile,
        history: &Option<History>,
    ) -> anyhow::Result<()> {
        let shown = shown(file, history);
        let write = |path: &Option<PathBuf>, text: &dyn Fn() -> anyhow::Result<String>| {
            let Some(path) = path else { return Ok(()) };
            Ok(write_result(path, &text()?)?)
        };
        write(&json.cloned(), &|| Ok(file.text()))?;
        write(&self.junit, &|| Ok(junit::run(&shown)?))?;
        write(&self.ktap, &|| Ok(ktap::run(&shown)))?;
        write(&self.kcidb, &|| Ok(kcidb::run(&shown, &self.kcidb_origin)))?;
        write(&self.markdown, &|| Ok(markdown::run(&shown)))?;
        write(&self.html, &|| Ok(html::run(&shown, history.as_ref())?))
    }
}

fn shown(file: &RunFile, history: &Option<History>) -> Shown {
    let compared = history.as_ref().map(|history| history.compare(&file.rows));
    Shown::new(file, compared.as_ref())
}
