//! Lane `linux`: kernels made ready for guests, and what their guests made of CPUID held against expectations and rules.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::engine::{Broken, Engine, Observation};
use super::inventory::Unusable;
use super::judge::{Verdict, broken, held, judged, text};
use super::lab;
use crate::case::guest::Case;
use crate::case::kernel::Accelerator;
use crate::case::kernel::{LabKernel, label};
use crate::check::linux::{Guest, LAYER, Loss, unknown_names};
use crate::check::outcome::{CaseResult, LinuxSeen, Status};
use crate::check::{Finding, Layer, compare, linux, user_space_and_agent};
use crate::cpuid::line::{Line, Register};
use crate::cpuid::parse;
use crate::evidence::linux_lines::{linux as linux_lines, value};
use crate::evidence::linux_report::LinuxReport;
use crate::expectation::store::Expected;
use crate::plan::config::Config;
use crate::plan::trial::Trial;
use crate::util::order::natural;
use crate::vmm::linux::kernel::Kernel;
use crate::vmm::linux::names::Names;
use crate::vmm::linux::ready::Ready;

type Made = Arc<OnceLock<Result<Ready, String>>>;
type Read = Arc<OnceLock<Result<Arc<Names>, String>>>;

/// Kernels by their label and path, each made ready once.
#[derive(Debug, Default)]
pub(super) struct Kernels(Mutex<HashMap<String, Made>>, Mutex<HashMap<PathBuf, Read>>);

impl Kernels {
    /// The kernel of a Linux guest, with all it is booted with; what is missing is made in the folder `cache`.
    ///
    /// # Errors
    /// The kernel is not there or is none that can be booted.
    pub(super) fn of(&self, case: &Case, cache: &Path) -> Result<Ready, Broken> {
        let Some(guest) = &case.linux else {
            return Err(Broken::before("lane linux without a kernel".to_owned()));
        };
        self.ready(&guest.kernel, cache).map_err(Broken::before)
    }

    fn ready(&self, kernel: &LabKernel, cache: &Path) -> Result<Ready, String> {
        let made = {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let key = format!("{:?}", (&kernel.path, &kernel.modules));
            Arc::clone(known.entry(key).or_default())
        };
        let make = || {
            let found = Kernel::find(&kernel.path, kernel.modules.as_deref());
            let found = found.map_err(|error| error.to_string())?;
            Ready::of(&found, &cache.join("linux"))
        };
        made.get_or_init(make).clone()
    }

    /// The kernel's own names of flags, read once.
    ///
    /// # Errors
    /// Its image cannot be read or unpacked, or has no such tables.
    fn names(&self, ready: &Ready) -> Result<Arc<Names>, String> {
        let made = {
            let mut known = self.1.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry(ready.packed.clone()).or_default())
        };
        made.get_or_init(|| ready.names().map(Arc::new)).clone()
    }
}

/// Where distributions put kernels.
const BOOT: &str = "/boot";

/// The kernels that guests can boot: those of the configuration; where what it names is not there, the newest in /boot that can be
/// read.
pub fn kernels(config: &Config) -> (Vec<LabKernel>, Vec<Unusable>) {
    let (kernels, mut unusable) = lab::kernels(config);
    // A configuration that names none wants none.
    if !kernels.is_empty() || config.kernels.is_empty() {
        return (kernels, unusable);
    }
    match newest_in(Path::new(BOOT)) {
        Ok(kernel) => (vec![kernel], unusable),
        Err(reason) => {
            unusable.push(Unusable {
                path: BOOT.into(),
                reason,
            });
            (Vec::new(), unusable)
        }
    }
}

/// The newest kernel of a folder like /boot.
fn newest_in(folder: &Path) -> Result<LabKernel, String> {
    let none = |told: String| {
        format!(
            "no kernel to boot as a guest: none in .cache/kernels (scripts/fetch-kernel brings them), and {told}"
        )
    };
    let shown = folder.display();
    let entries = std::fs::read_dir(folder).map_err(|error| none(format!("{shown}: {error}")))?;
    let image = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("vmlinuz-")
    };
    let images = entries.flatten().map(|entry| entry.path()).filter(image);
    let mut told = format!("no vmlinuz-* in {shown}");
    let mut found: Vec<LabKernel> = Vec::new();
    for path in images {
        match lab::kernel(&path, None, &[]) {
            Ok(kernel) => found.push(kernel),
            Err(reason) => told = reason,
        }
    }
    found.sort_by_key(|kernel| natural(&kernel.release));
    found.pop().ok_or_else(|| none(told))
}

