//! The lane.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::attribute::attribute;
use super::emulated;
use super::kernels::with_parameters;
use crate::case::glob::Glob;
use crate::case::{Accelerator, Case, EmulatedHost, LabKernel, Lane, Qemu, Subject, Trial};
use crate::check::behaviour::worth_trying;
use crate::check::linux::{Guest, LAYER};
use crate::check::{Finding, Layer};
use crate::config::ConfigError;
use crate::cpuid::{Line, Register, parse};
use crate::evidence::Evidence;
use crate::evidence::linux_lines::value;
use crate::expectation::store::Expected;
use crate::host::{Ability, Unable};
use crate::lanes::backend::Comparable;
use crate::lanes::gather::{self, GatherError};
use crate::lanes::lab::hosts;
use crate::lanes::placing::{PlacingError, Wanted};
use crate::lanes::{
    Backend, Before, Bench, Broken, Observation, Observed, Prerequisite, Role, Scope,
};
use crate::vmm::Options;
use crate::vmm::linux::boot_timeout;

/// The lane's section of a selection.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Set {
    /// Globs over the labels of kernels.
    kernels: Vec<Glob>,
    /// Globs over CPU models.
    models: Vec<Glob>,
    /// Globs over the labels of QEMUs.
    qemus: Vec<Glob>,
    /// What executes the guests.
    accelerators: Vec<Accelerator>,
}

impl Default for Set {
    fn default() -> Self {
        Set {
            kernels: vec![Glob::any()],
            models: vec![Glob::any()],
            qemus: vec![Glob::any()],
            accelerators: vec![Accelerator::Tcg],
        }
    }
}

/// The line with the QEMU on which a guest ran: what TCG emulates depends on the release.
const EMULATOR: &str = "emulator";

/// Bit of CPUID.07H.00H:ECX.
const LA57: u32 = 16;

/// The lane.
pub struct Linux;

impl Backend for Linux {
    fn lane(&self) -> Lane {
        Lane::LINUX
    }

    fn available(&self, ability: &Ability, case: &Case) -> Result<(), Unable> {
        if let Some(host) = &case.host {
            return hosts::available(host);
        }
        if case.uses_kvm() {
            ability.linux_guests()
        } else {
            Ok(())
        }
    }

    fn runs_here_on(&self, _: Accelerator) -> bool {
        true
    }

    fn place(&self, case: Case, wanted: &Wanted) -> Result<Case, PlacingError> {
        let kernel = wanted.kernel.as_ref().or(wanted.guest_kernel.as_ref());
        let kernel = kernel.ok_or(PlacingError::NoKernelHere)?;
        let with_append = Arc::new(with_parameters(kernel, &wanted.append));
        let accelerator = wanted.accelerator.unwrap_or_default();
        let (machine, cpu) = (&*case.machine, &*case.cpu);
        let here = Case {
            smp: case.smp.clone(),
            ..guest(&case.qemu, &with_append, accelerator, (machine, cpu))
        };
        emulated::placed(here, kernel, wanted)
    }

    fn plan(&self, scope: &Scope<'_>) -> Result<Vec<Trial>, ConfigError> {
        let set: Set = scope.section(self.lane())?;
        let hosts = emulated::hosts(scope);
        let accelerators = match scope.filter.accelerator {
            _ if !hosts.is_empty() => vec![Accelerator::Kvm],
            Some(accelerator) => vec![accelerator],
            None => set.accelerators.clone(),
        };
        let mut trials = Vec::new();
        for kernel in scope.guest_kernels {
            let kernel = with_parameters(kernel, &scope.filter.kernel_parameters);
            if !scope.takes_kernel(&set.kernels, plain(&kernel.label)) {
                continue;
            }
            let host = hosts
                .iter()
                .find(|host| host.kernel.path == kernel.path)
                .cloned();
            let kernel = Arc::new(kernel);
            for accelerator in &accelerators {
                let qemus = scope.qemus.iter();
                let qemus = qemus.filter(|qemu| Glob::matches(&set.qemus, &qemu.label));
                let trials_of = |qemu| {
                    let machine = (*accelerator, host.as_ref());
                    of_qemu(scope, &set, qemu, &kernel, machine)
                };
                trials.extend(qemus.flat_map(trials_of));
            }
        }
        Ok(trials)
    }

    fn runs_unrecorded(&self) -> bool {
        true
    }

    fn before_boot(&self, bench: &Bench, case: &Case) -> Vec<Prerequisite> {
        emulated::take_along(bench, case);
        vec![Prerequisite {
            role: Role::BareMetal,
            case: bare_metal(case),
        }]
    }

