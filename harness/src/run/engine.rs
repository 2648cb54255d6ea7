//! Boots cases: what a case needs first, then the case; a guest that several trials need runs once.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::Baseline;
use crate::case::flags::model;
use crate::case::reproduce::Given;
use crate::case::{Case, CaseId, Starter, Trial};
use crate::check::Rules;
use crate::check::behaviour::{Deviation, deviations};
use crate::evidence::{Evidence, Promised};
use crate::expectation::Store;
use crate::expectation::promise::Unrecorded;
use crate::lanes::{
    Backend, Before, Bench, Broken, GatherError, Observation, Observed, Prerequisite, Registry,
};
use crate::util::cancel::Cancel;
use crate::vmm::Options;

/// Everything that trials share.
pub struct Engine {
    /// The lanes.
    pub registry: Registry,
    /// What they share.
    pub bench: Bench,
    /// This host as it was, where it is to be compared with that.
    pub baseline: Option<Baseline>,
    /// The options that the run was given beside its cases: reproducers need them again.
    pub given: Given,
    /// Checks that are off, by name: the self-test by mutation shows with it that a mutant dies of the check that it is meant for.
    pub without: BTreeSet<String>,
    seen: Mutex<HashMap<CaseId, Arc<OnceLock<Arc<Observed>>>>>,
}

/// A case with its guest and its evidence.
#[derive(Clone, Debug)]
pub struct Gathered {
    /// The guest; `None` where none was to run.
    pub guest: Option<Arc<Observed>>,
    /// All layers, or why a layer is missing.
    pub evidence: Result<Evidence, GatherError>,
}

impl Engine {
    /// An engine that runs up to `jobs` guests at once, 0 for one a core.
    ///
    /// # Errors
    /// The ROM cannot be written to the cache, or no thread can be started.
    pub fn new(
        store: Store,
        options: Options,
        jobs: usize,
        cancel: Cancel,
    ) -> anyhow::Result<Engine> {
        Ok(Engine {
            registry: Registry::default(),
            bench: Bench::new(store, options, jobs, cancel)?,
            baseline: None,
            given: Given::default(),
            without: BTreeSet::new(),
            seen: Mutex::default(),
        })
    }

    /// The lane of a case.
    ///
    /// # Errors
    /// It is not registered.
    pub fn lane(&self, case: &Case) -> Result<&dyn Backend, Broken> {
        let lane = self.registry.get(case.lane);
        lane.ok_or_else(|| Broken::not_started(format!("no lane {}", case.lane)))
    }

    /// Has the QEMUs that trials start on emulated hosts taken along; to be called before the trials run.
    pub fn prepare<'a>(&self, trials: impl IntoIterator<Item = &'a Trial>) {
        self.bench.labs.prepare(trials);
    }

    /// Boots the guest of `case`, once: whoever asks again gets the same answer.
    pub fn observe(&self, case: &Case) -> Arc<Observed> {
        let cell = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(seen.entry(case.id()).or_default())
        };
        Arc::clone(cell.get_or_init(|| {
            let mut options = self.bench.options.clone();
            // Where nothing is filtered, and where no QEMU waits for questions, there is nothing to ask.
            options.view = !case.run_as.forced_features && case.linux.is_none();
            Arc::new(self.boot(case, &options))
        }))
    }

    /// Boots the guest of `case` with these options, and remembers nothing but the guests that it needs first.
    ///
    /// # Errors
    /// It did not run to its end.
    pub fn boot(&self, case: &Case, options: &Options) -> Observed {
        let lane = self.lane(case)?;
        let before = self.before(lane.before_boot(&self.bench, case));
        let boot = || lane.boot(&self.bench, case, options, &before);
        self.bench.on_its_thread(case, boot)
    }

    fn before(&self, wanted: Vec<Prerequisite>) -> Before {
        let mut before = Before::default();
        for Prerequisite { role, case } in wanted {
            before.insert(role, self.observe(&case));
        }
        before
    }

    /// All layers of a case: its guest booted, what that needs first booted before it, and the layers gathered.
    pub fn gather(&self, case: &Case) -> Gathered {
        if case.run_as.starter == Starter::Nobody {
            let evidence = self
                .lane(case)
                .map_err(|broken| GatherError::Layer(broken.reason))
                .and_then(|lane| lane.gather_machine(&self.bench, case));
            return Gathered {
                guest: None,
                evidence,
            };
        }
        let guest = self.observe(case);
        let evidence = match &*guest {
            Err(broken) => Err(GatherError::Layer(broken.reason.clone())),
            Ok(seen) => self.evidence(case, seen),
        };
        Gathered {
            guest: Some(guest),
            evidence,
        }
    }

    /// All layers of a case whose guest was booted.
    ///
    /// # Errors
    /// A layer could not be had.
    pub fn evidence(&self, case: &Case, seen: &Observation) -> Result<Evidence, GatherError> {
        let lane = self.lane(case);
        let lane = lane.map_err(|broken| GatherError::Layer(broken.reason))?;
        let mut before = self.before(lane.before_boot(&self.bench, case));
        before.extend(&self.before(lane.before_gather(case)));
        let evidence = lane.gather(&self.bench, case, seen, &before)?;
        // A domain's XML may name another model than the case, as in mode `host-model`.
        let made = evidence.libvirt.as_ref();
        let made = made.and_then(|libvirt| libvirt.cpu_argument());
        let promised = self.promised(case, model(made.unwrap_or(&case.cpu)))?;
        Ok(Evidence {
            promised,
            ..evidence
        })
    }

    /// The reviewed definition of a model on the case's machine type; `None` where there is none, as of `host`, or where QEMU has no hand in the guest.
    fn promised(&self, case: &Case, model: &str) -> Result<Option<Promised>, GatherError> {
        if case.run_as.starter == Starter::Harness {
            return Ok(None);
        }
        let store = &self.bench.store;
        match store.promised(&case.qemu.release_folder(), &case.machine, model) {
            Ok(promised) => Ok(Some(promised)),
            Err(Unrecorded::Release(_) | Unrecorded::Model { .. } | Unrecorded::Machine { .. }) => {
                Ok(None)
            }
            Err(unreadable) => Err(GatherError::Layer(unreadable.to_string())),
        }
    }

    /// What the guest does otherwise than its CPUID says; `None` where nothing was tried.
    pub fn deviations(&self, evidence: &Evidence) -> Option<Vec<Deviation>> {
        let store = &self.bench.store;
        deviations(evidence, &store.behaviour, &store.table)
    }

    /// The tables that checks are about.
    pub fn rules(&self) -> Rules<'_> {
        Rules {
            table: &self.bench.store.table,
            linux: Some(&self.bench.store.linux),
            behaviour: Some(&self.bench.store.behaviour),
        }
    }
}
