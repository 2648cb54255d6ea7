//! Text and dump are two forms of one thing: held over arbitrary dumps that an agent could send.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use fidelity_protocol::leaves::FEATURE_MSRS;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;
use crate::cpuid::delta::Answers;
use crate::cpuid::render::render;
use crate::cpuid::table::Table;
use crate::cpuid::volatile::Volatile;

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let text = include_str!("../../../../expectations/features.tsv");
    Table::parse("features.tsv", text).expect("the table that is shipped")
});

fn text(dump: &Dump) -> String {
    let lines = render(dump, &TABLE, &Volatile::default());
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// Leaves with flags, with fields, with text, with subleaves, and with no row in the table.
const LEAVES: [u32; 18] = [
    0,
    1,
    2,
    4,
    7,
    0xB,
    0xD,
    0x15,
    0x1F,
    0x24,
    0x4000_0000,
    0x4000_0001,
    0x8000_0000,
    0x8000_0001,
    0x8000_0002,
    0x8000_0008,
    0x8000_0021,
    0xC000_0001,
];

fn key() -> impl Strategy<Value = Key> {
    let leaf = prop_oneof![9 => select(&LEAVES[..]), 1 => any::<u32>()];
    // The agent asks for no subleaf above fidelity_protocol::leaves::MAX_SUBLEAVES.
    (leaf, prop_oneof![2 => Just(0), 1 => 0u32..=64])
        .prop_map(|(leaf, subleaf)| Key::new(leaf, subleaf))
}

fn register_value() -> impl Strategy<Value = u32> {
    prop_oneof![
        3 => Just(0),
        2 => (0u32..32).prop_map(|bit| 1 << bit),
        2 => any::<u32>(),
        1 => Just(u32::MAX),
        // Letters that a text field has to escape.
        1 => vec(select(&b"\"\\' =|\n\t\x7fGenu\xff"[..]), 4).prop_map(|text| {
            u32::from_le_bytes([text[0], text[1], text[2], text[3]])
        }),
        1 => select(&LEAVES[..]),
    ]
}

fn regs() -> impl Strategy<Value = Regs> {
    [
        register_value(),
        register_value(),
        register_value(),
        register_value(),
    ]
}

fn answers() -> impl Strategy<Value = Answers> {
    btree_map(key(), regs(), 0..10)
}

/// The answers of a state or a vCPU near another: leaves gone, leaves new, registers with another value.
fn near(base: &Answers) -> impl Strategy<Value = Answers> + use<> {
    let kept: Vec<(Key, Regs)> = base.iter().map(|(key, regs)| (*key, *regs)).collect();
    let count = kept.len();
    let gone = vec(any::<proptest::sample::Index>(), 0..2);
    let edits = vec(
        (
            any::<proptest::sample::Index>(),
            0usize..4,
            register_value(),
        ),
        0..4,
    );
    (gone, edits, btree_map(key(), regs(), 0..3)).prop_map(move |(gone, edits, new)| {
        let mut kept = kept.clone();
        if count > 0 {
            for (at, register, value) in edits {
                kept[at.index(count)].1[register] = value;
            }
            for at in gone {
                kept.remove(at.index(count).min(kept.len().saturating_sub(1)));
                if kept.is_empty() {
                    break;
                }
            }
        }
        let mut answers: Answers = new;
        answers.extend(kept);
        answers
    })
}

fn reading() -> impl Strategy<Value = Reading> {
    prop_oneof![
        Just(Reading::Value(0)),
        any::<u64>().prop_map(Reading::Value),
        (0u32..64).prop_map(|bit| Reading::Value(1 << bit)),
        Just(Reading::Fault(13)),
        any::<u8>().prop_map(Reading::Fault),
    ]
}

fn msrs() -> impl Strategy<Value = BTreeMap<u32, Reading>> {
    btree_map(select(&FEATURE_MSRS[..]), reading(), 0..8)
}

fn control() -> impl Strategy<Value = BTreeMap<Control, Reading>> {
    btree_map(select(&Control::ALL[..]), reading(), 0..4)
}

/// Runs as one sweep gives them: ascending.
fn sweep() -> impl Strategy<Value = Vec<Run>> {
    vec((1u32..1000, 0u32..1000, reading()), 0..4).prop_map(|parts| {
        let mut next = 0;
        let run = |(gap, length, reading): (u32, u32, Reading)| {
            let first = next + gap;
            next = first + length + 1;
            Run {
                first,
                last: first + length,
                reading,
            }
        };
        parts.into_iter().map(run).collect()
    })
}

/// Answers of probes, some of which repeat the highest basic leaf or the leaf itself.
fn probes(answers: &Answers) -> impl Strategy<Value = Answers> + use<> {
    let seen: Vec<Regs> = answers.values().copied().collect();
    let repeated = move |regs: Regs, at: Option<proptest::sample::Index>| match at {
        Some(at) if !seen.is_empty() => seen[at.index(seen.len())],
        _ => regs,
    };
    btree_map(
        key(),
        (regs(), any::<Option<proptest::sample::Index>>()),
        0..6,
    )
    .prop_map(move |probes| {
        probes
            .into_iter()
            .map(|(key, (regs, at))| (key, repeated(regs, at)))
            .collect()
    })
}

/// Which phases there are, and whether each was complete.
fn phases(all: &'static [Phase]) -> impl Strategy<Value = Vec<(Phase, bool)>> {
    let some = prop_oneof![3 => Just(all.to_vec()), 1 => subsequence(all.to_vec(), 0..=all.len())];
    (some, any::<bool>()).prop_map(|(phases, whole)| {
        let last = phases.len();
        let complete = |(index, phase)| (phase, whole || index + 1 < last);
        phases.into_iter().enumerate().map(complete).collect()
    })
}

fn vcpu(
    reset: &Answers,
    enabled: &Answers,
    msrs_of: &BTreeMap<u32, Reading>,
    all: &'static [Phase],
) -> impl Strategy<Value = Vcpu> + use<> {
    let msrs = {
        let base = msrs_of.clone();
        prop_oneof![
            Just(base.clone()),
            msrs(),
            msrs().prop_map(move |more| {
                let mut msrs = base.clone();
                msrs.extend(more);
                msrs
            })
        ]
    };
    let last_seen = enabled.clone();
    let contents = (
        near(reset),
        near(enabled),
        msrs,
        probes(&last_seen),
        sweep(),
        [control(), control()],
    );
    (any::<u32>(), phases(all), contents).prop_map(|(apic_id, phases, contents)| {
        let (reset, enabled, msrs, probes, sweep, [at_reset, at_enabled]) = contents;
        let content = |(phase, complete)| {
            let mut dump = PhaseDump {
                complete,
                ..PhaseDump::default()
            };
            match phase {
                Phase::Reset => (dump.cpuid, dump.control) = (reset.clone(), at_reset.clone()),
                Phase::Enabled => {
                    (dump.cpuid, dump.control) = (enabled.clone(), at_enabled.clone())
                }
                Phase::Msrs => dump.msrs = msrs.clone(),
                Phase::Probes => dump.cpuid = probes.clone(),
                Phase::Sweep => dump.sweep = sweep.clone(),
                Phase::Aps | Phase::Behaviour => {}
            }
            (phase, dump)
        };
        Vcpu {
            apic_id,
            phases: phases.into_iter().map(content).collect(),
        }
    })
}

/// Behaviour has lines of its own (super::behaviour).
const OF_BOOT: [Phase; 6] = [
    Phase::Reset,
    Phase::Msrs,
    Phase::Enabled,
    Phase::Aps,
    Phase::Probes,
    Phase::Sweep,
];
const OF_FURTHER: [Phase; 3] = [Phase::Reset, Phase::Msrs, Phase::Enabled];

fn dump() -> impl Strategy<Value = Dump> {
    let base =
        (answers(), msrs()).prop_flat_map(|(reset, msrs)| (near(&reset), Just(reset), Just(msrs)));
    let vcpus = base.prop_flat_map(|(enabled, reset, msrs)| {
        let boot = vcpu(&reset, &enabled, &msrs, &OF_BOOT);
        let further = vec(vcpu(&reset, &enabled, &msrs, &OF_FURTHER), 0..4);
        (boot, further).prop_map(|(boot, further)| [vec![boot], further].concat())
    });
    let vcpus = prop_oneof![19 => vcpus, 1 => Just(Vec::new())];
    (select(&[0u32, 1, 32, 64][..]), any::<bool>(), vcpus).prop_map(|(mode, has_cpuid, vcpus)| {
        Dump {
            mode,
            has_cpuid,
            vcpus,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Lossless: nothing of a dump is missing from its text.
    #[test]
    fn a_dump_reads_back_as_rendered(dump in dump()) {
        let text = text(&dump);
        let parsed = parse(&text);
        prop_assert_eq!(parsed.as_ref(), Ok(&dump), "{}", text);
    }

    /// Sorted as `LC_ALL=C sort` does, and one line a place.
    #[test]
    fn rendered_lines_are_sorted_and_their_places_differ(dump in dump()) {
        let text = text(&dump);
        let lines: Vec<&str> = text.lines().collect();
        prop_assert!(lines.is_sorted());
        prop_assert_eq!(super::lines(&text).map(|read| read.len()), Ok(lines.len()));
    }

    /// JSON is the other lossless form.
    #[test]
    fn a_dump_reads_back_from_json(dump in dump()) {
        let json = serde_json::to_string(&dump).expect("a dump as JSON");
        prop_assert_eq!(serde_json::from_str::<Dump>(&json).expect("JSON as a dump"), dump);
    }

    /// A damaged text is refused or is another dump, and never a panic.
    #[test]
    fn damaged_text_never_panics(dump in dump(), at: proptest::sample::Index, with in select(&['x', ' ', '\n', '0', 'é'][..])) {
        let mut letters: Vec<char> = text(&dump).chars().collect();
        let at = at.index(letters.len());
        letters[at] = with;
        let damaged: String = letters.into_iter().collect();
        let _ = parse(&damaged);
    }
}

fn problem(text: &str) -> String {
    parse(text).expect_err("an error").to_string()
}

#[test]
fn a_line_that_is_none_is_told_with_its_number() {
    let text = "agent mode                      mode = 64\n\navx2 is there\n";
    assert_eq!(
        problem(text),
        "line 3: not an expectation line: avx2 is there"
    );
}

#[test]
fn a_second_line_for_a_place_is_refused() {
    let text = "cpuid 0x80000008.00 eax[ 7: 0]  phys-bits = 46\ncpuid 0x80000008.00 eax[ 7: 0]  phys-bits = 40";
    assert!(problem(text).starts_with("line 2: an earlier line has the same place: "));
}

#[test]
fn a_placeholder_has_no_value() {
    let text = "cpuid 0x0000000b.00 edx[31: 0]  x2apic-id = <vcpu>";
    assert!(problem(text).starts_with("line 1: a placeholder has no value: "));
}

#[test]
fn values_that_do_not_fit_are_refused() {
    let cases = [
        (
            "cpuid 0x80000008.00 eax[ 7: 0]  phys-bits = 256",
            "value too large for its bits",
        ),
        (
            "cpuid 0x80000008.00 eax[ 7: 0]  phys-bits = many",
            "bad number",
        ),
        (
            "cpuid 0x80000008.00 eax[40: 0]  phys-bits = 1",
            "bad bit numbers",
        ),
        (
            "cpuid 0x80000008.00 exx[ 7: 0]  phys-bits = 1",
            "unknown register",
        ),
        (
            "agent phases                    phases = later",
            "unknown phase",
        ),
    ];
    for (line, wanted) in cases {
        let text = format!("agent apic-id                   apic-id = 0\n{line}");
        assert_eq!(parse(&text).expect_err(line).problem, wanted, "{line}");
    }
}

#[test]
fn a_probe_like_no_leaf_is_refused() {
    let phases = "agent phases                    phases = probes\n";
    for text in ["like = 0x00000003.00", "value = 1 2 3", "nothing"] {
        let line = format!("{phases}probe 0x0000000e.00             {text}");
        assert!(problem(&line).starts_with("line 2: "), "{text}");
    }
}