/// The kernel with further words of its command line.
pub fn with_words(kernel: &LabKernel, words: &[String]) -> LabKernel {
    LabKernel {
        label: label(&kernel.label, words),
        words: kernel.words.iter().chain(words).cloned().collect(),
        ..kernel.clone()
    }
}

/// The agent's guest of the same CPU, without an operating system.
pub fn bare_metal(case: &Case) -> Option<Case> {
    let guest = case.linux.as_ref()?;
    Some(Case {
        lane: guest.accelerator.bare_metal(),
        linux: None,
        ..case.clone()
    })
}

/// Bit of CPUID.07H.00H:ECX.
const LA57: u32 = 16;

/// Whether the guest's kernel is to switch to 5-level paging, as the agent sees it; a CPU that cannot run it at all is told.
pub(super) fn wants_5_levels(engine: &Engine, case: &Case) -> Result<bool, Broken> {
    let Some(bare) = bare_metal(case) else {
        return Ok(false);
    };
    let seen = engine.observe(&bare);
    let seen = (*seen).as_ref().map_err(|unseen| Broken {
        reason: format!("without an operating system: {}", unseen.reason),
        ..unseen.clone()
    })?;
    if seen.dump.mode != 64 {
        let reason = format!(
            "{} has no long mode, and a 64-bit kernel does not start without",
            case.cpu
        );
        return Err(Broken::before(reason));
    }
    let boot = seen.dump.boot_processor();
    let regs = boot.and_then(|boot| boot.cpuid(7, 0)).unwrap_or_default();
    Ok(regs[2] >> LA57 & 1 == 1)
}

/// What a Linux guest reported, and what it is held against.
pub struct Reported {
    /// The report.
    pub report: LinuxReport,
    names: Arc<Names>,
}

impl Reported {
    /// As the checks take it.
    pub fn guest<'a>(&'a self, engine: &'a Engine, seen: &'a Observation) -> Guest<'a> {
        Guest {
            report: &self.report,
            dump: &seen.dump,
            names: &self.names,
            table: &engine.store.table,
            rules: &engine.store.linux,
        }
    }
}

/// The report of a guest that ran to its end.
///
/// # Errors
/// There is no /proc/cpuinfo in it, or the kernel's image has no table of names.
pub fn reported(engine: &Engine, case: &Case, seen: &Observation) -> Result<Reported, String> {
    let report = LinuxReport::of(&seen.dump).ok_or("the guest reported no /proc/cpuinfo")?;
    let ready = engine.kernels.of(case, &engine.store.cache);
    let ready = ready.map_err(|broken| broken.reason)?;
    let names = engine.kernels.names(&ready)?;
    Ok(Reported { report, names })
}

/// The line that tells on which QEMU a guest ran: what TCG emulates depends on the release.
const EMULATOR: &str = "emulator";

/// A report as an expectation has it: one processor, on this QEMU.
pub fn lines(engine: &Engine, case: &Case, report: &LinuxReport) -> Vec<Line> {
    let mut lines = linux_lines(report, &engine.store.volatile);
    lines.push(value(
        Register::Linux,
        EMULATOR,
        &case.qemu.release_folder(),
    ));
    lines.sort_by_cached_key(ToString::to_string);
    lines
}

/// Runs a trial.
pub(super) fn judge(
    engine: &Engine,
    trial: &Trial,
    done: &(dyn Fn(&CaseResult) + Sync),
) -> Verdict {
    let mut results = Vec::new();
    let mut observed = None;
    for case in &trial.cases {
        let result = match one(engine, trial, case) {
            Ok((result, text)) => {
                observed = text;
                result
            }
            Err(unseen) => broken(trial, case, &unseen).ran(unseen.elapsed, &unseen.command),
        };
        done(&result);
        results.push(result);
    }
    Verdict { results, observed }
}

