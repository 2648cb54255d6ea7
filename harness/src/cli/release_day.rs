//! `release-day`: a QEMU that nobody recorded is recorded and compared with the release before it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::Args;
use cpuid_fidelity::case::glob::Glob;
use cpuid_fidelity::case::{Qemu, Trial};
use cpuid_fidelity::config::Profile;
use cpuid_fidelity::expectation::{Recorder, pending};
use cpuid_fidelity::report::release_notes::ReleaseNotes;
use cpuid_fidelity::results::{Row, Status};
use cpuid_fidelity::run::Engine;
use cpuid_fidelity::run::catalogue::{self, Chosen, Ground};
use cpuid_fidelity::run::release_day::{self, Kept, Wanted};
use cpuid_fidelity::util::files::writable;
use cpuid_fidelity::util::near::hint;

use super::common::exit::write_result;
use super::common::qemu::{installed, one_qemu};
use super::{Context, NOT_RUN, NotRun, print_line};

/// `release-day`.
#[derive(Debug, Args)]
pub struct ReleaseDay {
    /// Only CPU models that match; repeatable
    #[arg(long = "cpu", value_name = "GLOB")]
    pub models: Vec<Glob>,
    /// Only machine types that match, and the newest q35 one; repeatable
    #[arg(long = "machine", value_name = "GLOB")]
    pub machines: Vec<Glob>,
    /// Which selection of the configuration, of lanes `definition` and `tcg`
    #[arg(
        long,
        value_enum,
        default_value = "nightly",
        env = "CPUID_FIDELITY_PROFILE"
    )]
    pub profile: Profile,
    /// Write the page of release notes here, in Markdown
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub notes: PathBuf,
    /// Write the expectations that wait for review below this folder instead of beside the reviewed ones
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Count this release, and what is newer, as not recorded
    #[arg(long, requires = "out")]
    pub rehearse: bool,
}

/// Records, compares and writes both; the exit status: 1 where guests of old machine types see something else.
pub fn run(context: &Context, arguments: &ReleaseDay) -> anyhow::Result<u8> {
    let qemu = one_qemu(&context.inventory()?)?;
    let engine = engine(context, arguments, &qemu)?;
    let folder = folder(context, arguments)?;
    let notes = &arguments.notes;
    writable(notes)
        .map_err(|error| anyhow::anyhow!("failed to write {}: {error}", notes.display()))?;
    let day = Day {
        context,
        engine: &engine,
        recorder: &Recorder::default(),
        qemu: &qemu,
        from: &release_day::reference(&engine, &qemu)?,
        whole: arguments.models.is_empty() && arguments.machines.is_empty(),
    };
    let trials = trials(&day, arguments)?;
    let kept = Kept::new(&engine.bench.store, &qemu);
    let problems = day.record(&trials, &kept);
    if engine.bench.cancelled() {
        return Err(NotRun("cancelled; the same command goes on where it ended".to_owned()).into());
    }
    let status = day.compare(notes, &problems)?;
    day.write(&folder)?;
    kept.remove();
    Ok(status)
}

/// An engine for which, in a rehearsal, this release is not recorded.
fn engine(context: &Context, arguments: &ReleaseDay, qemu: &Qemu) -> anyhow::Result<Engine> {
    let mut engine = context.engine()?;
    if arguments.rehearse {
        let files = &engine.bench.store.files;
        engine.bench.store.files = files.before(&qemu.offers.release_name());
    }
    Ok(engine)
}

fn trials(day: &Day<'_>, arguments: &ReleaseDay) -> anyhow::Result<Vec<Trial>> {
    let wanted = Wanted {
        profile: arguments.profile,
        models: &arguments.models,
        machines: &arguments.machines,
    };
    let trials = release_day::trials(day.engine, &day.context.config, day.qemu, &wanted)?;
    let offers = &day.qemu.offers;
    let near = |glob: &Glob| hint(glob.as_str(), offers.model_names());
    anyhow::ensure!(
        !trials.is_empty(),
        "no CPU model of {} matches; `cpuid-fidelity models` lists them{}",
        day.qemu.label,
        arguments.models.iter().map(near).collect::<String>()
    );
    Ok(trials)
}

