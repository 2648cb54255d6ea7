use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::subsequence;

use super::cells::{listed, read_machines};
use super::*;
use crate::check::groups::Shift;
use crate::check::{Kind, compare};
use crate::cpuid::line::Line;

const MACHINES: [&str; 9] = [
    "pc-i440fx-2.9",
    "pc-i440fx-4.0",
    "pc-i440fx-10.0",
    "pc-q35-2.9",
    "pc-q35-4.0",
    "pc-q35-4.0.1",
    "pc-q35-9.2",
    "pc-q35-10.0",
    "pc-q35-11.1",
];
const MODELS: [&str; 4] = ["A-v1", "A-v2", "B-v1", "C-v1"];

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn scope() -> Scope {
    Scope {
        machines: set(&MACHINES),
        models: set(&MODELS).into(),
    }
}

fn folded(names: &[&str]) -> String {
    listed(&set(names), &set(&MACHINES))
}

#[test]
fn machine_types_are_folded() {
    for (names, words) in [
        (&MACHINES[..], "*"),
        (&["pc-q35-9.2"], "pc-*-9.2"),
        (&["pc-q35-4.0"], "pc-q35-4.0"),
        (&["pc-q35-2.9", "pc-q35-4.0"], "pc-q35-2.9..4.0"),
        (&["pc-q35-2.9", "pc-q35-10.0"], "pc-q35-2.9 pc-q35-10.0"),
        (
            &["pc-q35-2.9", "pc-i440fx-2.9", "pc-q35-4.0", "pc-i440fx-4.0"],
            "pc-*-2.9..4.0",
        ),
        (&["pc-i440fx-2.9", "pc-i440fx-4.0"], "pc-i440fx-2.9..4.0"),
        (
            &[
                "pc-q35-2.9",
                "pc-i440fx-2.9",
                "pc-q35-10.0",
                "pc-i440fx-10.0",
                "pc-q35-11.1",
            ],
            "* -pc-*-4.0..9.2",
        ),
    ] {
        assert_eq!(folded(names), words, "{names:?}");
    }
}

fn shift(line: &str) -> Shift {
    let before = Line::read(line).expect("a line");
    let change = compare(&[before], &[], crate::check::Layer::Qemu).remove(0);
    assert_eq!(change.kind, Kind::Lost);
    Shift::halves(&change).next().expect("a half")
}

const AVX2: &str = "cpuid 0x00000007.00 ebx[ 5]     avx2";
const BMI1: &str = "cpuid 0x00000007.00 ebx[ 3]     bmi1";

fn cells(machines: &[&str], models: &[&str]) -> Cells {
    let mut cells = Cells::default();
    cells.insert_all(&set(machines), &set(models));
    cells
}

const FILE: &str = "\
# bug fixed: avx2 was never there
#   as in the manual
cpuid 0x00000007.00 ebx[ 5]     -avx2 | * -C-v1 | pc-q35-4.0..9.2
cpuid 0x00000007.00 ebx[ 5]     -avx2 | A-v* | * -pc-q35-4.0..9.2";

#[test]
fn a_file_is_read_as_written() {
    let read = Releases::parse(FILE, &scope()).expect("a file");
    assert_eq!(read.render(&scope()), FILE);
    assert_eq!(read.changes("pc-q35-9.2", "B-v1"), [&shift(AVX2)].into());
    assert!(read.changes("pc-q35-2.9", "B-v1").is_empty());
    let group = read.group_of(&shift(AVX2), "pc-i440fx-2.9", "A-v2");
    assert_eq!(
        group.expect("a group").title(),
        "bug fixed: avx2 was never there"
    );
}

#[test]
fn a_file_of_no_difference_says_so() {
    let empty = Releases::default().render(&scope());
    assert_eq!(empty, "no differences");
    assert_eq!(Releases::parse(&empty, &scope()), Ok(Releases::default()));
}

fn refused(text: &str) -> String {
    let error = Releases::parse(text, &scope()).expect_err("an error");
    error.to_string()
}

#[test]
fn what_nobody_reviewed_is_refused() {
    let (_, bare) = FILE.split_at(FILE.find("cpuid").expect("a line"));
    let reason = "line 1: this group has not been reviewed: a comment above it says “# intended: …”, \
                  “# bug fixed: …”, “# bug: …” or “# artefact: …”: cpuid";
    assert!(refused(bare).starts_with(reason), "{}", refused(bare));
    for comment in ["# avx2 is gone", "# bug:", "# unreviewed: x", "# fixed: x"] {
        let text = format!("{comment}\n{bare}");
        assert!(
            refused(&text).starts_with("line 2: this group has not"),
            "{comment}"
        );
    }
    // A comment counts up to the empty line.
    let text = format!("{FILE}\n\n{bare}");
    assert!(refused(&text).starts_with("line 6: this group has not"));
}

#[test]
fn nonsense_is_refused_with_its_line() {
    for (line, problem) in [
        ("cpuid went down", "no “ | models | machines” at the end"),
        (
            "cpuid | A-v1 | q35",
            "a machine type is * or FAMILY-A, or FAMILY-A..B",
        ),
        ("cpuid | A-v1 | *", "no place"),
    ] {
        let text = format!("# bug: x\n{line}");
        assert_eq!(refused(&text), format!("line 2: {problem}: {line}"));
    }
}

#[test]
fn what_is_seen_stays_in_its_group_and_the_rest_is_new() {
    let file = Releases::parse(FILE, &scope()).expect("a file");
    let ran = cells(&["pc-q35-9.2"], &MODELS);
    let seen: BTreeMap<Shift, Cells> = [
        (shift(AVX2), cells(&["pc-q35-9.2"], &["A-v1", "C-v1"])),
        (shift(BMI1), cells(&["pc-q35-9.2"], &["C-v1"])),
    ]
    .into();
    assert_eq!(
        file.updated(&ran, &seen).render(&scope()),
        "\
# bug fixed: avx2 was never there
#   as in the manual
cpuid 0x00000007.00 ebx[ 5]     -avx2 | * -C-v1 | pc-q35-4.0..4.0.1
cpuid 0x00000007.00 ebx[ 5]     -avx2 | A-v* | * -pc-q35-4.0..9.2
cpuid 0x00000007.00 ebx[ 5]     -avx2 | A-v1 | pc-*-9.2

# unreviewed: intended, bug fixed, bug or artefact? and why
cpuid 0x00000007.00 ebx[ 3]     -bmi1 | C-v1 | pc-*-9.2
cpuid 0x00000007.00 ebx[ 5]     -avx2 | C-v1 | pc-*-9.2"
    );
}

proptest! {
    /// No shorter way to say which machine types loses one.
    #[test]
    fn any_machine_types_read_back(names in subsequence(MACHINES.to_vec(), 0..=MACHINES.len())) {
        let names = set(&names);
        if !names.is_empty() {
            let words = listed(&names, &set(&MACHINES));
            prop_assert_eq!(read_machines(&words, &set(&MACHINES)), Some(names), "{}", words);
        }
    }
}
