//! The lane.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::hosts::{self, HostName};
use super::{attribute, offer};
use crate::case::glob::Glob;
use crate::case::guest::SUPPORTED;
use crate::case::host::DEFAULT_HOST;
use crate::case::{
    Accelerator, Case, EmulatedHost, Emulation, Lane, Qemu, Starter, Subject, Trial,
};
use crate::check::{Finding, Layer};
use crate::config::ConfigError;
use crate::cpuid::Line;
use crate::evidence::Evidence;
use crate::host::lab::{Wrapper, WrapperError};
use crate::host::{Ability, Unable};
use crate::lanes::backend::Comparable;
use crate::lanes::gather::{self, GatherError};
use crate::lanes::placing::{self, PlacingError, Wanted};
use crate::lanes::{
    Backend, Before, Bench, Observation, Observed, Place, Prerequisite, Scope, kvm_direct,
};
use crate::vmm::Options;

/// The lane's section of a selection.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Set {
    /// Globs over the labels of kernels.
    kernels: Vec<Glob>,
    /// Globs over CPU models whose recorded definition is given to KVM without QEMU; `supported` is what KVM itself supports.
    #[serde(rename = "kvm-direct")]
    kvm_direct: Vec<Glob>,
    /// Globs over CPU models that run under the QEMUs taken along.
    kvm: Vec<Glob>,
    /// Globs over the labels of QEMUs to take along.
    qemus: Vec<Glob>,
    /// Globs over CPU models whose guests are migrated between those QEMUs; left out, none.
    migration: Vec<Glob>,
    /// The emulated hosts; left out, the one that labs have by default.
    hosts: Vec<HostName>,
    /// The same for emulated Intel hosts, which take longer; left out, none are planned.
    intel: Option<Box<Set>>,
}

impl Set {
    /// What runs on the hosts of this emulator: what is said of Intel hosts, of these.
    fn for_hosts_of(&self, emulation: &Emulation) -> &Set {
        let intel = self.intel.as_deref();
        let is_intel = emulation.label != DEFAULT_HOST;
        intel.filter(|_| is_intel).unwrap_or(self)
    }

    /// Every emulated host that the selection names.
    fn hosts(&self) -> Vec<HostName> {
        let intel = self.intel.iter().flat_map(|intel| &intel.hosts);
        self.hosts.iter().chain(intel).cloned().collect()
    }
}

impl Default for Set {
    fn default() -> Self {
        Set {
            kernels: vec![Glob::any()],
            kvm_direct: vec![Glob::any()],
            kvm: vec![Glob::any()],
            qemus: vec![Glob::any()],
            migration: Vec::new(),
            hosts: vec![HostName::AMD],
            intel: None,
        }
    }
}

/// The lane.
pub struct Lab;

impl Backend for Lab {
    fn lane(&self) -> Lane {
        Lane::LAB
    }

    fn available(&self, _: &Ability, case: &Case) -> Result<(), Unable> {
        case.host.iter().try_for_each(|host| hosts::available(host))
    }

    fn runs_here_on(&self, _: Accelerator) -> bool {
        false
    }

    fn place(&self, case: Case, wanted: &Wanted) -> Result<Case, PlacingError> {
        placing::without_append(wanted)?;
        let kernel = wanted.kernel.as_ref();
        let kernel = kernel.ok_or(PlacingError::NeedsKernel(self.lane()))?;
        let starter = if case.cpu == SUPPORTED {
            Starter::Harness
        } else {
            Starter::Qemu
        };
        placing::in_lab(case, kernel, starter, wanted)
    }

    fn plan(&self, scope: &Scope<'_>) -> Result<Vec<Trial>, ConfigError> {
        let set: Set = scope.section(self.lane())?;
        let hosts = scope.emulated_hosts(&set.hosts());
        let of_host = |host: &Arc<EmulatedHost>| {
            let set = set.for_hosts_of(&host.emulation);
            if scope.takes_kernel(&set.kernels, &host.kernel.label) {
                of_host(scope, set, host)
            } else {
                Vec::new()
            }
        };
        let trials: Vec<Trial> = hosts.iter().flat_map(of_host).collect();
        if scope.filter.lanes.contains(&self.lane()) {
            refuse_wrappers(&trials)?;
        }
        Ok(trials)
    }

