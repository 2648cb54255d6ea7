//! Lane `lab`: labs made of the kernels that there are, and trials run in them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::engine::Engine;
use super::inventory::Unusable;
use super::judge::{Verdict, held, judge, result, text};
use crate::case::guest::Qemu;
use crate::case::kernel::{LabKernel, label};
use crate::check::outcome::{CaseResult, Status};
use crate::check::{Finding, Layer, compare, supported_by_hardware};
use crate::cpuid::line::Line;
use crate::cpuid::parse;
use crate::cpuid::table::{Field, Table};
use crate::explain::host::{number, option, owner, word};
use crate::explain::{Cause, Step};
use crate::host::HostLayer;
use crate::host::kvm_lines::{kvm, kvm_layer};
use crate::host::lab::emulated::EmulatedHost;
use crate::host::lab::image::Image;
use crate::host::lab::plan::Plan;
use crate::host::lab::program::Program;
use crate::host::lab::session::Lab;
use crate::host::lab::tcg::TcgSvm;
use crate::plan::config::Config;
use crate::plan::trial::{Subject, Trial};
use crate::vmm::linux::kernel::Kernel;

/// How long L1 may take to come up, at the least: on a busy machine it takes ten times what it takes on an idle one.
const PATIENCE: Duration = Duration::from_secs(60);

/// Labs by the label of their kernel, each opened when a trial needs it.
#[derive(Default)]
pub struct Labs(BTreeMap<String, Bench>);

/// What a lab is made of.
struct Bench {
    kernel: LabKernel,
    emulator: Arc<Qemu>,
    qemus: Vec<Arc<Qemu>>,
    megabytes: Option<u64>,
    opened: OnceLock<Result<Engine, String>>,
}

/// The kernels of a configuration: what a pattern matches, in natural order; one that is named and cannot be used is told.
pub fn kernels(config: &Config) -> (Vec<LabKernel>, Vec<Unusable>) {
    let (mut kernels, mut unusable) = (Vec::<LabKernel>::new(), Vec::new());
    for entry in &config.kernels {
        let words: Vec<String> = entry
            .cmdline
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        let modules = entry.modules.as_ref().map(|path| config.folder.join(path));
        for path in expanded(config, &entry.path) {
            match kernel(&path, modules.as_deref(), &words) {
                Ok(kernel) => kernels.push(kernel),
                Err(reason) => unusable.push(Unusable { path, reason }),
            }
        }
    }
    kernels.sort_by_key(|kernel| crate::util::order::natural(&kernel.label));
    // Two kernels of one version are told apart by their releases.
    let count = |wanted: &str| {
        kernels
            .iter()
            .filter(|kernel| kernel.label == wanted)
            .count()
    };
    let twice: BTreeSet<String> = kernels
        .iter()
        .map(|kernel| kernel.label.clone())
        .filter(|label| count(label) > 1)
        .collect();
    for kernel in kernels
        .iter_mut()
        .filter(|kernel| twice.contains(&kernel.label))
    {
        kernel.label = label(&format!("linux-{}", kernel.release), &kernel.words);
    }
    (kernels, unusable)
}

/// A kernel as it is named in a plan. Its expectations are those of its version and of its words.
///
/// # Errors
/// There is no kernel, or its modules are another's.
pub fn kernel(path: &Path, modules: Option<&Path>, words: &[String]) -> Result<LabKernel, String> {
    let found = Kernel::find(path, modules).map_err(|error| error.to_string())?;
    let label = label(&found.label(), words);
    let folder = label.strip_prefix("linux-").unwrap_or(&label).to_owned();
    Ok(LabKernel {
        label,
        release: found.release,
        path: path.to_owned(),
        modules: modules.map(Path::to_owned),
        words: words.to_vec(),
        expectations: PathBuf::from("kernels").join(folder),
    })
}

/// The paths that an entry names; a pattern that matches nothing is passed over, a path is kept, so that a wrong one is told.
fn expanded(config: &Config, entry: &str) -> Vec<PathBuf> {
    let path = config.folder.join(entry);
    if !entry.contains(['*', '?', '[']) {
        return vec![path];
    }
    // As in a shell: `*` is no hidden file.
    let options = glob::MatchOptions {
        require_literal_leading_dot: true,
        ..glob::MatchOptions::new()
    };
    let found = glob::glob_with(&path.to_string_lossy(), options);
    found.into_iter().flatten().flatten().collect()
}

/// The QEMU that emulates the host: of the release that the configuration names, for expectations hold on that one; else the newest.
pub fn emulator(config: &Config, qemus: &[Arc<Qemu>]) -> Option<Arc<Qemu>> {
    let release = |qemu: &Arc<Qemu>| {
        let (major, minor) = qemu.offers.release();
        format!("{major}.{minor}")
    };
    let named = qemus.iter().rfind(|qemu| release(qemu) == config.emulator);
    named.or(qemus.last()).cloned()
}

