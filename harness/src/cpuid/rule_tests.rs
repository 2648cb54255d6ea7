use super::*;
use crate::cpuid::linux_rules::{LinuxRules, RowKind};

fn truth(text: &str) -> Truth {
    let ask = |atom: &Atom| match atom {
        Atom::Known(truth) => *truth,
        Atom::Feature(name) => Truth::from_known(name == "avx2"),
        Atom::Vendor(vendor) => Truth::from_known(*vendor == Vendor::Amd),
        Atom::Family(first, last) => Truth::from_known((*first..=*last).contains(&0x17)),
        Atom::Model(spans) => {
            Truth::from_known(spans.iter().any(|(a, b)| (*a..=*b).contains(&0x31)))
        }
        Atom::Kernel(major, minor) => Truth::from_known((6, 1) >= (*major, *minor)),
        _ => Truth::No,
    };
    Rule::read(text).expect(text).truth(&ask)
}

#[test]
fn very_many_brackets_are_an_error_and_no_overflow() {
    let nested = |depth: usize| {
        Rule::read(&format!(
            "{} yes {}",
            "( ".repeat(depth),
            ") ".repeat(depth)
        ))
    };
    assert!(nested(32).is_ok());
    assert_eq!(nested(33), Err(SyntaxError::Nested));
    assert_eq!(nested(200_000), Err(SyntaxError::Nested));
}

#[test]
fn expressions_are_read_as_they_are_bracketed() {
    for (text, expected) in [
        ("avx2", Truth::Yes),
        ("!avx2", Truth::No),
        ("intel | amd & family=17 & model=0-2f|30-3f", Truth::Yes),
        ("( intel | amd ) & !family>=18", Truth::Yes),
        ("kernel>=6.1 & !kernel>=6.2", Truth::Yes),
        ("amd & maybe", Truth::Maybe),
        ("intel & maybe", Truth::No),
        ("amd | maybe", Truth::Yes),
        ("!( amd & maybe )", Truth::Maybe),
        ("stepping>=3", Truth::No),
        ("level>=d", Truth::No),
    ] {
        assert_eq!(truth(text), expected, "{text}");
    }
}

#[test]
fn what_is_no_expression_is_an_error() {
    let error = |text: &str| Rule::read(text).expect_err(text).to_string();
    assert_eq!(error(""), "the rule ends too soon");
    assert_eq!(error("( amd"), "a bracket is not closed");
    assert_eq!(error("amd intel"), "“intel” where the rule should end");
    assert_eq!(error("amd & | intel"), "“|” where a name should be");
    assert_eq!(error("model=2f-1"), "“model=2f-1” cannot be read");
    assert_eq!(error("kernel>=6"), "“kernel>=6” cannot be read");
    assert_eq!(error("level>=x"), "“level>=x” cannot be read");
    assert_eq!(error("stepping>="), "“stepping>=” cannot be read");
}

fn problem(text: &str) -> String {
    let rules = LinuxRules::parse("linux.tsv", text, |name| name == "avx2");
    rules.expect_err("a bad table").to_string()
}

#[test]
fn a_bad_row_is_told_with_its_line() {
    assert_eq!(
        problem("# head\nflag\tx\tavx2\n"),
        "linux.tsv:2: 3 columns where 4 are due"
    );
    assert_eq!(problem("flig\tx\tavx2\ty\n"), "linux.tsv:1: no kind “flig”");
    assert_eq!(
        problem("flag\tx\tavx3\ty\n"),
        "linux.tsv:1: avx3 is not in the feature table"
    );
    assert_eq!(
        problem("flag\tx\tyes\ty\nflag\tx\tno\ty\n"),
        "linux.tsv:2: flag x comes twice"
    );
    assert_eq!(
        problem("flag\tx\tyes\t \n"),
        "linux.tsv:1: a row without a name or a source"
    );
}

#[test]
fn a_row_goes_on_in_the_next_line_behind_spaces() {
    let text =
        "# kind\nflag\tone\tamd |\n    intel\ta source\n    of two lines\nflag\ttwo\tyes\tx\n";
    let rules = LinuxRules::parse("f", text, |_| true).expect("rules");
    let one = rules.row(RowKind::Flag, "one").expect("a row");
    assert_eq!(one.source, "a source of two lines");
    assert_eq!(rules.rows().len(), 2);
    let error = LinuxRules::parse("f", "flag\tone\n  amd", |_| true).expect_err("an error");
    assert_eq!(error.to_string(), "f:1: 2 columns where 4 are due");
}
