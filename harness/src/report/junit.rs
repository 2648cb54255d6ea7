//! JUnit XML, a suite a lane and QEMU.

use std::collections::BTreeMap;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::changes::account;
use super::shown::Shown;
use crate::results::Row;
use crate::results::Status;

/// The XML of a run.
///
/// # Errors
/// It could not be written.
pub fn run(shown: &Shown) -> Result<String, quick_junit::SerializeError> {
    let mut suites: BTreeMap<String, TestSuite> = BTreeMap::new();
    for row in shown.rows() {
        // A lane of which the host is an axis has a suite a class.
        let host = row.host.iter().map(|host| format!("/{host}"));
        let name = format!(
            "{}/{}{}",
            row.lane,
            row.qemu.label,
            host.collect::<String>()
        );
        let suite = suites
            .entry(name.clone())
            .or_insert_with(|| TestSuite::new(name));
        let mut test = TestCase::new(row.case.clone(), status(row));
        test.set_time(Duration::from_secs_f64(row.duration_ms.max(0.0) / 1000.0));
        suite.add_test_case(test);
    }
    let mut report = Report::new("cpuid-fidelity");
    report.add_test_suites(suites.into_values());
    report.to_string()
}

fn status(row: &Row) -> TestCaseStatus {
    let failed = |kind| {
        let mut status = TestCaseStatus::non_success(kind);
        status
            .set_type(row.status.name())
            .set_description(account(row));
        status
    };
    match row.status {
        Status::Pass => TestCaseStatus::success(),
        Status::Fail => failed(NonSuccessKind::Failure),
        Status::Error | Status::Miss => failed(NonSuccessKind::Error),
        Status::Skip | Status::Waived => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(row.reason.clone());
            status
        }
    }
}