    fn places(&self, scope: &Scope<'_>) -> Option<Vec<Place>> {
        let place = |host: &Arc<EmulatedHost>| Place {
            name: format!("{}/{}", self.lane(), host.label()),
            host: Some(Arc::clone(host)),
            releases: host.kernel.expectations.join(host.file_name("releases")),
            ..Place::here(self.lane())
        };
        // A section that is malformed is an error of the plan.
        let set: Set = scope.section(self.lane()).unwrap_or_default();
        let hosts = scope.emulated_hosts(&set.hosts());
        Some(hosts.iter().map(place).collect())
    }

    fn migrated(
        &self,
        scope: &Scope<'_>,
        place: &Place,
        _: &[Glob],
    ) -> Result<crate::lanes::backend::Migrated, ConfigError> {
        let set: Set = scope.section(self.lane())?;
        let Some(host) = &place.host else {
            return Ok(crate::lanes::backend::Migrated::default());
        };
        let set = set.for_hosts_of(&host.emulation);
        let here = scope.takes_kernel(&set.kernels, &host.kernel.label);
        Ok(crate::lanes::backend::Migrated {
            models: if here {
                set.migration.clone()
            } else {
                Vec::new()
            },
            qemus: set.qemus.clone(),
        })
    }

    fn before_boot(&self, bench: &Bench, case: &Case) -> Vec<Prerequisite> {
        match case.run_as.starter {
            Starter::Harness => kvm_direct::definition_to_boot(bench, case),
            _ => Vec::new(),
        }
    }

    fn before_gather(&self, case: &Case) -> Vec<Prerequisite> {
        match case.run_as.starter {
            Starter::Qemu => gather::definition_and_enforce(case),
            _ => Vec::new(),
        }
    }

    fn boot(&self, bench: &Bench, case: &Case, options: &Options, before: &Before) -> Observed {
        match case.run_as.starter {
            Starter::Harness => kvm_direct::boot(bench, case, options, before),
            _ => {
                let mut seen = bench.boot_qemu(case, options);
                let command = self.command(bench, case).unwrap_or_default();
                match &mut seen {
                    Ok(seen) => seen.command = command,
                    Err(broken) if !broken.command.is_empty() => broken.command = command,
                    Err(_) => {}
                }
                seen
            }
        }
    }

    fn gather(
        &self,
        bench: &Bench,
        case: &Case,
        seen: &Observation,
        before: &Before,
    ) -> Result<Evidence, GatherError> {
        match case.run_as.starter {
            Starter::Harness => Ok(gather::direct(bench, case, seen, before)),
            _ => gather::under_kvm(bench, case, seen, before),
        }
    }

    fn lines(&self, bench: &Bench, case: &Case, evidence: &Evidence) -> Vec<Line> {
        match case.run_as.starter {
            Starter::Nobody => offer::lines(bench, case, evidence),
            _ => evidence.guest_lines(&bench.store.table, &bench.store.volatile),
        }
    }

    fn comparable(&self, bench: &Bench, trial: &Trial, _: &Case, lines: &[Line]) -> Comparable {
        offer::comparable(bench, trial, lines)
    }

    fn layer(&self) -> Layer {
        attribute::LAYER
    }

    fn attribute(
        &self,
        bench: &Bench,
        evidence: &Evidence,
        changes: &mut Vec<Finding>,
    ) -> Vec<String> {
        if let Some(kvm) = evidence.kvm.value() {
            attribute::fold_absent_msrs(changes, kvm);
        }
        let host = evidence.host.as_deref();
        host.map_or_else(Vec::new, |host| {
            attribute::attribute(changes, host, &bench.store.table)
        })
    }

