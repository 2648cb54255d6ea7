//! Where results go, for every verb that has some.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use cpuid_fidelity::report::shown::Shown;
use cpuid_fidelity::report::styled::Manner;
use cpuid_fidelity::report::{html, junit, kcidb, ktap, markdown, summary};
use cpuid_fidelity::results::RunFile;
use cpuid_fidelity::results::history::History;
use cpuid_fidelity::util::files::{is_output, writable};
use cpuid_fidelity::util::terminal::{Stream, print_coloured};

use super::exit::write_result;

/// Files to write (`-` for standard output), and earlier nights to compare the results with.
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

/// Outputs of a verb that writes JSON lines too, or none.
#[derive(Clone, Copy, Debug)]
pub struct Reports<'a> {
    outputs: &'a Outputs,
    json: Option<&'a PathBuf>,
}

impl Reports<'_> {
    /// Prints the summary: to standard error where a report goes to standard output.
    pub fn print(
        self,
        file: &RunFile,
        took: Duration,
        history: &Option<History>,
        outlived: &[String],
        manner: &Manner,
    ) {
        let text = summary::run(&shown(file, history), took, outlived, manner.detail);
        let (look, stream) = if self.outputs.on_output(self.json).is_empty() {
            (manner.output, Stream::Output)
        } else {
            (manner.error, Stream::Error)
        };
        print_coloured(&text.render(look), stream);
    }
}

impl Outputs {
    /// Together with the JSON lines.
    pub fn with_json<'a>(&'a self, json: Option<&'a PathBuf>) -> Reports<'a> {
        Reports {
            outputs: self,
            json,
        }
    }

    fn files<'a>(&'a self, json: Option<&'a PathBuf>) -> impl Iterator<Item = &'a PathBuf> {
        let files = [
            &self.junit,
            &self.ktap,
            &self.kcidb,
            &self.markdown,
            &self.html,
        ];
        files.into_iter().flatten().chain(json)
    }

    /// The files that are standard output.
    fn on_output<'a>(&'a self, json: Option<&'a PathBuf>) -> Vec<&'a PathBuf> {
        self.files(json).filter(|file| is_output(file)).collect()
    }

    /// Whether every file can be written, and at most one of them is standard output.
    pub fn writable(&self, json: Option<&PathBuf>) -> anyhow::Result<()> {
        for file in self.files(json) {
            writable(file)
                .map_err(|error| anyhow::anyhow!("failed to write {}: {error}", file.display()))?;
        }
        match self.on_output(json).len() {
            0 | 1 => Ok(()),
            reports => {
                anyhow::bail!("{reports} reports for standard output: one of them can be `-`")
            }
        }
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
