//! Runs for the tests of this stage and of the reports.

use super::class::HostClass;
use super::head::{Head, PlanId, RUN, VERSION};
use super::row::Row;
use crate::check::{Finding, Layer};
use crate::cpuid::line::Line;
use crate::results::Status;

/// The head of a run that planned `cases`.
pub fn head(cases: &[&str]) -> Head {
    let (by_host, shared) = cases
        .iter()
        .map(|name| (*name).to_owned())
        .partition(|name: &String| name.starts_with("kvm"));
    Head {
        run: RUN.to_owned(),
        version: VERSION,
        tool: "0.1.0".to_owned(),
        planned: cases.len(),
        plan: PlanId {
            id: "0badcafe".to_owned(),
            shared,
            by_host,
        },
        options: Vec::new(),
        shard: None,
        host: HostClass {
            id: "this/host".to_owned(),
            ..HostClass::default()
        },
        started: "2026-11-24T01:02:03Z".to_owned(),
        seconds: 1.5,
    }
}

/// The row of a case named `LANE/QEMU/MACHINE/MODEL`.
pub fn row(case: &str, status: Status) -> Row {
    let host = case.starts_with("kvm").then(|| "this/host".to_owned());
    let missing = Row::missing((case.to_owned(), host)).expect("the name of a case");
    Row {
        status,
        reason: String::new(),
        seen: Some("12345678".to_owned()),
        command: vec![
            "qemu-system-x86_64".to_owned(),
            "-cpu".to_owned(),
            missing.cpu.clone(),
        ],
        reproduce: ["cpuid-fidelity", "check", "--cpu", &missing.cpu]
            .map(str::to_owned)
            .to_vec(),
        ..missing
    }
}

/// A row that lost these features.
pub fn lost(case: &str, features: &[&str]) -> Row {
    let finding = |name: &&str| {
        let bit = name.len();
        let line = format!("cpuid 0x00000007.00 ebx[{bit:>2}]     {name}");
        let line = Line::read(&line).expect("a line");
        Finding::between_lines(Some(&line), None, Layer::Qemu).expect("a finding")
    };
    Row {
        changes: features.iter().map(finding).collect(),
        ..row(case, Status::Fail)
    }
}