impl Labs {
    /// Adds a lab that is not yet opened. `qemus` are taken along.
    pub fn add(
        &mut self,
        kernel: LabKernel,
        emulator: Arc<Qemu>,
        qemus: Vec<Arc<Qemu>>,
        megabytes: Option<u64>,
    ) {
        let bench = Bench {
            emulator,
            qemus,
            megabytes,
            opened: OnceLock::new(),
            kernel,
        };
        self.0.insert(bench.kernel.label.clone(), bench);
    }

    /// Adds a lab for each kernel of `trials`, with the QEMUs that they need inside.
    pub fn for_trials(&mut self, trials: &[Trial], kernels: &[LabKernel], emulator: &Arc<Qemu>) {
        for kernel in kernels {
            let own = |trial: &&Trial| trial.lab() == Some(kernel.label.as_str());
            let mut qemus: BTreeMap<PathBuf, Arc<Qemu>> = BTreeMap::new();
            let mut wanted = false;
            for trial in trials.iter().filter(own) {
                wanted = true;
                let under = trial
                    .cases
                    .iter()
                    .filter(|case| case.lane == crate::case::guest::Lane::Kvm);
                let mut own: Vec<_> = under.map(|case| Arc::clone(&case.qemu)).collect();
                if let Subject::Migration(migration) = &trial.subject {
                    own.push(Arc::clone(&migration.to));
                }
                own.extend(trial.pair.iter().map(|pair| Arc::clone(&pair.old)));
                qemus.extend(own.into_iter().map(|qemu| (qemu.path.clone(), qemu)));
            }
            if wanted {
                let qemus = qemus.into_values().collect();
                self.add(kernel.clone(), Arc::clone(emulator), qemus, None);
            }
        }
    }

    /// The engine whose guests run in the lab, opened with the first call.
    ///
    /// # Errors
    /// There is no lab of that label, or it cannot be made; the same reason each time.
    pub fn open(&self, label: &str, engine: &Engine) -> Result<&Engine, String> {
        let bench = self
            .0
            .get(label)
            .ok_or_else(|| format!("no lab of {label}"))?;
        let opened = bench.opened.get_or_init(|| bench.open(engine));
        opened.as_ref().map_err(Clone::clone)
    }
}

impl Bench {
    fn open(&self, engine: &Engine) -> Result<Engine, String> {
        let kernel = Kernel::find(&self.kernel.path, self.kernel.modules.as_deref())
            .map_err(|error| error.to_string())?;
        let host: Arc<dyn EmulatedHost> = Arc::new(TcgSvm {
            qemu: self.emulator.path.clone(),
        });
        let deadline = engine.options.timeout;
        let program = |qemu: &Arc<Qemu>| {
            let program = Program::qemu(&qemu.path, deadline, engine.cancel());
            program.map(|program| (qemu.path.clone(), program))
        };
        let programs: Result<Vec<_>, _> = self.qemus.iter().map(program).collect();
        let programs = programs.map_err(|error| error.to_string())?;
        let image = Image {
            kernel: &kernel,
            host: &*host,
            qemus: &programs,
        };
        let initramfs = image
            .file(&engine.store.cache.join("lab"))
            .map_err(|error| error.to_string())?;
        let plan = Plan {
            host,
            kernel,
            parameters: self.kernel.words.clone(),
            initramfs,
            megabytes: self.megabytes,
            timeout: PATIENCE.max(deadline),
        };
        let lab = Lab::new(plan, engine.cancel().clone())
            .map_err(|error| format!("failed to start a thread for the lab: {error}"))?;
        let mut inner = engine.at(Arc::new(lab));
        inner.emulator = self.emulator.release_folder();
        inner.kernel = self.kernel.arguments();
        Ok(inner)
    }
}

/// Runs a trial in the lab of the kernel `label`.
pub(super) fn judge_in(
    engine: &Engine,
    label: &str,
    trial: &Trial,
    done: &(dyn Fn(&CaseResult) + Sync),
) -> Verdict {
    match engine.labs.open(label, engine) {
        Ok(inner) => judge(inner, trial, done),
        Err(reason) => refused(engine, trial, &reason, done),
    }
}

fn refused(
    engine: &Engine,
    trial: &Trial,
    reason: &str,
    done: &(dyn Fn(&CaseResult) + Sync),
) -> Verdict {
    let status = match engine.cancelled() {
        true => Status::Miss,
        false => Status::Error,
    };
    let results: Vec<_> = trial
        .cases
        .iter()
        .map(|case| result(trial, case, status, reason))
        .collect();
    results.iter().for_each(done);
    Verdict {
        results,
        observed: None,
    }
}

/// The name of the line that tells on which emulated host KVM was asked: what KVM offers depends on the processor.
const EMULATED_HOST: &str = "emulated-host";

