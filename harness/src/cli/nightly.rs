//! `nightly`: the whole matrix, resumable, kept night by night.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Command};
use cpuid_fidelity::config::Profile;
use cpuid_fidelity::results::RunFile;
use cpuid_fidelity::results::history::RESULTS;
use cpuid_fidelity::util::cache::writable_folder;
use cpuid_fidelity::util::lock::{Lock, LockError};
use cpuid_fidelity::util::path::component;

use super::common::choice::Choice;
use super::common::outputs::Outputs;
use super::compat::Compat;
use super::run::Run;
use super::{Context, NotRun, print, print_line};

/// `nightly`.
#[derive(Debug, Args)]
pub struct Nightly {
    /// Folder of the nights; each leaves a folder of its own there [default: nights in the cache folder]
    #[arg(long, value_name = "DIR")]
    pub history: Option<PathBuf>,
    /// Compare the KVM lanes with this host as `record --host-baseline` recorded it there
    #[arg(long, value_name = "DIR")]
    pub host_baseline: Option<PathBuf>,
    #[command(flatten)]
    pub choice: Choice,
}

/// The verb's command line: its selection is the nightly one, unless `--profile` names another.
pub fn by_night(command: Command) -> Command {
    command.mut_arg("profile", |profile| {
        profile.default_value(Profile::Nightly.name())
    })
}

/// Where a night is kept until it is over. A name with a dot is no night.
const TONIGHT: &str = ".tonight";

/// The file that is locked while a nightly runs.
const LOCK: &str = ".lock";

/// Runs the nightly selection; the exit status is that of the run.
pub fn run(context: &Context, arguments: &Nightly) -> anyhow::Result<u8> {
    let history = match &arguments.history {
        Some(folder) => folder.clone(),
        None => writable_folder(&context.config.cache.join("nights"))
            .context("no folder for the nights: name one with --history")?,
    };
    let _lock = lock(&history)?;
    let tonight = history.join(TONIGHT);
    let file = |name: &str| Some(tonight.join(name));
    let run = Run {
        compat: Compat::default(),
        choice: arguments.choice.clone(),
        json: file(RESULTS),
        resume: true,
        failed: None,
        fail_fast: false,
        no_waivers: false,
        host_baseline: arguments.host_baseline.clone(),
        outputs: Outputs {
            junit: file("junit.xml"),
            markdown: file("summary.md"),
            html: file("report.html"),
            history: Some(history.clone()),
            ..Outputs::default()
        },
    };
    let status = super::run::run(context, &run)?;
    if context.cancel.thrown() {
        print("interrupted: `nightly` again goes on from here\n");
        return Ok(status);
    }
    let kept = keep(&history, &tonight)?;
    print_line(&format!("kept in {}", kept.display()));
    Ok(status)
}

/// Has the folder of nights for this process until the end.
fn lock(history: &Path) -> anyhow::Result<Lock> {
    std::fs::create_dir_all(history)
        .with_context(|| format!("failed to make {}", history.display()))?;
    Lock::take(&history.join(LOCK)).map_err(|error| match error {
        LockError::Held(_) => NotRun(format!(
            "another nightly is under way in {}: {error}; this one was not run",
            history.display()
        ))
        .into(),
        error => error.into(),
    })
}

/// The night is over: its folder gets the time it started as its name, in one step.
fn keep(history: &Path, tonight: &Path) -> anyhow::Result<PathBuf> {
    let started = RunFile::read(&tonight.join(RESULTS))?.head.started;
    let name = started.replace(':', "");
    anyhow::ensure!(
        component(&name).is_some(),
        "{} does not say when the night started: {started:?}",
        tonight.join(RESULTS).display()
    );
    let mut folder = history.join(&name);
    let mut again = 2;
    while folder.exists() {
        folder = history.join(format!("{name}.{again}"));
        again += 1;
    }
    std::fs::rename(tonight, &folder)
        .map_err(|error| NotRun(format!("failed to keep {}: {error}", folder.display())))?;
    Ok(folder)
}
