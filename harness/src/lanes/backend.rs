//! The interface of a lane.

use std::path::PathBuf;
use std::sync::Arc;

use super::before::{Before, Prerequisite};
use super::bench::Bench;
use super::gather::{self, GatherError};
use super::observation::{Observation, Observed};
use super::placing::{self, PlacingError, Wanted};
use super::scope::Scope;
use crate::case::glob::Glob;
use crate::case::{Accelerator, Case, EmulatedHost, Lane, Qemu, RunAs, Trial};
use crate::check::{Finding, Layer};
use crate::config::ConfigError;
use crate::cpuid::Line;
use crate::evidence::Evidence;
use crate::host::{Ability, Unable};
use crate::vmm::Options;

/// Where the guests of pairs run: releases that are compared, and migrations.
#[derive(Clone, Debug)]
pub struct Place {
    /// First parts of the trials' names: `definition`, `lab/linux-6.12`.
    pub name: String,
    /// The lane.
    pub lane: Lane,
    /// How guests run there.
    pub run_as: RunAs,
    /// The emulated host; `None` for this host.
    pub host: Option<Arc<EmulatedHost>>,
    /// Folder of the expectations of pairs of releases.
    pub releases: PathBuf,
}

impl Place {
    /// This host; expectations of pairs of releases lie in a folder named after the lane.
    pub fn here(lane: Lane) -> Place {
        Place {
            name: lane.name().to_owned(),
            lane,
            run_as: lane.run_as(),
            host: None,
            releases: PathBuf::from("releases").join(lane.name()),
        }
    }

    /// A guest there.
    pub fn case(&self, qemu: &Arc<Qemu>, machine: &str, cpu: &str) -> Case {
        Case {
            run_as: self.run_as,
            host: self.host.clone(),
            ..Case::new(qemu, self.lane, machine, cpu)
        }
    }
}

/// What of a place's guests is migrated.
#[derive(Clone, Debug, Default)]
pub struct Migrated {
    /// Globs over CPU models.
    pub models: Vec<Glob>,
    /// Globs over the labels of QEMUs.
    pub qemus: Vec<Glob>,
}

/// The command line of this program that boots the guest of `case` again.
pub fn dump_command(case: &Case) -> Vec<String> {
    let arguments = [
        "cpuid-fidelity",
        "dump",
        "--lane",
        case.lane.name(),
        "--qemu",
        &case.qemu.path.to_string_lossy(),
        "--machine",
        &case.machine,
        "--cpu",
        &case.cpu,
        "--smp",
        case.smp.as_str(),
    ];
    let host = case.host.iter().flat_map(|host| host.arguments());
    arguments
        .into_iter()
        .map(str::to_owned)
        .chain(host)
        .collect()
}

/// A lane. Whatever is common to lanes is a provided method.
pub trait Backend: Send + Sync {
    /// Its name.
    fn lane(&self) -> Lane;

    /// Whether a case of it can run on this machine; decided before anything is booted.
    ///
    /// # Errors
    /// Why it cannot.
    fn available(&self, ability: &Ability, case: &Case) -> Result<(), Unable>;

    /// The trials of a selection.
    ///
    /// # Errors
    /// The lane's section of the configuration is malformed.
    fn plan(&self, scope: &Scope<'_>) -> Result<Vec<Trial>, ConfigError>;

    /// Where guests of pairs of releases and of migrations run in this lane: none on a machine without what it needs. `None` for a
    /// lane whose releases cannot be compared and whose guests cannot be migrated on any machine.
    fn places(&self, scope: &Scope<'_>) -> Option<Vec<Place>> {
        let _ = scope;
        None
    }

    /// Whether guests of the lane can run on this host with this accelerator.
    fn runs_here_on(&self, accelerator: Accelerator) -> bool {
        self.lane().run_as().accelerator == accelerator
    }

    /// The guest as the lane runs it for a command line: on which machine, with which kernel.
    ///
    /// # Errors
    /// The lane has no use for what is named, or lacks what it needs.
    fn place(&self, case: Case, wanted: &Wanted) -> Result<Case, PlacingError> {
        placing::without_kernel(case, wanted)
    }

    /// What is migrated at a place. `models` are those of the selection of migrations, which a lane may have a list of its own for.
    ///
    /// # Errors
    /// The lane's section of the configuration is malformed.
    fn migrated(
        &self,
        scope: &Scope<'_>,
        place: &Place,
        models: &[Glob],
    ) -> Result<Migrated, ConfigError> {
        let _ = (scope, place);
        Ok(Migrated {
            models: models.to_vec(),
            qemus: vec![Glob::any()],
        })
    }

    /// Why a trial is not run, known before it runs, beside what its expectation says.
    fn skip(&self, bench: &Bench, trial: &Trial) -> Option<String> {
        let _ = (bench, trial);
        None
    }

    /// Whether cases are checked by rules where nothing was recorded of them, instead of being skipped.
    fn runs_unrecorded(&self) -> bool {
        false
    }

    /// Guests that must have run before the guest of `case` can be started.
    fn before_boot(&self, bench: &Bench, case: &Case) -> Vec<Prerequisite> {
        let _ = (bench, case);
        Vec::new()
    }

    /// Further guests that its evidence needs.
    fn before_gather(&self, case: &Case) -> Vec<Prerequisite> {
        let _ = case;
        Vec::new()
    }

    /// Boots the guest of `case`. Called on the bench's pool.
    fn boot(&self, bench: &Bench, case: &Case, options: &Options, before: &Before) -> Observed {
        let _ = before;
        bench.boot_qemu(case, options)
    }

    /// All layers of a case whose guest ran to its end; no guest is booted here.
    ///
    /// # Errors
    /// A layer that the lane's checks need could not be had.
    fn gather(
        &self,
        bench: &Bench,
        case: &Case,
        seen: &Observation,
        before: &Before,
    ) -> Result<Evidence, GatherError>;

    /// All layers of a case without a guest ([`crate::case::Starter::Nobody`]): the machine itself.
    ///
    /// # Errors
    /// The machine cannot be asked.
    fn gather_machine(&self, bench: &Bench, case: &Case) -> Result<Evidence, GatherError> {
        gather::machine(bench, case)
    }

    /// The lines that an expectation of this lane holds.
    fn lines(&self, bench: &Bench, case: &Case, evidence: &Evidence) -> Vec<Line> {
        let _ = case;
        evidence.guest_lines(&bench.store.table, &bench.store.volatile)
    }

    /// Whether these lines may be compared with what was recorded.
    fn comparable(&self, bench: &Bench, trial: &Trial, case: &Case, lines: &[Line]) -> Comparable {
        let _ = (bench, trial, case, lines);
        Comparable::Yes
    }

    /// The layer that differs where the guest is not as expected.
    fn layer(&self) -> Layer {
        Layer::Qemu
    }

    /// Finds the layers that are responsible for differences from the expectation, and the causes, where the evidence shows any; what
    /// one difference says better than many becomes one.
    fn attribute(
        &self,
        bench: &Bench,
        evidence: &Evidence,
        changes: &mut Vec<Finding>,
    ) -> Vec<String> {
        let _ = (bench, evidence, changes);
        Vec::new()
    }

    /// The command line that runs the guest of `case` again, where QEMU's own means nothing outside.
    fn command(&self, bench: &Bench, case: &Case) -> Option<Vec<String>> {
        let _ = (bench, case);
        None
    }
}

/// Whether a case may be compared with what was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comparable {
    /// It may.
    Yes,
    /// The checks that need no expectation decide alone, for this reason.
    ByRulesAlone(String),
    /// It is skipped, for this reason.
    No(String),
}
