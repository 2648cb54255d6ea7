//! What a run came to: a line a reader.

use std::fmt::Write as _;

use crate::execute::Ran;

/// The table; `seed` is what all of it follows from.
pub fn text(seed: u64, all: &[Ran]) -> String {
    let mut text = format!("readers of data from outside, seed {seed}\n");
    let _ = writeln!(
        text,
        "{:<22} {:>10} {:>6} {:>8} {:>9} {:>9} {:>8}",
        "reader", "executions", "taken", "CPU s", "slowest", "peak", "findings"
    );
    for ran in all {
        let _ = writeln!(
            text,
            "{:<22} {:>10} {:>4} % {:>8.1} {:>6} ms {:>5.1} MiB {:>8}",
            ran.name,
            ran.executions,
            100 * ran.taken / ran.executions.max(1),
            ran.time.as_secs_f64(),
            ran.slowest.as_millis(),
            mebibytes(ran.peak),
            ran.findings.len()
        );
    }
    let _ = writeln!(text, "{}", total(all));
    text
}

fn total(all: &[Ran]) -> String {
    let executions: u64 = all.iter().map(|ran| ran.executions).sum();
    let seconds: f64 = all.iter().map(|ran| ran.time.as_secs_f64()).sum();
    let peak = all.iter().map(|ran| ran.peak).max().unwrap_or_default();
    let findings: usize = all.iter().map(|ran| ran.findings.len()).sum();
    format!(
        "{executions} executions in {seconds:.0} s of CPU time, peak {:.1} MiB, {findings} findings",
        mebibytes(peak)
    )
}

fn mebibytes(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
