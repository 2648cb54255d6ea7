//! Runs a reader over its inputs, and notes what it must not do: panic, take too much memory, or take too long.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

use crate::allocation::{Execution, measured};
use crate::mutate::{Seeds, Shape};

/// CPU time that one input may take. Optimised code takes a thousandth of it; `make test` runs without optimisation.
const SLOWEST: Duration = Duration::from_secs(5);
/// Most findings of one reader: more of them say nothing new.
const FINDINGS: usize = 20;

/// A reader of data from outside.
#[derive(Clone, Copy)]
pub struct Reader {
    /// Its name.
    pub name: &'static str,
    /// What it reads.
    pub shape: Shape,
    /// Recorded inputs.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Executions of a run that nobody gave a time: about a tenth of a second.
    pub executions: u64,
    /// Reads one input; whether it is one, and not refused.
    pub read: fn(&[u8]) -> bool,
}

/// How long, and from which seed.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// CPU time for each reader; `None` for [`Reader::executions`].
    pub time: Option<Duration>,
    /// What mutations follow from.
    pub seed: u64,
    /// The one input to run.
    pub only: Option<u64>,
}

/// What became of a reader.
#[derive(Debug, Default)]
pub struct Ran {
    /// The reader.
    pub name: &'static str,
    /// Inputs that were read.
    pub executions: u64,
    /// How many of them it took for what they should be.
    pub taken: u64,
    /// CPU time of all of them.
    pub time: Duration,
    /// CPU time of the slowest.
    pub slowest: Duration,
    /// The most bytes that one of them took.
    pub peak: usize,
    /// What it did that it must not do, with the number of the first input that showed it.
    pub findings: BTreeMap<String, u64>,
}

impl Reader {
    /// Reads inputs until the plan is done.
    pub fn run(&self, plan: Plan) -> Ran {
        let seeds = Seeds::new(self.shape, (self.seeds)());
        let mut ran = Ran {
            name: self.name,
            ..Ran::default()
        };
        assert!(seeds.len() > 0, "{} has no seeds", self.name);
        if let Some(number) = plan.only {
            self.once(&seeds, plan.seed, number, &mut ran);
            return ran;
        }
        let least = seeds.len() as u64;
        let mut number = 0;
        let done = |ran: &Ran, number| match plan.time {
            Some(time) => ran.time >= time && number >= least,
            None => number >= self.executions.max(least),
        };
        while !done(&ran, number) && ran.findings.len() < FINDINGS {
            self.once(&seeds, plan.seed, number, &mut ran);
            number += 1;
        }
        ran
    }

    fn once(&self, seeds: &Seeds, seed: u64, number: u64, ran: &mut Ran) {
        let input = seeds.input(seed, number);
        let execution = Execution {
            reader: self.name,
            seed,
            number,
        };
        let start = cpu_time();
        let (read, peak) = measured(execution, || quiet(|| (self.read)(&input)));
        let took = cpu_time().saturating_sub(start);
        ran.executions += 1;
        ran.taken += u64::from(read == Ok(true));
        // A reader that refuses what was recorded sees nothing of what is made of it.
        let refused = number < seeds.len() as u64 && read == Ok(false);
        let refused = refused.then(|| "a recorded input is refused".to_owned());
        ran.time += took;
        ran.slowest = ran.slowest.max(took);
        ran.peak = ran.peak.max(peak);
        let slow = (took > SLOWEST).then(|| format!("takes {:.0} s", took.as_secs_f64()));
        for finding in read.err().into_iter().chain(slow).chain(refused) {
            ran.findings.entry(finding).or_insert_with(|| {
                keep(self.name, number, &input);
                number
            });
        }
    }
}

/// CPU time of this thread: a machine that does other things as well makes no reader slow.
fn cpu_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(now).unwrap_or_default()
}

/// Where a panic was and what it said, by thread.
static PANICS: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

/// Runs `read`; where it panics, place and message are the error, and nothing is printed.
fn quiet(read: impl FnOnce() -> bool) -> Result<bool, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        std::panic::set_hook(Box::new(|panic| {
            let first = panic
                .to_string()
                .lines()
                .take(6)
                .collect::<Vec<_>>()
                .join(" ");
            let mut panics = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
            panics.insert(thread(), first);
        }));
    });
    catch_unwind(AssertUnwindSafe(read)).map_err(|_| {
        let mut panics = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
        panics.remove(&thread()).unwrap_or_default()
    })
}

fn thread() -> String {
    format!("{:?}", std::thread::current().id())
}

/// The file of an input that showed something.
pub fn kept(reader: &str, number: u64) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("fuzz");
    folder.join(format!("{reader}-{number}"))
}

fn keep(reader: &str, number: u64, input: &[u8]) {
    let path = kept(reader, number);
    let folder = path.parent().map(std::fs::create_dir_all);
    let written = folder
        .and_then(Result::ok)
        .map(|()| std::fs::write(&path, input));
    if written.and_then(Result::ok).is_none() {
        eprintln!("failed to write {}", path.display());
    }
}
