use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::subsequence;

use super::*;
use crate::check::compare;

fn all() -> Models {
    let names = ["A-v1", "A-v2", "A-v3", "B-v1", "B-v2", "C-v1"];
    BTreeSet::from(names.map(str::to_owned)).into()
}

fn groups(models: &[&str]) -> Groups {
    let line = |text| vec![Line::read(text).expect("a line")];
    let changes = compare(
        &line("cpuid 0x80000008.00 eax[ 7: 0]  phys-bits = 46"),
        &line("cpuid 0x80000008.00 eax[ 7: 0]  phys-bits = 40"),
        crate::check::Layer::Qemu,
    );
    let mut groups = Groups::default();
    for model in models {
        groups.add(model, &changes);
    }
    groups
}

#[test]
fn a_range_of_very_many_versions_is_refused_and_not_filled_in() {
    let models = Models::from(BTreeSet::from(["EPYC-v1", "EPYC-v2"].map(str::to_owned)));
    for list in [
        "EPYC-v1..4294967295",
        "EPYC-v1..40000000",
        "EPYC-v2..1",
        "-EPYC-v0..4294967295",
    ] {
        let list = if list.starts_with('-') {
            format!("* {list}")
        } else {
            list.to_owned()
        };
        let error = models.parse(&list).expect_err("a range that is none");
        assert!(
            error.starts_with("a range of versions is -vN..M"),
            "{list}: {error}"
        );
    }
    assert_eq!(models.parse("EPYC-v1..256").expect("a range").len(), 256);
}

#[test]
fn a_name_that_no_model_can_have_is_refused() {
    // A carriage return at the end of a line would be gone when it is read again.
    for list in ["\r", "A\r-v1", "A-v1 \u{202e}", "*x"] {
        assert!(all().parse(list).is_err(), "{list:?}");
    }
}

#[test]
fn a_change_of_every_model_is_a_star() {
    assert_eq!(
        groups(&["A-v1", "A-v2", "A-v3", "B-v1", "B-v2", "C-v1"]).render(&all()),
        "cpuid 0x80000008.00 eax[ 7: 0]  +phys-bits = 40 | *\n\
         cpuid 0x80000008.00 eax[ 7: 0]  -phys-bits = 46 | *"
    );
}

#[test]
fn files_read_back_as_written() {
    let sets = [
        &["A-v1"][..],
        &["A-v1", "A-v2", "C-v1"],
        &["B-v1", "B-v2"],
        &["A-v1", "A-v3", "B-v1", "B-v2", "C-v1"],
        &[],
    ];
    for models in sets {
        let groups = groups(models);
        assert_eq!(Groups::parse(&groups.render(&all()), &all()), Ok(groups));
    }
}

#[test]
fn versions_of_a_model_are_folded() {
    let text = groups(&["A-v1", "A-v2", "B-v1"]).render(&all());
    assert!(text.ends_with("| A-v1..2 B-v1"), "{text}");
    let text = groups(&["A-v1", "A-v2", "B-v1", "B-v2"]).render(&all());
    assert!(text.ends_with("| A-v1..2 B-v*"), "{text}");
}

proptest! {
    /// Whatever changes for whichever models: the file says it, and no shorter form of a list loses a model.
    #[test]
    fn any_file_reads_back_as_written(
        changes in vec((0usize..TEXTS.len(), 0usize..TEXTS.len(), subsequence(MODELS.to_vec(), 0..=MODELS.len())), 0..6),
        there in subsequence(MODELS.to_vec(), 0..=MODELS.len()),
    ) {
        let line = |index: usize| vec![Line::read(TEXTS[index]).expect("a line")];
        let mut all: BTreeSet<String> = there.into_iter().map(str::to_owned).collect();
        let mut groups = Groups::default();
        for (minus, plus, models) in changes {
            let changes = compare(&line(minus), &line(plus), crate::check::Layer::Qemu);
            for model in models {
                all.insert(model.to_owned());
                groups.add(model, &changes);
            }
        }
        let all = Models::from(all);
        prop_assert_eq!(Groups::parse(&groups.render(&all), &all), Ok(groups));
    }
}

const MODELS: [&str; 8] = [
    "A-v1",
    "A-v2",
    "A-v3",
    "A-v5",
    "B-v1",
    "Icelake-v-v1",
    "B-C-v1",
    "B-C-v2",
];
const TEXTS: [&str; 6] = [
    "cpuid 0x80000008.00 eax[ 7: 0]  phys-bits = 46",
    "cpuid 0x80000002.00 eax[31: 0]  model-id-0 = \"| * \"",
    "vcpu   1: cpuid 0x00000001.00 ebx[31:24]  initial-apic-id = 1",
    "cpuid 0x00000007.00             zero",
    "msr   0x0000010a                #GP",
    "state os-enabled.xcr0           xcr0 = 0x7",
];

#[test]
fn nonsense_is_refused_with_its_line() {
    let error = Groups::parse("no differences\nphys-bits went down", &all());
    assert_eq!(
        error.map_err(|error| error.to_string()),
        Err("line 2: no “ | models” at the end: phys-bits went down".to_owned())
    );
}
