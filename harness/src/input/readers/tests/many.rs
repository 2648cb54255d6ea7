//! Large files.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::support::{all, file, only};

/// As many processors as a large host has.
const PROCESSORS: usize = 64;
/// CPU time without optimisation; 65 ms are taken (measured).
const SLOWEST: Duration = Duration::from_secs(1);

fn processors(count: usize) -> String {
    let one = file!("rebase-before.cpuid-r.txt");
    let one = one.trim_start_matches("CPU 0:\n");
    let all = (0..count).map(|number| format!("CPU {number}:\n{one}"));
    all.collect()
}

fn cpu_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

#[test]
fn sixty_four_processors_are_read_in_a_second() {
    let text = processors(PROCESSORS);
    let start = cpu_time();
    let input = only(&text);
    let took = cpu_time().saturating_sub(start);
    assert_eq!(input.cpus.len(), PROCESSORS);
    assert!(took < SLOWEST, "{took:?}");
}

#[test]
fn many_dumps_in_one_file_are_read() {
    assert_eq!(all(processors(1).repeat(200)).len(), 200);
}
