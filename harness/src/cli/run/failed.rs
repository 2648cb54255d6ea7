//! What failed in a run before, to be run again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cpuid_fidelity::case::Case;
use cpuid_fidelity::case::reproduce::{self, Given};
use cpuid_fidelity::case::trial::Trial;
use cpuid_fidelity::results::{Row, RunFile, Status};
use cpuid_fidelity::util::cache::writable_folder;
use cpuid_fidelity::util::files::write_whole;
use cpuid_fidelity::util::shell::pasteable;

use crate::cli::NotRun;
use crate::cli::common::global::Global;
use crate::cli::context::Context;

/// The cases of a run that have no verdict to rely on: they failed, broke, or were not run.
pub struct Failed {
    /// Where that stands.
    name: String,
    /// Of the run: see [`cpuid_fidelity::results::Head::options`].
    options: Vec<String>,
    rows: Vec<Row>,
}

/// In the cache: head and such cases of the last run.
const LAST: &str = "failed.jsonl";

/// Whether a case failed or broke.
pub fn is_failure(row: &Row) -> bool {
    matches!(row.status, Status::Fail | Status::Error)
}

/// Whether it is run again. A case that Ctrl-C or `--fail-fast` kept from running may have failed in the run before that one: were it
/// forgotten, the next `--failed` would end with 0 though its guest is wrong.
fn is_open(row: &Row) -> bool {
    is_failure(row) || row.status == Status::Miss
}

impl Failed {
    /// Of `file`, or of the last run.
    ///
    /// # Errors
    /// There was no run, or nothing failed in it.
    pub fn read(context: &Context, file: Option<&Path>) -> anyhow::Result<Failed> {
        let last = context.config.cache.join(LAST);
        let path = file.unwrap_or(&last);
        if file.is_none() && !last.exists() {
            anyhow::bail!("no run was kept here: name its JSON lines, `run --failed FILE`");
        }
        let run = RunFile::read(path)?;
        // What is kept of the last run are its failures alone.
        let why = file.and_then(|_| run.why_not_whole());
        if let Some(why) = &why {
            note!("{why}");
        }
        let run = if file.is_some() { run.filled() } else { run };
        let rows: Vec<Row> = run.rows.into_iter().filter(is_open).collect();
        if rows.is_empty() {
            let part = if why.is_some() {
                " as far as its results go"
            } else {
                ""
            };
            let reason = format!("nothing failed in the run of {}{part}", run.head.started);
            return Err(NotRun(reason).into());
        }
        Ok(Failed {
            name: path.display().to_string(),
            options: run.head.options,
            rows,
        })
    }

    /// Keeps what failed for [`Failed::read`]. A cache that cannot be written to costs no run.
    pub fn keep(context: &Context, file: &RunFile) {
        let rows = file.rows.iter().filter(|row| is_open(row));
        let mut failed = RunFile {
            rows: rows.cloned().collect(),
            ..file.clone()
        };
        failed.head.planned = failed.rows.len();
        if let Ok(folder) = writable_folder(&context.config.cache) {
            let _ = write_whole(&folder.join(LAST), failed.text().as_bytes());
        }
    }

    /// The QEMUs that the cases ran on.
    ///
    /// # Errors
    /// One is gone. Another one of its release would have its label, and its guests would pass for those that failed.
    pub fn qemus(&self) -> anyhow::Result<Vec<PathBuf>> {
        let paths = self.rows.iter().map(|row| row.qemu.path.as_str());
        let paths: BTreeSet<&str> = paths.filter(|path| !path.is_empty()).collect();
        match paths.iter().find(|path| !Path::new(path).is_file()) {
            None => Ok(paths.into_iter().map(PathBuf::from).collect()),
            Some(gone) => Err(NotRun(format!(
                "{gone}, the QEMU of what failed in {}, is not there any more; --qemu names another one",
                self.name
            ))
            .into()),
        }
    }

    /// Refuses to judge by more lenient rules than that run did.
    ///
    /// # Errors
    /// One of its options is not among those of this run, or this one tries fewer probes.
    pub fn repeated(&self, options: &[String]) -> anyhow::Result<()> {
        let narrower =
            |option: &&String| Global::narrows_probes(option) && !self.options.contains(option);
        if let Some(option) = options.iter().find(narrower) {
            anyhow::bail!(
                "the run in {} was not given {option}: what it leaves out may be what failed",
                self.name
            );
        }
        match self.options.iter().find(|option| !options.contains(option)) {
            None => Ok(()),
            Some(_) => anyhow::bail!(
                "the run in {} was given {}, and this one is not: repeat the options of that run",
                self.name,
                pasteable(&self.options)
            ),
        }
    }

    /// What of the plan failed then; `given` is what the command line says of every case.
    ///
    /// # Errors
    /// Some of it is not planned: another selection was asked for, or another host, or a QEMU is gone.
    pub fn narrow(&self, trials: Vec<Trial>, given: &Given) -> anyhow::Result<Vec<Trial>> {
        let rows = self.rows.iter().map(|row| (row.case.as_str(), row));
        let rows: BTreeMap<&str, &Row> = rows.collect();
        let mut planned = BTreeSet::new();
        let mut narrowed = Vec::new();
        for mut trial in trials {
            let whole = trial.clone();
            let mut kept = Vec::new();
            for case in trial.cases {
                let name = whole.case_name(&case);
                if let Some(row) = rows.get(name.as_str()) {
                    self.same_place(row, &whole, &case, given)?;
                    planned.insert(name);
                    kept.push(case);
                }
            }
            trial.cases = kept;
            narrowed.extend((!trial.cases.is_empty()).then_some(trial));
        }
        match rows.keys().find(|name| !planned.contains(**name)) {
            None => Ok(narrowed),
            Some(name) => anyhow::bail!(
                "{name} failed in {} and is not planned here: repeat the options of that run, as --profile, --accel or --qemu",
                self.name
            ),
        }
    }

    /// Refuses a case that has the name of one that failed, and runs on another host, kernel or libvirt: were it to pass, the guest that
    /// failed would be forgotten.
    fn same_place(
        &self,
        row: &Row,
        trial: &Trial,
        case: &Case,
        given: &Given,
    ) -> anyhow::Result<()> {
        // A planned case that nobody got to has no reproducer.
        if row.reproduce.is_empty() {
            return Ok(());
        }
        let starter = case.run_as.starter;
        let planned = reproduce::with(reproduce::command(trial, case), given);
        let (then, now) = (
            reproduce::place(&row.reproduce, starter),
            reproduce::place(&planned, starter),
        );
        if then == now {
            return Ok(());
        }
        let shown = |options: &[&str]| match options {
            [] => "none of these options".to_owned(),
            _ => pasteable(&options.iter().map(ToString::to_string).collect::<Vec<_>>()),
        };
        anyhow::bail!(
            "{} failed in {} with {}, and is planned here with {}: repeat the options of that run",
            row.case,
            self.name,
            shown(&then),
            shown(&now)
        )
    }
}