    fn command(&self, _: &Bench, case: &Case) -> Option<Vec<String>> {
        Some(super::super::backend::dump_command(case))
    }
}

/// Refuses QEMUs behind wrappers that no lab can run. Where nobody asked for this lane they are errors of their own cases, and the
/// other lanes run.
fn refuse_wrappers(trials: &[Trial]) -> Result<(), WrapperError> {
    let cases = trials.iter().flat_map(|trial| &trial.cases);
    let started = cases.filter(|case| case.run_as.starter == Starter::Qemu);
    let paths: BTreeSet<&Path> = started.map(|case| &*case.qemu.path).collect();
    paths
        .into_iter()
        .try_for_each(|path| Wrapper::read(path).map(drop))
}

/// The trials of an emulated host that is named, with every QEMU; of these models, else of those of the selection.
///
/// # Errors
/// The lane's section of the configuration is malformed.
pub fn of_named_host(
    scope: &Scope<'_>,
    host: &Arc<EmulatedHost>,
    models: Option<&[Glob]>,
) -> Result<Vec<Trial>, ConfigError> {
    let set: Set = scope.section(Lane::LAB)?;
    let mut set = set.for_hosts_of(&host.emulation).clone();
    set.qemus = vec![Glob::any()];
    if let Some(models) = models {
        set.kvm = models.to_vec();
        set.kvm_direct = models.to_vec();
    }
    Ok(of_host(scope, &set, host))
}

/// The trials of one emulated host: its KVM, guests on KVM alone, guests under QEMUs.
fn of_host(scope: &Scope<'_>, set: &Set, host: &Arc<EmulatedHost>) -> Vec<Trial> {
    let filter = scope.filter;
    let chosen = |globs: &[Glob], name: &str| Glob::matches(globs, name) && filter.model(name);
    let mut trials = Vec::new();
    if filter.machine(offer::MACHINE) && filter.models.is_empty() {
        trials.push(of_kvm(host));
    }
    // QEMU's own `host` is no table that was recorded, and `max` none that is the same everywhere.
    if let Some(newest) = scope.qemus.last() {
        let models = newest.offers.versioned_models().chain([SUPPORTED]);
        let models = models.filter(|name| chosen(&set.kvm_direct, name));
        let trial = |model| guest(scope, host, newest, Starter::Harness, ("kvm-direct", model));
        trials.extend(models.filter_map(trial));
    }
    for qemu in scope.qemus {
        if Glob::matches(&set.qemus, &qemu.label) {
            let models = qemu.offers.model_names();
            let models = models.filter(|name| chosen(&set.kvm, name));
            let trial = |model| guest(scope, host, qemu, Starter::Qemu, (&qemu.label, model));
            trials.extend(models.filter_map(trial));
        }
    }
    trials
}

/// What KVM reports of itself; it has neither machine type nor model, and no guest runs.
fn of_kvm(host: &Arc<EmulatedHost>) -> Trial {
    let name = format!("{}/{}/kvm", Lane::LAB, host.label());
    let file = host.kvm_expectation();
    Trial::single(name, Subject::Whole, file, offer::case(host))
}

fn guest(
    scope: &Scope<'_>,
    host: &Arc<EmulatedHost>,
    qemu: &Arc<Qemu>,
    starter: Starter,
    (part, model): (&str, &str),
) -> Option<Trial> {
    let machine = qemu.newest_machine()?;
    if !scope.filter.machine(machine) {
        return None;
    }
    let mut case = Case::new(qemu, Lane::LAB, machine, model);
    case.run_as.starter = starter;
    case.host = Some(Arc::clone(host));
    case.skipped_phases = scope
        .config
        .skipped_phases(case.phases_lane(), &qemu.label, model);
    let name = format!("{}/{}/{part}/{model}", Lane::LAB, host.label());
    let file = host.kvm_expectation();
    Some(Trial::single(name, Subject::Layers, file, case))
}
