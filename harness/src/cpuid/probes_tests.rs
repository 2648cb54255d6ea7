use std::collections::BTreeSet;

use iced_x86::{Decoder, DecoderOptions, Formatter, Instruction, IntelFormatter};

use super::{PROBES, Probe, ProbeSet};
use crate::cpuid::table::Table;

/// Names of iced-x86 that are not those of features.tsv; with the feature that a row of ours is about.
const NAMES: &[(&str, &str)] = &[
    ("AVX512_BITALG", "avx512bitalg"),
    ("AVX512_IFMA", "avx512ifma"),
    ("AVX512_VBMI", "avx512vbmi"),
    ("AVX512_VBMI2", "avx512vbmi2"),
    ("AVX512_VNNI", "avx512vnni"),
    ("CLFSH", "clflush"),
    ("CMPXCHG16B", "cx16"),
    ("D3NOW", "3dnow"),
    ("D3NOWEXT", "3dnowext"),
    ("HLE_or_RTM", "rtm"),
    ("INTEL286", "ud2"),
    ("INTEL386", "ud1"),
    // In 64-bit mode it is a feature.
    ("INTEL8086", "lahf"),
    ("LZCNT", "abm"),
    ("MSR", "rdmsr-arch-capabilities"),
    ("MSR", "rdmsr-core-capability"),
    ("PREFETCHW", "3dnowprefetch"),
    ("SHA", "sha-ni"),
    ("SSE3", "pni"),
    ("SKINIT_or_SVM", "svm"),
    ("SSE4_1", "sse4.1"),
    ("SSE4_2", "sse4.2"),
    ("TSXLDTRK", "tsx-ldtrk"),
    ("XSAVE", "xgetbv-1"),
];

fn is_instruction(probe: &Probe) -> bool {
    matches!(probe.kind, "run" | "off" | "on")
}

/// Decodes the bytes of a row as one of the agents runs them.
fn decoded(probe: &Probe, bits: u32) -> Result<Instruction, String> {
    let digits = probe.what.rsplit(':').next().unwrap_or_default();
    let digits = digits.as_bytes().chunks(2);
    let bytes: Vec<u8> = digits
        .map(|pair| {
            let text = std::str::from_utf8(pair).unwrap_or_default();
            u8::from_str_radix(text, 16).unwrap_or(0xFF)
        })
        .collect();
    let options = DecoderOptions::NONE;
    let mut decoder = Decoder::with_ip(bits, &bytes, 0x1000, options);
    let instruction = decoder.decode();
    if instruction.is_invalid() || instruction.len() != bytes.len() {
        return Err(format!(
            "{}, {bits} bits: {bytes:02x?} is no instruction",
            probe.name
        ));
    }
    Ok(instruction)
}

fn text(instruction: &Instruction) -> String {
    let mut text = String::new();
    IntelFormatter::new().format(instruction, &mut text);
    text.replace("[rdi]", "[edi]").replace("rax", "eax")
}

fn modes(probe: &Probe) -> impl Iterator<Item = u32> {
    let wanted = probe.mode;
    [64, 32].into_iter().filter(move |bits| match wanted {
        "both" => true,
        "user" => *bits == 64,
        wanted => wanted == bits.to_string(),
    })
}

#[test]
fn bytes_are_the_instruction_that_their_row_names() {
    let mut wrong = Vec::new();
    for probe in PROBES.iter().filter(|probe| is_instruction(probe)) {
        for bits in modes(probe) {
            let expected = probe
                .assembly
                .replace("[rdi]", "[edi]")
                .replace("rax", "eax");
            match decoded(probe, bits).map(|instruction| text(&instruction)) {
                Ok(found) if found == expected => {}
                Ok(found) => wrong.push(format!(
                    "{}, {bits} bits: {expected} is {found}",
                    probe.name
                )),
                Err(error) => wrong.push(error),
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn an_instruction_needs_the_feature_that_its_row_is_about() {
    let mut wrong = Vec::new();
    // What UMIP forbids is older than it.
    let of_agents = |probe: &&Probe| is_instruction(probe) && probe.mode != "user";
    for probe in PROBES.iter().filter(of_agents) {
        for bits in modes(probe) {
            let Ok(instruction) = decoded(probe, bits) else {
                continue;
            };
            let needed: Vec<String> = instruction
                .cpuid_features()
                .iter()
                .map(|feature| format!("{feature:?}"))
                .collect();
            let is_ours = needed.iter().any(|name| is_of(probe, name));
            if !is_ours {
                wrong.push(format!(
                    "{}: {needed:?} is not {:?}",
                    probe.name, probe.features
                ));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

fn is_of(probe: &Probe, name: &str) -> bool {
    let plain = name.to_lowercase().replace('_', "-");
    let listed = NAMES.iter().filter(|(known, _)| *known == name);
    let ours = listed.map(|(_, ours)| *ours).chain([plain.as_str()]);
    ours.into_iter()
        .any(|ours| probe.features.contains(&ours) || probe.name == ours)
}

#[test]
fn every_feature_of_the_table_has_a_name_in_features_tsv() {
    let text = include_str!("../../../expectations/features.tsv");
    let table = Table::parse("features.tsv", text).expect("a table");
    for probe in PROBES.iter() {
        for name in probe.features.iter().chain(&probe.needs) {
            assert!(
                name.starts_with('@') || table.named(name).is_some(),
                "{}: {name}",
                probe.name
            );
        }
    }
}

#[test]
fn names_are_unique_and_rows_fit_the_mailbox() {
    let names: BTreeSet<&str> = PROBES.iter().map(|probe| probe.name).collect();
    assert_eq!(names.len(), PROBES.len());
    assert!(PROBES.len() <= 32 * fidelity_protocol::config::PROBE_WORDS);
    let features: BTreeSet<&str> = PROBES
        .iter()
        .flat_map(|probe| probe.features.clone())
        .collect();
    assert!(features.len() >= 100, "{}", features.len());
    assert!(PROBES.iter().filter(|probe| probe.mode != "64").count() >= 20);
}

#[test]
fn every_row_can_be_told_by_what_it_answers() {
    for probe in PROBES.iter() {
        let both = probe
            .answer
            .iter()
            .find(|answer| probe.refusal.contains(answer));
        // A control is refused, or runs, whatever CPUID says.
        let is_control = probe.features.is_empty()
            || probe.name.ends_with("-reserved")
            || probe.name.ends_with("-off");
        // What UMIP forbids Linux may answer all the same.
        let is_answered = probe.mode == "user" && probe.answer.contains(&"#GP");
        assert!(
            both.is_none() || is_control || is_answered,
            "{}: {both:?}",
            probe.name
        );
        assert!(!probe.answer.is_empty(), "{}", probe.name);
        assert!(
            matches!(probe.class, "safe" | "all" | "nop" | "kvm"),
            "{}",
            probe.name
        );
        assert!(
            probe.source.starts_with("SDM ") || probe.source.starts_with("APM "),
            "{}",
            probe.name
        );
    }
}

#[test]
fn a_set_leaves_out_what_it_is_told_to() {
    let all = ProbeSet::all();
    assert_ne!(all.without("rdtsc"), all);
    assert_eq!(all.without("no such probe"), all);
    assert!(ProbeSet::safe().without("rdtsc") != ProbeSet::safe());
    assert!(all.under_tcg().without("cr4-vmxe") == all.under_tcg());
    assert!(ProbeSet::NONE.is_empty() && !ProbeSet::safe().is_empty());
}