/// What KVM says of itself, as expectation lines: that of a lab, or this host's.
///
/// # Errors
/// The lab did not come up, or KVM cannot be used in it.
pub fn kvm_lines(engine: &Engine) -> Result<Vec<Line>, String> {
    let layer = engine
        .site()
        .kvm_layer()
        .map_err(|error| error.to_string())?;
    let store = &engine.store;
    let mut lines = kvm_layer(&layer, &store.table, &store.volatile);
    if engine.lab().is_some() {
        lines.push(kvm(EMULATED_HOST, &engine.emulator));
    }
    lines.sort_by_cached_key(ToString::to_string);
    Ok(lines)
}

/// Holds what KVM says of itself against the expectation, and against L1's processor.
pub(super) fn judge_kvm(
    engine: &Engine,
    trial: &Trial,
    done: &(dyn Fn(&CaseResult) + Sync),
) -> Verdict {
    let started = Instant::now();
    let mut observed = None;
    let mut results = Vec::new();
    for case in &trial.cases {
        let lines = match kvm_lines(engine) {
            Ok(lines) => lines,
            Err(reason) => return refused(engine, trial, &reason, done),
        };
        let host = engine.site().host_layer().unwrap_or_default();
        let mut elsewhere = None;
        let mut causes = BTreeSet::new();
        let mut judged = held(engine, trial, case, |expected| {
            let expected = parse::lines(expected).map_err(|error| error.to_string())?;
            elsewhere = other_host(&expected, &lines);
            if elsewhere.is_some() {
                return Ok(Vec::new());
            }
            let mut changes = compare(&expected, &lines, LAYER);
            for change in &mut changes {
                causes.extend(attribute(change, &host, &engine.store.table));
            }
            let layer = engine.site().kvm_layer();
            let supported = layer.map_err(|error| error.to_string())?.supported;
            changes.extend(supported_by_hardware(
                &supported,
                &host,
                &engine.store.table,
            ));
            Ok(changes)
        });
        if let Some(reason) = elsewhere {
            judged = result(trial, case, Status::Skip, &reason);
        }
        if judged.status == Status::Fail && !causes.is_empty() {
            judged.reason = causes.into_iter().collect::<Vec<_>>().join("; ");
        }
        let judged = judged.ran(started.elapsed(), &[]).saw(&lines);
        done(&judged);
        results.push(judged);
        observed = Some(text(&lines));
    }
    Verdict { results, observed }
}

/// Who breaks its word where KVM offers something else, and no layer below it says that it was its doing.
const LAYER: Layer = Layer::Kvm;

/// Why lines of two emulated hosts cannot be compared.
fn other_host(expected: &[Line], seen: &[Line]) -> Option<String> {
    let host = |lines: &[Line]| {
        let mut lines = lines.iter().filter(|line| line.name() == EMULATED_HOST);
        Some(lines.next()?.value()?.to_owned())
    };
    let (then, now) = (host(expected)?, host(seen)?);
    (then != now).then(|| {
        format!("what KVM offers was recorded on the processor that {then} emulates, and this is {now}: name that release as `emulator` in fidelity.toml")
    })
}

/// Finds the layer that lost what KVM does not offer any more, and the cause, where the host tells one.
fn attribute(change: &mut Finding, host: &HostLayer, table: &Table) -> Option<String> {
    let field = table.named(&change.name)?;
    let line = change.minus.as_ref().filter(|_| change.plus.is_none())?;
    let modules = &host.kernel.modules;
    let by_option = option(modules, &field.name)
        .or_else(|| option(modules, owner(field)?))
        .map(|option| Cause::ModuleOption { option });
    let flag = field.aliases_of("linux").next();
    let taken = flag.and_then(|flag| {
        let shown = host.cpuinfo.value()?.flags.contains(flag);
        let words = host.kernel.command_line.value()?;
        let word = word(words, flag, number(field)).map(str::to_owned);
        (!shown && in_hardware(line, field, host)).then_some(word)
    });
    let (layer, cause) = match (taken, by_option) {
        (Some(Some(word)), _) => (Step::HostKernel, Some(Cause::KernelCommandLine { word })),
        (_, Some(cause)) => (Step::Kvm, Some(cause)),
        (Some(None), None) => (Step::HostKernel, Some(Cause::LeftOutByHostKernel)),
        (None, None) => return None,
    };
    change.layer = match layer {
        Step::HostKernel => Layer::HostKernel,
        _ => LAYER,
    };
    cause.map(|cause| format!("{}: {cause}", change.name))
}

/// Whether L1's processor has the bit of a line of KVM's.
fn in_hardware(line: &Line, field: &Field, host: &HostLayer) -> bool {
    let key = line.place.leaf();
    let cpuid = host.cpus.first().and_then(|cpu| cpu.cpuid.value());
    let regs = key
        .zip(cpuid)
        .and_then(|(key, cpuid)| cpuid.answers.get(&key));
    regs.is_some_and(|regs| regs[field.register as usize] >> field.low & 1 == 1)
}
