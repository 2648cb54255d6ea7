//! A test whose capability is missing is skipped on a developer's machine, and fails under CI.

use super::require::{Capability, Missing, decide};

const MUST: Capability = Capability::Browser;
const MAY: Capability = Capability::Kvm;

#[test]
fn by_hand_a_missing_capability_skips_the_test_with_the_reason() {
    let message = "no chromium in PATH; brought by scripts/setup".to_owned();
    let missing = decide(MUST, "no chromium in PATH", false);
    assert_eq!(missing, Missing::Skip(message));
}

#[test]
fn under_ci_a_missing_capability_fails_the_test() {
    let message = "no chromium in PATH; brought by scripts/setup; CI must have it".to_owned();
    let missing = decide(MUST, "no chromium in PATH", true);
    assert_eq!(missing, Missing::Fail(message));
}

#[test]
fn under_ci_what_it_may_lack_skips_the_test_with_both_reasons() {
    let Missing::Skip(message) = decide(MAY, "no /dev/kvm", true) else {
        panic!("it fails");
    };
    assert!(message.starts_with("no /dev/kvm; brought by "), "{message}");
    assert!(message.contains("; CI may lack it: "), "{message}");
}
