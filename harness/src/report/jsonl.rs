//! JSON lines: one object a run, then one a case. Fields may be added, never renamed.

use serde_json::{Value, json};

use crate::check::CaseResult;

/// Version of the format, in the run's first line.
pub const VERSION: u32 = 1;

/// The first line of a run.
pub fn head(planned: usize) -> Value {
    json!({
        "run": "cpuid-fidelity",
        "version": VERSION,
        "tool": env!("CARGO_PKG_VERSION"),
        "planned": planned,
    })
}

/// The line of a case.
pub fn case(result: &CaseResult) -> Value {
    let case = &result.planned;
    json!({
        "case": result.case,
        "trial": result.trial,
        "lane": case.lane,
        "qemu": {
            "path": case.qemu.path,
            "version": case.qemu.offers.version,
            "package": case.qemu.offers.package,
        },
        "machine": case.machine,
        "cpu": case.cpu,
        "resolved": case.resolved_model(),
        "smp": case.smp.as_str(),
        "status": result.status,
        "reason": result.reason,
        "duration_ms": result.duration.as_secs_f64() * 1000.0,
        "command": result.command,
        "changes": result.changes,
        "waivers": result.waivers,
    })
}

/// The whole text of a run.
pub fn run(results: &[CaseResult]) -> String {
    let lines = std::iter::once(head(results.len())).chain(results.iter().map(case));
    lines.map(|line| format!("{line}\n")).collect()
}
