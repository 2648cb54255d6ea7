//! `nightly`: the whole matrix, resumable, kept night by night.

use std::path::{Path, PathBuf};

use clap::Args;
use cpuid_fidelity::config::Profile;
use cpuid_fidelity::results::RunFile;
use cpuid_fidelity::results::history::RESULTS;

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
    /// Hold the KVM lanes against this host as `record --host-baseline` recorded it there
    #[arg(long, value_name = "DIR")]
    pub host_baseline: Option<PathBuf>,
    #[command(flatten)]
    pub choice: Choice,
}

/// Where a night is kept until it is over. A name with a dot is no night.
const TONIGHT: &str = ".tonight";

/// Runs the nightly selection; the exit status is that of the run.
pub fn run(context: &Context, arguments: &Nightly) -> anyhow::Result<u8> {
    let history = match &arguments.history {
        Some(folder) => folder.clone(),
        None => context.config.cache.join("nights"),
    };
    let tonight = history.join(TONIGHT);
    let file = |name: &str| Some(tonight.join(name));
    let mut choice = arguments.choice.clone();
    choice.profile = Profile::Nightly;
    let run = Run {
        compat: Compat::default(),
        choice,
        json: file(RESULTS),
        resume: true,
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

/// The night is over: its folder gets the time it started as its name, in one step.
fn keep(history: &Path, tonight: &Path) -> anyhow::Result<PathBuf> {
    let started = RunFile::read(&tonight.join(RESULTS))?.head.started;
    let name = started.replace(':', "");
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