/// The result of a case, and the text that would be its expectation; none where nobody would record it.
fn one(
    engine: &Engine,
    trial: &Trial,
    case: &Case,
) -> Result<(CaseResult, Option<String>), Broken> {
    let bare = bare_metal(case);
    let agent = bare.as_ref().map(|bare| engine.observe(bare));
    let agent = match agent.as_deref() {
        Some(Ok(agent)) => agent,
        Some(Err(unseen)) => {
            let reason = format!("without an operating system: {}", unseen.reason);
            return Err(Broken {
                reason,
                ..unseen.clone()
            });
        }
        None => return Err(Broken::before("lane linux without a kernel".to_owned())),
    };
    let seen = engine.observe(case);
    let seen = (*seen).as_ref().map_err(Clone::clone)?;
    let reported = reported(engine, case, seen).map_err(Broken::before)?;
    let lines = lines(engine, case, &reported.report);
    let guest = reported.guest(engine, seen);
    let mut changes = linux(guest);
    changes.extend(user_space_and_agent(
        &seen.dump,
        &agent.dump,
        &engine.store.table,
    ));
    let unheld = unheld(engine, trial, case);
    let mut result = match &unheld {
        Some(reason) => CaseResult {
            reason: reason.clone(),
            ..judged(engine, trial, case, changes)
        },
        None => held(engine, trial, case, |expected| {
            let expected = parse::lines(expected).map_err(|error| error.to_string())?;
            let mut all = compare(&expected, &lines, LAYER);
            all.extend(changes);
            Ok(all)
        }),
    };
    let causes: BTreeSet<String> = result
        .changes
        .iter_mut()
        .filter_map(|change| attribute(change, guest))
        .collect();
    if result.status == Status::Fail && !causes.is_empty() {
        result.reason = causes.into_iter().collect::<Vec<_>>().join("; ");
    }
    result.linux = Some(LinuxSeen::of(&reported.report));
    let flags = &reported.report.cpuinfo.flags;
    result.flow = bare.and_then(|bare| super::flow::of_linux(engine, &bare, agent, flags));
    let result = result.ran(seen.elapsed, &seen.command).saw(&lines);
    let recorded = !trial.expectation.as_os_str().is_empty() && guest_is_plain(case);
    Ok((result, recorded.then(|| text(&lines))))
}

/// Whether the guest's kernel was given no words of somebody's own.
fn guest_is_plain(case: &Case) -> bool {
    let guest = case.linux.as_ref();
    guest.is_some_and(|guest| guest.kernel.words.is_empty())
}

/// Why a guest is held against the rules alone.
fn unheld(engine: &Engine, trial: &Trial, case: &Case) -> Option<String> {
    let guest = case.linux.as_ref()?;
    if guest.accelerator == Accelerator::Kvm {
        return Some("what KVM gives is recorded nowhere: held against the rules alone".to_owned());
    }
    if trial.expectation.as_os_str().is_empty() {
        return Some(
            "recorded on another release of QEMU: held against the rules alone".to_owned(),
        );
    }
    match engine.store.expectation(&trial.expectation) {
        Ok(Expected::NewRelease) => Some(format!(
            "no expectations for {} yet: held against the rules alone",
            trial
                .expectation
                .parent()
                .unwrap_or(Path::new(""))
                .display()
        )),
        Ok(Expected::Text(expected)) => {
            let expected = parse::lines(&expected).ok()?;
            let then = expected
                .iter()
                .find(|line| line.place.register == Register::Linux && line.name() == EMULATOR)?;
            let (then, now) = (then.value()?, case.qemu.release_folder());
            (then != now).then(|| {
                format!("recorded on {then}, and this is {now}: held against the rules alone")
            })
        }
        _ => None,
    }
}

/// Finds who lost a flag that was expected, and the cause, where the guest tells one.
fn attribute(change: &mut Finding, guest: Guest<'_>) -> Option<String> {
    let line = change.minus.as_ref()?;
    if change.plus.is_some() || line.place.register != Register::Flags {
        return None;
    }
    let name = change.name.clone();
    match guest.has_bit(&name) {
        Some(false) => {
            change.layer = Layer::Qemu;
            Some(format!("{name}: the guest's CPUID has not got it"))
        }
        Some(true) | None => match guest.loss(&name) {
            Loss::Unnamed => None,
            loss => Some(format!("{name}: {loss}")),
        },
    }
}

/// Words of a kernel's own tables that features.tsv or linux.tsv lack, or have at another place.
///
/// # Errors
/// The kernel's image cannot be read, or has no such tables.
pub fn misnamed(engine: &Engine, kernel: &LabKernel) -> Result<Vec<String>, String> {
    let ready = engine.kernels.ready(kernel, &engine.store.cache)?;
    let names = engine.kernels.names(&ready)?;
    Ok(unknown_names(
        &names,
        &engine.store.table,
        &engine.store.linux,
    ))
}

#[cfg(test)]
mod tests {
    use super::newest_in;

    #[test]
    fn a_boot_folder_without_a_kernel_that_can_be_read_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let told = newest_in(folder.path()).expect_err("no kernel");
        assert!(told.contains(", and no vmlinuz-* in "), "{told}");
        std::fs::write(folder.path().join("vmlinuz-6.1.0"), "no kernel").expect("a file");
        let told = newest_in(folder.path()).expect_err("no kernel");
        assert!(told.contains("is no bzImage"), "{told}");
        let told = newest_in(&folder.path().join("gone")).expect_err("no kernel");
        assert!(told.contains("scripts/fetch-kernel"), "{told}");
    }
}