    fn before_gather(&self, case: &Case) -> Vec<Prerequisite> {
        // The way of the features down to the guest is that of the same CPU without an operating system.
        vec![Prerequisite {
            role: Role::Definition,
            case: case.in_lane(Lane::DEFINITION),
        }]
    }

    fn boot(&self, bench: &Bench, case: &Case, options: &Options, before: &Before) -> Observed {
        let Some(kernel) = &case.linux else {
            return Err(Broken::not_started("lane linux needs a kernel"));
        };
        let ready = bench.kernels.ready(kernel, &bench.store.cache);
        let ready = ready.map_err(Broken::not_started)?;
        let agent = bare(before)?;
        let packed = wants_5_levels(case, agent)?;
        let options = Options {
            timeout: boot_timeout(options),
            probes: if options.probes_by_host {
                worth_trying(options.probes, &agent.dump, &bench.store.table)
            } else {
                options.probes
            },
            ..options.clone()
        };
        let files = emulated::files(&ready, packed);
        let site = bench.site(case).map_err(Broken::not_started)?;
        let booted = site.boot_linux(case, &files, &options, bench.cancel())?;
        bench.observation(booted, Vec::new(), Vec::new(), &options)
    }

    fn gather(
        &self,
        bench: &Bench,
        case: &Case,
        seen: &Observation,
        before: &Before,
    ) -> Result<Evidence, GatherError> {
        let agent = bare(before).map_err(|broken| GatherError::Layer(broken.reason))?;
        let mut evidence = Evidence {
            qemu: agent.qemu.clone(),
            bare_metal: Some(agent.dump.clone()),
            definition: gather::definition(before),
            ..gather::of_guest(case, seen)
        };
        if evidence.linux_report().is_none() {
            let reason = "the guest reported no /proc/cpuinfo".to_owned();
            return Err(GatherError::Layer(reason));
        }
        if let Some(kernel) = &case.linux {
            let names = bench.kernels.names(kernel, &bench.store.cache);
            evidence.kernel_names = Some(names.map_err(GatherError::Layer)?);
        }
        if case.uses_kvm() {
            gather::add_machine(bench, case, &mut evidence);
        }
        Ok(evidence)
    }

    fn lines(&self, bench: &Bench, case: &Case, evidence: &Evidence) -> Vec<Line> {
        let mut lines = evidence.guest_lines(&bench.store.table, &bench.store.volatile);
        let emulator = case.qemu.release_folder();
        lines.push(value(Register::Linux, EMULATOR, &emulator));
        lines.sort_by_cached_key(ToString::to_string);
        lines
    }

    fn comparable(&self, bench: &Bench, trial: &Trial, case: &Case, _: &[Line]) -> Comparable {
        match why_by_rules_alone(bench, trial, case) {
            Some(why) => Comparable::ByRulesAlone(format!("{why}: held against the rules alone")),
            None => Comparable::Yes,
        }
    }

    fn layer(&self) -> Layer {
        LAYER
    }

