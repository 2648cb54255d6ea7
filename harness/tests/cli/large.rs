//! A report of as many cases as all releases, lanes and models give.

use cpuid_fidelity::results::{Head, RunFile};

use super::browser::rows;
use super::world::World;

/// Cases of a large run.
const CASES: usize = 50_000;
/// What a shell allows the program: KiB of address space, and seconds of CPU time of a build without optimisation.
const LIMITS: &str = "ulimit -v 2000000; ulimit -t 60";
/// Bytes that a browser opens without a pause.
const PAGE: u64 = 8_000_000;

#[test]
fn fifty_thousand_cases_are_reported_in_bounded_time_memory_and_size() {
    let world = or_skip!(World::new(&[], &[]));
    let file = RunFile {
        name: "x".to_owned(),
        head: Head::new(&[], CASES, None),
        rows: rows(CASES),
        cut: false,
    };
    world.write("run.jsonl", &file.text());
    let report = ["report", "run.jsonl", "-q", "--html", "report.html"];
    let ended = world.run_after(LIMITS, &report).expect(1);
    ended.prints("50000 run: 42857 passed, 7143 FAILED in ");
    let size = std::fs::metadata(world.path("report.html")).expect("the page");
    assert!(size.len() < PAGE, "{}", size.len());
}
