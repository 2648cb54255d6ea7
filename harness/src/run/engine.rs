//! Boots cases: one pool bounds how many guests run at once, and a guest that several trials need runs once.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use super::store::Store;
use crate::boot::{self, AGENT_ROM, Boot, Cancel, Ending, Options};
use crate::decode::{Line, render};
use crate::dump::{Dump, assemble};
use crate::matrix::{Case, Lane};

/// What a guest that ran to its end showed.
#[derive(Clone, Debug)]
pub struct Observation {
    /// Raw.
    pub dump: Dump,
    /// Decoded and masked.
    pub lines: Vec<Line>,
    /// QEMU's life.
    pub elapsed: Duration,
    /// The exact command line.
    pub command: Vec<String>,
}

/// A guest that could not be observed to its end.
#[derive(Clone, Debug)]
pub struct Broken {
    /// One message: what happened, in which phase, with QEMU's own words.
    pub reason: String,
    /// Whether that is because the run was cancelled.
    pub cancelled: bool,
    /// What was delivered all the same.
    pub partial: Dump,
    /// QEMU's life.
    pub elapsed: Duration,
    /// The exact command line.
    pub command: Vec<String>,
}

/// What became of a guest.
pub type Observed = Result<Observation, Broken>;

type Key = (std::path::PathBuf, Lane, String, String, String);

/// Everything that trials share.
pub struct Engine {
    /// Expectations and tables.
    pub store: Store,
    /// What is asked of each guest.
    pub options: Options,
    cancel: Cancel,
    pool: rayon::ThreadPool,
    rom: tempfile::NamedTempFile,
    seen: Mutex<HashMap<Key, Arc<OnceLock<Arc<Observed>>>>>,
}

impl Engine {
    /// An engine that runs up to `jobs` guests at once, 0 for one a core.
    ///
    /// # Errors
    /// The ROM cannot be written to the temporary folder, or no thread can be started.
    pub fn new(store: Store, options: Options, jobs: usize, cancel: Cancel) -> anyhow::Result<Engine> {
        use std::io::Write as _;
        let mut rom = tempfile::Builder::new().prefix("cpuid-fidelity-").suffix(".rom").tempfile()?;
        rom.write_all(AGENT_ROM)?;
        Ok(Engine {
            store,
            options,
            cancel,
            pool: rayon::ThreadPoolBuilder::new().num_threads(jobs).build()?,
            rom,
            seen: Mutex::default(),
        })
    }

    /// The pool that bounds running guests. Guests are booted on its threads only: a guest dies with its thread.
    pub fn pool(&self) -> &rayon::ThreadPool {
        &self.pool
    }

    /// The switch that ends every wait.
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// Whether the run was cancelled.
    pub fn cancelled(&self) -> bool {
        self.cancel.thrown()
    }

    /// Boots the guest of `case`, once: who asks again gets the same answer.
    pub fn observe(&self, case: &Case) -> Arc<Observed> {
        let key = (
            case.qemu.path.clone(),
            case.lane,
            case.machine.clone(),
            case.cpu.clone(),
            case.smp.as_str().to_owned(),
        );
        let cell = {
            let mut seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            Arc::clone(seen.entry(key).or_default())
        };
        Arc::clone(cell.get_or_init(|| Arc::new(self.boot(case, &self.options))))
    }

    /// Boots the guest of `case` with other options, and remembers nothing.
    pub fn boot(&self, case: &Case, options: &Options) -> Observed {
        self.pool.install(|| self.boot_here(case, self.rom.path(), options))
    }

    fn boot_here(&self, case: &Case, rom: &Path, options: &Options) -> Observed {
        let boot = boot::boot(case, rom, options, &self.cancel).map_err(|error| Broken {
            reason: format!("failed to start {}: {error}", case.qemu.path.display()),
            cancelled: false,
            partial: Dump::default(),
            elapsed: Duration::ZERO,
            command: Vec::new(),
        })?;
        let assembled = assemble(boot.slots.iter().map(|slot| slot.frames.as_slice()));
        let problem = assembled.error.map(|error| error.to_string());
        if boot.completed() && problem.is_none() {
            let lines = render(&assembled.dump, &self.store.table, &self.store.volatile);
            return Ok(Observation {
                dump: assembled.dump,
                lines,
                elapsed: boot.elapsed,
                command: boot.command,
            });
        }
        Err(Broken {
            reason: reason(&boot, problem.as_deref(), options.timeout),
            cancelled: boot.ending == Ending::Cancelled,
            partial: assembled.dump,
            elapsed: boot.elapsed,
            command: boot.command,
        })
    }
}

/// One message, most telling part first.
fn reason(boot: &Boot, problem: Option<&str>, timeout: Duration) -> String {
    let seconds = timeout.as_secs_f64();
    let mut parts = vec![match boot.ending {
        Ending::TimedOut => format!("timed out: no end after {seconds} s"),
        Ending::Cancelled => "cancelled".to_owned(),
        Ending::Signalled(signal) => format!("QEMU was killed by signal {signal}"),
        Ending::Exited(_) if boot.completed() => "the guest ended, but its dump is not whole".to_owned(),
        Ending::Exited(_) if boot.faulted() => "the agent met an exception it did not expect".to_owned(),
        Ending::Exited(code) => format!("QEMU exited with status {code}"),
    }];
    parts.extend(problem.map(str::to_owned));
    if !boot.completed() {
        parts.extend(boot.last_operation().map(|last| format!("last seen at {last}")));
    }
    let said = telling(&boot.stderr);
    if !said.is_empty() {
        parts.push(format!("stderr: {said}"));
    }
    parts.join("; ")
}

/// What QEMU said, but for its list of features that TCG does not emulate: dozens of lines a vCPU, about every guest of
/// the lane `definition`, in front of the one line that matters.
fn telling(stderr: &str) -> String {
    let usual = |line: &&str| !line.contains("warning: TCG doesn't support requested feature: ");
    let lines: Vec<&str> = stderr.trim().lines().filter(usual).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::telling;

    #[test]
    fn the_list_of_unemulated_features_is_left_out() {
        let stderr = "qemu: warning: TCG doesn't support requested feature: CPUID.01H:ECX.pcid [bit 17]\n\
                      qemu: target/i386/cpu.c:384: Assertion failed.\n";
        assert_eq!(telling(stderr), "qemu: target/i386/cpu.c:384: Assertion failed.");
    }
}
