//! What people hold: every format that is read by content. A text that is read is read alike when `cpuid -r` and InstLatx64's form of it are.

use std::sync::LazyLock;

use cpuid_fidelity::check::{Owner, of_input};
use cpuid_fidelity::cpuid::answers::Answers;
use cpuid_fidelity::cpuid::levels::Levels;
use cpuid_fidelity::describe::{describe, text};
use cpuid_fidelity::input::{Coverage, Format, Input, Known, read, writers};

use super::seeds::{TABLE, dumps, files};
use crate::allocation::peak;
use crate::execute::Reader;
use crate::mutate::Shape;

pub const READERS: &[Reader] = &[
    Reader {
        name: "input-registers",
        shape: Shape::Text,
        seeds: texts,
        executions: 120,
        read: read_input,
    },
    Reader {
        name: "input-xml",
        shape: Shape::Text,
        seeds: || files("harness/tests/inputs", ".xml"),
        executions: 200,
        read: read_input,
    },
    Reader {
        name: "input-json",
        shape: Shape::Json,
        seeds: objects,
        executions: 200,
        read: read_input,
    },
    Reader {
        name: "input-lines",
        shape: Shape::Text,
        seeds: || {
            let mut texts = files("expectations/qemu-5.2/models", ".snap");
            texts.extend(files("expectations/linux-6.12", ".snap"));
            texts
        },
        executions: 80,
        read: read_input,
    },
];

/// Files, our dumps among them.
fn objects() -> Vec<Vec<u8>> {
    let mut objects = files("harness/tests/inputs", ".json");
    objects.extend(files("harness/tests/records", "smp2.json"));
    objects
}

/// The recorded files, and recorded dumps as other programs write them.
fn texts() -> Vec<Vec<u8>> {
    let mut texts = files("harness/tests/inputs", ".txt");
    for dump in dumps().iter().take(3) {
        let forms = [
            writers::raw(dump),
            writers::instlatx64(dump),
            writers::kcpuid(dump),
        ];
        texts.extend(
            forms
                .into_iter()
                .filter(|text| text.contains("0x") || text.contains("CPUID "))
                .map(String::into_bytes),
        );
    }
    texts
}

/// Most bytes that reading, judging and describing a text of some 100 KiB may take.
const MOST: usize = 64 << 20;

static LEVELS: LazyLock<Levels> = LazyLock::new(|| {
    let text = include_str!("../../../../expectations/levels.tsv");
    Levels::parse(text, &TABLE).expect("the levels")
});

/// As `check` and `show` read a file.
fn read_input(bytes: &[u8]) -> bool {
    let read = read_judged_and_described(bytes);
    assert!(peak() <= MOST, "takes {} MiB", peak() >> 20);
    read
}

fn read_judged_and_described(bytes: &[u8]) -> bool {
    let Ok(inputs) = read(bytes, &TABLE) else {
        return false;
    };
    for input in &inputs {
        let _ = of_input(input, Owner::Unknown, &TABLE);
        let _ = text(&[describe("", input, &TABLE, &LEVELS)]);
        for cpu in &input.cpus {
            let _ = Known::new(input, cpu, &TABLE);
        }
        if input.dump.is_none() {
            written_and_read(input);
        }
    }
    !inputs.is_empty()
}

/// The first processor's that has any.
fn input_answers(input: &Input) -> Answers {
    let mut all = input.cpus.iter().map(|cpu| &cpu.answers);
    all.find(|answers| !answers.is_empty())
        .cloned()
        .unwrap_or_default()
}

fn written_and_read(input: &Input) {
    let Some(dump) = input.dump() else { return };
    let read_alike =
        read(writers::cpudata(&dump).as_bytes(), &TABLE).expect("what is written is read");
    assert_eq!(read_alike[0].cpus[0].answers, input_answers(input));
    for (format, text) in [
        (Format::Etallen, writers::raw(&dump)),
        (Format::InstLatx64, writers::instlatx64(&dump)),
    ] {
        let again = read(text.as_bytes(), &TABLE).expect("what is written is read");
        assert_eq!((again.len(), again[0].format), (1, format));
        let answers = |input: &Input| {
            let cpus = input.cpus.iter().map(|cpu| cpu.answers.clone());
            cpus.filter(|answers| !answers.is_empty())
                .collect::<Vec<_>>()
        };
        assert_eq!(answers(&again[0]), answers(input), "written and read");
        assert_ne!(again[0].coverage, Coverage::Names);
    }
}
