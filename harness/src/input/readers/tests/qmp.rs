//! QMP's answers.

use super::support::{all, cpu, cpuid, field, file, known, names, only, presence, refused, titles};
use crate::input::{Coverage, Format, Presence, State};

#[test]
fn an_expansion_has_features_and_the_fields_that_are_registers() {
    let inputs = all(file!("haswell.qmp.json"));
    let input = &inputs[0];
    assert_eq!((input.format, input.state), (Format::Qmp, State::Reset));
    assert_eq!(input.coverage, Coverage::Excerpt);
    let cpu = &input.cpus[0];
    // `sse4_1` and `lahf_lm` are QEMU's second names; what decides how a CPU is made is no feature.
    assert_eq!(
        names(cpu),
        ["avx2 lahf-lm sse4.1", "hle vmx-ept", "not-yet-known"]
    );
    let fields = ["family", "model", "vendor", "microcode", "model-id"];
    let values = fields.map(|name| field(cpu, name).unwrap_or_default());
    assert_eq!(
        values,
        [
            "6",
            "60",
            "GenuineIntel",
            "0x1",
            "Intel Core Processor (Haswell)"
        ]
    );
    assert_eq!(
        (field(cpu, "phys-bits"), field(cpu, "apic-id")),
        (None, None)
    );
    assert_eq!(known(input, cpuid(1, 0, 0)), (0x0003_06c4, 0x0fff_0fff));
    assert_eq!(
        known(input, cpuid(0x8000_0002, 0, 0)),
        (0x6574_6e49, 0xffff_ffff)
    );
    assert_eq!(known(input, cpuid(0x8000_0008, 0, 0)), (0, 0));
}

#[test]
fn a_leaf_beyond_the_level_is_known_to_be_none() {
    let inputs = all(file!("haswell.qmp.json"));
    // The level is 13.
    assert_eq!(known(&inputs[0], cpuid(0x14, 0, 1)), (0, 0xffff_ffff));
    assert_eq!(presence(&inputs[0], "avx2"), Presence::Present);
    assert_eq!(presence(&inputs[0], "bmi1"), Presence::Unknown);
}

#[test]
fn each_definition_lacks_what_this_host_cannot_give() {
    let inputs = all(file!("haswell.qmp.json"));
    let expected = ["Haswell", "max", "Haswell", "feature-words"];
    assert_eq!(titles(&inputs), expected.map(Some));
    assert_eq!(names(&inputs[1].cpus[0]), ["", "", ""]);
    assert_eq!(names(&inputs[2].cpus[0]), ["", "hle rtm", ""]);
    assert_eq!(field(&inputs[2].cpus[0], "alias-of"), Some("Haswell-v1"));
}

#[test]
fn feature_words_are_registers() {
    let inputs = all(file!("haswell.qmp.json"));
    let words = &inputs[3];
    assert_eq!(known(words, cpuid(7, 0, 1)), (32, 0xffff_ffff));
    assert_eq!(known(words, cpuid(7, 0, 2)), (0, 0));
    assert_eq!(presence(words, "avx2"), Presence::Present);
}

#[test]
fn a_part_of_an_answer_is_enough() {
    let input = only(file!("epyc-9334.expansion.json"));
    assert_eq!(names(&input.cpus[0])[1], "invtsc topoext");
    assert_eq!(known(&input, cpuid(1, 0, 0)).0, 0x00a1_0f11);
    assert_eq!(
        known(&input, cpuid(0x8000_0000, 0, 0)),
        (0x8000_0022, 0xffff_ffff)
    );
    let bare = "{\"model\": {\"name\": \"base\", \"props\": {\"avx2\": true}}}";
    assert_eq!(names(&cpu(bare))[0], "avx2");
    let props = "{\"name\": \"base\", \"props\": {\"avx2\": true}}";
    assert_eq!(names(&cpu(props))[0], "avx2");
    let definitions = "[{\"name\": \"486\", \"typename\": \"486-x86_64-cpu\"}]";
    assert_eq!(only(definitions).title.as_deref(), Some("486"));
    let quoted = format!("> {}", file!("epyc-9334.expansion.json"));
    assert_eq!(only(quoted), input);
}

#[test]
fn what_is_no_answer_about_cpus_is_an_error() {
    let expected = "expected an answer to query-cpu-model-expansion, query-cpu-definitions or feature-words, found";
    for (text, found) in [
        (
            "{\"return\": {\"enabled\": true}}",
            "line 1, column 1: EXPECTED other answers (read as answers of QMP)",
        ),
        (
            "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no such model\"}}",
            "line 1, column 1: EXPECTED an error: no such model (read as answers of QMP)",
        ),
        (
            "{\"return\": {}}\n {\"return\": {\"model\": {\"name\": \"base\", \"props\": []}}}",
            "line 2, column 2: expected props to be an object, found [] (read as answers of QMP)",
        ),
        (
            "{\"return\": [{\"name\": \"EPYC\", \"unavailable-features\": [1]}]}",
            "line 1, column 1: EPYC: expected the name of an unavailable feature, found 1 (read as answers of QMP)",
        ),
        (
            "{\"return\": [{\"cpuid-register\": \"FOO\"}]}",
            "line 1, column 1: expected feature words (cpuid-input-eax, cpuid-register, features), found another form (read as answers of QMP)",
        ),
        (
            "{\"return\": {}}\n{\"return\": {\"model\"",
            "line 2, column 19: EOF while parsing an object (read as answers of QMP)",
        ),
    ] {
        assert_eq!(refused(text), found.replace("EXPECTED", expected), "{text}");
    }
}
