use super::*;
use crate::check::{CheckId, Kind};
use crate::cpuid::line::Line;

const BMI1: &str = "cpuid 0x00000007.00 ebx[ 3]     bmi1";
const AVX2: &str = "cpuid 0x00000007.00 ebx[ 5]     avx2";
const SMEP: &str = "cpuid 0x00000007.00 ebx[ 7]     smep";

fn lines_of(lines: &[&str]) -> Lines {
    let lines = lines.iter().map(|line| Line::read(line).expect("a line"));
    Lines(lines.collect())
}

fn seen(lines: &[&str]) -> Outcome {
    Outcome::Seen {
        lines: lines_of(lines),
        own: Vec::new(),
        command: Vec::new(),
    }
}

fn broken() -> Outcome {
    Outcome::Broken {
        reason: "QEMU was killed by signal 11".to_owned(),
        command: Vec::new(),
    }
}

fn unbuilt() -> Outcome {
    Outcome::Unbuilt {
        reason: "cpu.c:1: error".to_owned(),
    }
}

fn question(
    expected: Option<&Lines>,
    feature: Option<&str>,
    good: &Outcome,
    bad: &Outcome,
) -> Result<Question, EndsError> {
    let layer = Layer::Qemu;
    Ends {
        expected,
        feature,
        layer,
        good,
        bad,
    }
    .question()
}

fn verdict(question: &Question, outcome: &Outcome) -> Verdict {
    question.verdict(outcome).0
}

#[test]
fn only_what_the_bad_end_shows_is_bad() {
    let question = question(None, None, &seen(&[BMI1, AVX2]), &seen(&[BMI1])).expect("a question");
    assert_eq!(verdict(&question, &seen(&[BMI1, AVX2])), Verdict::Good);
    assert_eq!(verdict(&question, &seen(&[BMI1])), Verdict::Bad);
    // Something else that came and went.
    assert_eq!(
        verdict(&question, &seen(&[BMI1, AVX2, SMEP])),
        Verdict::Good
    );
    assert_eq!(verdict(&question, &seen(&[SMEP])), Verdict::Bad);
}

#[test]
fn a_crash_is_told_from_a_changed_guest() {
    let changed = question(None, None, &seen(&[BMI1, AVX2]), &seen(&[BMI1])).expect("a question");
    assert_eq!(verdict(&changed, &broken()), Verdict::Untestable);
    assert_eq!(verdict(&changed, &unbuilt()), Verdict::Untestable);
    let crashes = question(None, None, &seen(&[BMI1]), &broken()).expect("a question");
    assert_eq!(crashes.hunt, Hunt::Breakage);
    assert_eq!(verdict(&crashes, &broken()), Verdict::Bad);
    assert_eq!(verdict(&crashes, &unbuilt()), Verdict::Untestable);
    assert_eq!(verdict(&crashes, &seen(&[AVX2])), Verdict::Good);
}

#[test]
fn one_feature_can_be_singled_out() {
    let (good, bad) = (seen(&[BMI1, AVX2]), seen(&[SMEP]));
    let question = question(None, Some("avx2"), &good, &bad).expect("a question");
    assert_eq!(verdict(&question, &seen(&[AVX2])), Verdict::Good);
    assert_eq!(verdict(&question, &seen(&[BMI1])), Verdict::Bad);
}

#[test]
fn what_the_bad_end_has_besides_is_told() {
    let (good, bad) = (seen(&[BMI1, AVX2]), seen(&[SMEP]));
    let question = question(None, None, &good, &bad).expect("a question");
    let (_, found) = question.verdict(&seen(&[BMI1]));
    assert_eq!(list(&found), "lost avx2 at CPUID.07H.00H:EBX[5]");
    assert_eq!(
        list(&question.left(&found)),
        "lost bmi1 at CPUID.07H.00H:EBX[3], gained smep at CPUID.07H.00H:EBX[7]"
    );
}

#[test]
fn contradictions_of_the_good_end_are_not_hunted() {
    let own = |name: &str| Outcome::Seen {
        lines: lines_of(&[BMI1]),
        own: vec![Finding::new(
            CheckId::Limits,
            Kind::Gained,
            name,
            "",
            "",
            Layer::Qemu,
        )],
        command: Vec::new(),
    };
    let error = question(None, None, &own("leaf"), &own("leaf")).expect_err("alike");
    assert_eq!(
        error.to_string(),
        "nothing to bisect: the two ends do not differ"
    );
    let question = question(None, None, &own("leaf"), &own("other")).expect("a question");
    assert_eq!(verdict(&question, &own("leaf")), Verdict::Good);
    assert_eq!(verdict(&question, &own("other")), Verdict::Bad);
}

#[test]
fn ends_that_are_none_are_told() {
    let expected = lines_of(&[BMI1, AVX2]);
    let whole = seen(&[BMI1, AVX2]);
    let short = seen(&[BMI1]);
    for (good, bad, wanted) in [
        (
            &short,
            &whole,
            "good and bad are swapped: the case fails at the good end and holds at the bad one: lost avx2 at CPUID.07H.00H:EBX[5]",
        ),
        (
            &short,
            &seen(&[AVX2]),
            "the case fails at the good end: lost avx2 at CPUID.07H.00H:EBX[5]; `--against good` takes what it shows there for what is expected",
        ),
        (
            &whole,
            &whole,
            "nothing to bisect: the case holds at both ends",
        ),
        (
            &broken(),
            &short,
            "the case cannot be run at the good end: QEMU was killed by signal 11",
        ),
        (
            &unbuilt(),
            &short,
            "the good end does not build: cpu.c:1: error",
        ),
        (
            &whole,
            &unbuilt(),
            "the bad end does not build: cpu.c:1: error",
        ),
    ] {
        let error = question(Some(&expected), None, good, bad).expect_err(wanted);
        assert_eq!(error.to_string(), wanted);
    }
    let error = question(None, Some("smep"), &whole, &short).expect_err("alike");
    assert_eq!(
        error.to_string(),
        "nothing to bisect: the two ends do not differ in smep"
    );
}
