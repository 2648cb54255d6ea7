//! JUnit XML, a suite a lane and QEMU.

use std::collections::BTreeMap;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::changes::explained;
use crate::check::{CaseResult, Status};

/// The XML of a run.
///
/// # Errors
/// A name that XML cannot hold.
pub fn run(results: &[CaseResult]) -> Result<String, quick_junit::SerializeError> {
    let mut suites: BTreeMap<String, TestSuite> = BTreeMap::new();
    for result in results {
        let case = &result.planned;
        let name = format!("{}/{}", case.lane, case.qemu.label);
        let suite = suites
            .entry(name.clone())
            .or_insert_with(|| TestSuite::new(name));
        let mut test = TestCase::new(result.case.clone(), status(result));
        test.set_time(result.duration);
        suite.add_test_case(test);
    }
    let mut report = Report::new("cpuid-fidelity");
    report.add_test_suites(suites.into_values());
    report.to_string()
}

fn status(result: &CaseResult) -> TestCaseStatus {
    let failed = |kind| {
        let mut status = TestCaseStatus::non_success(kind);
        status
            .set_type(result.status.word())
            .set_description(explained(result));
        status
    };
    match result.status {
        Status::Pass => TestCaseStatus::success(),
        Status::Fail => failed(NonSuccessKind::Failure),
        Status::Error | Status::Miss => failed(NonSuccessKind::Error),
        Status::Skip | Status::Waived => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(result.reason.clone());
            status
        }
    }
}