/// Where the files that wait for review go.
fn folder(context: &Context, arguments: &ReleaseDay) -> anyhow::Result<PathBuf> {
    let beside = &context.config.expectations;
    let folder = arguments.out.as_ref().unwrap_or(beside);
    anyhow::ensure!(
        arguments.out.is_some() || beside.is_dir(),
        "no folder of expectations here: --out DIR names one for what is recorded"
    );
    Ok(folder.clone())
}

/// What is known once the guests are recorded.
struct Day<'a> {
    context: &'a Context,
    engine: &'a Engine,
    recorder: &'a Recorder,
    qemu: &'a Arc<Qemu>,
    from: &'a str,
    /// Whether no model and no machine type is left out.
    whole: bool,
}

impl Day<'_> {
    /// Boots the guests; what is wrong with them.
    fn record(&self, trials: &[Trial], kept: &Kept) -> Vec<Row> {
        let cases = trials.iter().flat_map(|trial| &trial.cases);
        let guests: BTreeSet<_> = cases.map(|case| case.id()).collect();
        let (done, all) = (AtomicUsize::new(0), trials.len());
        note!("recording {all} expectations from {} guests", guests.len());
        let ended = |_: &Trial| {
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            if done * 10 / all > (done - 1) * 10 / all {
                note!("{done} of {all} recorded");
            }
        };
        release_day::record(self.engine, self.recorder, trials, kept, &ended)
    }

    /// Writes the files that wait for review.
    fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let files = &self.engine.bench.store.files;
        let written = pending::write(folder, files, &self.recorder.files(files)?);
        let written = written.map_err(|error| NotRun(error.to_string()))?;
        note!(
            "{} files wait for review in {}",
            written.len(),
            folder.display()
        );
        Ok(())
    }

    /// Compares, and writes the page; the exit status.
    fn compare(&self, notes: &Path, problems: &[Row]) -> anyhow::Result<u8> {
        let config = &self.context.config;
        let qemus = installed(self.context).qemus;
        note!("measuring compat properties");
        let causes = release_day::causes(self.engine, self.recorder, config, self.qemu, &qemus);
        let causes = causes.map_err(NotRun)?;
        let names = self.names()?;
        let differences =
            release_day::differences(self.engine, self.recorder, self.qemu, self.from)?;
        let offers = &self.qemu.offers;
        let version = match offers.package.as_str() {
            "" => offers.version.clone(),
            package => format!("{} ({package})", offers.version),
        };
        let before = format!("pc-q35-{}", self.from);
        let page = ReleaseNotes {
            version: &version,
            from: self.from,
            newest: [self.qemu.newest_machine().unwrap_or_default(), &before],
            differences: &differences,
            causes: &causes,
            names: &names,
            problems,
        };
        write_result(notes, &page.page())?;
        if notes != Path::new("-") {
            print_line(&format!("what guests see differently: {}", notes.display()));
        }
        let unobserved = |row: &Row| matches!(row.status, Status::Error | Status::Miss);
        if problems.iter().any(unobserved) {
            return Ok(NOT_RUN);
        }
        let has_changes = !differences.shared_are_alike() || !problems.is_empty();
        Ok(u8::from(has_changes))
    }

    /// Where the table of features and the properties of the whole QEMU contradict each other; a part of it is not asked.
    fn names(&self) -> anyhow::Result<Vec<String>> {
        if !self.whole {
            return Ok(Vec::new());
        }
        note!("measuring the names of features");
        let measured =
            catalogue::measure(self.engine, &Ground::definition(self.qemu), &Chosen::all())?;
        let table = &self.engine.bench.store.table;
        let release = self.qemu.offers.release();
        Ok(catalogue::disagreements(&measured, table, release))
    }
}