    fn attribute(
        &self,
        bench: &Bench,
        evidence: &Evidence,
        changes: &mut Vec<Finding>,
    ) -> Vec<String> {
        let (Some(report), Some(names)) =
            (evidence.linux_report(), evidence.kernel_names.as_deref())
        else {
            return Vec::new();
        };
        let guest = Guest {
            report: &report,
            dump: &evidence.guest,
            names,
            table: &bench.store.table,
            rules: &bench.store.linux,
        };
        let causes = changes
            .iter_mut()
            .filter_map(|change| attribute(change, guest));
        causes.collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// The agent's guest of the same CPU, without an operating system.
pub fn bare_metal(case: &Case) -> Case {
    if case.host.is_some() {
        return emulated::bare_metal(case);
    }
    let lane = match case.run_as.accelerator {
        Accelerator::Tcg => Lane::TCG,
        Accelerator::Kvm => Lane::KVM,
    };
    case.in_lane(lane)
}

fn bare(before: &Before) -> Result<&Observation, Broken> {
    match before.get(Role::BareMetal) {
        Some(Ok(seen)) => Ok(seen),
        Some(Err(broken)) => Err(broken.needed_for("without an operating system")),
        None => Err(Broken::not_started("lane linux needs a kernel")),
    }
}

/// Whether the guest's kernel is to switch to 5-level paging, as the agent sees it.
///
/// # Errors
/// The CPU cannot run a 64-bit kernel at all.
fn wants_5_levels(case: &Case, agent: &Observation) -> Result<bool, Broken> {
    if agent.dump.mode != 64 {
        let reason = format!(
            "{} has no long mode, and a 64-bit kernel does not start without",
            case.cpu
        );
        return Err(Broken::not_started(reason));
    }
    let boot = agent.dump.boot_processor();
    let regs = boot.and_then(|boot| boot.cpuid(7, 0)).unwrap_or_default();
    Ok(regs[2] >> LA57 & 1 == 1)
}

/// `linux-6.12` of `linux-6.12+nosmap`.
fn plain(label: &str) -> &str {
    label.split('+').next().unwrap_or(label)
}

/// `linux-6.12`, `linux-6.12@kvm`, or `linux-6.12@intel` in a lab.
fn label(kernel: &LabKernel, (accelerator, host): Machine<'_>) -> String {
    match (accelerator, host) {
        (_, Some(host)) => format!("{}@{}", kernel.label, host.emulation.label),
        (Accelerator::Tcg, None) => kernel.label.clone(),
        (Accelerator::Kvm, None) => format!("{}@kvm", kernel.label),
    }
}

/// What executes a guest, and the emulated host on which it does.
type Machine<'a> = (Accelerator, Option<&'a Arc<EmulatedHost>>);

fn of_qemu(
    scope: &Scope<'_>,
    set: &Set,
    qemu: &Arc<Qemu>,
    kernel: &Arc<LabKernel>,
    on: Machine<'_>,
) -> Vec<Trial> {
    let (accelerator, host) = on;
    let newest = qemu
        .newest_machine()
        .filter(|name| scope.filter.machine(name));
    let Some(machine) = newest else {
        return Vec::new();
    };
    // What TCG cannot be is `host`.
    let runs = |name: &&str| accelerator == Accelerator::Kvm || *name != "host";
    let chosen = |name: &&str| Glob::matches(&set.models, name) && scope.filter.model(name);
    let models = qemu.offers.model_names().filter(chosen).filter(runs);
    let trial = |model: &str| {
        let here = guest(qemu, kernel, accelerator, (machine, model));
        let mut case = match host {
            Some(host) => emulated::on(here, host),
            None => here,
        };
        let bare = bare_metal(&case).lane;
        case.skipped_phases = scope.config.skipped_phases(bare, &qemu.label, model);
        // What TCG emulates depends on the release, so one of them is named for all.
        let recorded =
            accelerator == Accelerator::Tcg && qemu.offers.release_name() == scope.config.emulator;
        let file = recorded.then(|| expectation(kernel, model));
        let label = label(kernel, on);
        let name = format!("{}/{}/{label}/{model}", Lane::LINUX, qemu.label);
        Trial::single(name, Subject::Whole, file.unwrap_or_default(), case)
    };
    models.map(trial).collect()
}

/// A guest with this kernel.
pub fn guest(
    qemu: &Arc<Qemu>,
    kernel: &Arc<LabKernel>,
    accelerator: Accelerator,
    (machine, cpu): (&str, &str),
) -> Case {
    let mut case = Case::new(qemu, Lane::LINUX, machine, cpu);
    case.run_as.accelerator = accelerator;
    case.linux = Some(Arc::clone(kernel));
    case
}

/// `linux-6.12/EPYC-v4.snap`. Parameters of the command line make no other expectation: what they take is to be found.
pub fn expectation(kernel: &LabKernel, model: &str) -> PathBuf {
    let version = kernel.expectations.file_name().unwrap_or_default();
    let version = version.to_string_lossy();
    PathBuf::from(format!("linux-{}", plain(&version))).join(format!("{model}.snap"))
}

/// Why nothing that was recorded may be compared with a guest.
fn why_by_rules_alone(bench: &Bench, trial: &Trial, case: &Case) -> Option<String> {
    if case.uses_kvm() {
        return Some("what KVM gives is recorded nowhere".to_owned());
    }
    if !trial.is_recorded() {
        return Some("recorded on another release of QEMU".to_owned());
    }
    match bench.store.expectation(&trial.expectation) {
        Ok(Expected::NewRelease) => {
            let folder = trial.expectation.parent().unwrap_or(Path::new(""));
            Some(format!("no expectations for {} yet", folder.display()))
        }
        Ok(Expected::Text(expected)) => {
            let expected = parse::lines(&expected).ok()?;
            let emulator =
                |line: &&Line| line.place.register == Register::Linux && line.name() == EMULATOR;
            let then = expected.iter().find(emulator)?.value()?;
            let now = case.qemu.release_folder();
            (then != now).then(|| format!("recorded on {then}, and this is {now}"))
        }
        _ => None,
    }
}
