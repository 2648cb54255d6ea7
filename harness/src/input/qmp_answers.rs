//! One answer of QMP → inputs.

use serde_json::{Map, Value};

use super::coverage::Coverage;
use super::cpu::{Cpu, Input, State};
use super::format::Format;
use super::names::Names;
use super::signature;
use super::word::{Register, Word};
use crate::evidence::qemu::read_words;

/// Properties with a value that says what a guest sees, and their fields.
const FIELDS: [(&str, &str); 13] = [
    ("family", "family"),
    ("model", "model"),
    ("stepping", "stepping"),
    ("vendor", "vendor"),
    ("model-id", "model-id"),
    ("level", "level"),
    ("xlevel", "xlevel"),
    ("xlevel2", "xlevel2"),
    ("phys-bits", "phys-bits"),
    ("guest-phys-bits", "guest-phys-bits"),
    ("ucode-rev", "microcode"),
    ("tsc-frequency", "tsc-frequency"),
    ("avx10-version", "avx10-version"),
];

/// Properties that are 0 where nobody set them.
const UNSET: [&str; 6] = [
    "xlevel2",
    "phys-bits",
    "guest-phys-bits",
    "ucode-rev",
    "tsc-frequency",
    "avx10-version",
];

/// Boolean properties that are no features: how QEMU makes the CPU (`x86_cpu_properties` in target/i386/cpu.c).
const SETTINGS: [&str; 25] = [
    "check",
    "cpuid-0xb",
    "enforce",
    "fill-mtrr-mask",
    "full-cpuid-auto-level",
    "host-cache-info",
    "host-phys-bits",
    "hotpluggable",
    "hotplugged",
    "hv-enforce-cpuid",
    "hv-passthrough",
    "kvm",
    "kvm-no-smi-migration",
    "kvm-pv-enforce-cpuid",
    "l3-cache",
    "legacy-cache",
    "legacy-multi-node",
    "migratable",
    "pdcm-on-even-without-pmu",
    "pmu",
    "realized",
    "start-powered-off",
    "tcg-cpuid",
    "tsc-scale-set",
    "vmware-cpuid-freq",
];

/// What an answer says of CPUs; nothing where it is about something else.
///
/// # Errors
/// It is about CPUs, and not of the form that QEMU documents.
pub fn answers(format: Format, answer: &Value, names: &Names<'_>) -> Result<Vec<Input>, String> {
    if let Value::Array(items) = answer {
        if is_definitions(items) {
            return items
                .iter()
                .map(|item| definition(format, item, names))
                .collect();
        }
        if items
            .iter()
            .any(|item| item.get("cpuid-register").is_some())
        {
            return Ok(vec![read_feature_words(format, answer)?]);
        }
        let all: Result<Vec<_>, String> = items
            .iter()
            .filter(|item| item.is_object())
            .map(|item| answers(format, item, names))
            .collect();
        return Ok(all?.concat());
    }
    match (
        answer.get("return"),
        answer.get("model"),
        answer.get("props"),
    ) {
        (Some(returned), _, _) => answers(format, returned, names),
        (None, Some(model @ Value::Object(_)), _) => Ok(vec![expansion(format, model, names)?]),
        (None, _, Some(_)) => Ok(vec![expansion(format, answer, names)?]),
        _ => Ok(Vec::new()),
    }
}

fn is_definitions(items: &[Value]) -> bool {
    let has = |item: &Value, key: &str| item.get(key).is_some();
    items.iter().any(|item| {
        has(item, "name") && (has(item, "typename") || has(item, "unavailable-features"))
    })
}

/// A model and its properties (CpuModelInfo).
fn expansion(format: Format, model: &Value, names: &Names<'_>) -> Result<Input, String> {
    let name = model["name"].as_str().ok_or("a CPU model without a name")?;
    let props = match model.get("props") {
        Some(Value::Object(props)) => props.clone(),
        None => Map::new(),
        Some(other) => return Err(format!("expected props to be an object, found {other}")),
    };
    let mut cpu = Cpu::default();
    for (name, value) in &props {
        property(&mut cpu, name, value, names);
    }
    let words = [
        signature::identity(&cpu.fields),
        signature::limits(&cpu.fields),
        signature::qemu(&cpu.fields),
    ];
    cpu.bits = words.into_iter().flatten().collect();
    Ok(Input {
        title: Some(name.to_owned()),
        cpus: vec![cpu],
        ..empty(format)
    })
}

fn property(cpu: &mut Cpu, name: &str, value: &Value, names: &Names<'_>) {
    let field = FIELDS.iter().find(|(own, _)| *own == name);
    match (field, value) {
        (Some((_, field)), Value::String(text)) => {
            cpu.fields.insert((*field).to_owned(), text.clone());
        }
        (Some((_, field)), Value::Number(number)) => {
            // QEMU has 0 for what it was not given, and the revision in the upper half of its MSR (SDM vol. 3, IA32_BIOS_SIGN_ID).
            let text = match (number.as_u64(), name) {
                (Some(0), name) if UNSET.contains(&name) => return,
                (Some(revision), "ucode-rev") => format!("{:#x}", revision >> 32),
                _ => number.to_string(),
            };
            cpu.fields.insert((*field).to_owned(), text);
        }
        // Of a name that nobody knows, that it is off is no news.
        (None, Value::Bool(has)) if names.get(name).is_some() || *has && !is_setting(name) => {
            names.note(cpu, name, *has);
        }
        _ => {}
    }
}

fn is_setting(name: &str) -> bool {
    SETTINGS.contains(&name) || name.starts_with("x-")
}

/// A model and what it has that this host cannot give (CpuDefinitionInfo).
fn definition(format: Format, item: &Value, names: &Names<'_>) -> Result<Input, String> {
    let name = item["name"].as_str();
    let name = name.ok_or("a CPU definition without a name")?;
    let mut cpu = Cpu::default();
    let unavailable = item["unavailable-features"].as_array();
    for feature in unavailable.into_iter().flatten() {
        let feature = feature.as_str().ok_or_else(|| {
            format!("{name}: expected the name of an unavailable feature, found {feature}")
        })?;
        names.note(&mut cpu, feature, false);
    }
    if let Some(alias) = item["alias-of"].as_str() {
        cpu.fields.insert("alias-of".to_owned(), alias.to_owned());
    }
    Ok(Input {
        title: Some(name.to_owned()),
        cpus: vec![cpu],
        ..empty(format)
    })
}

/// Registers that QEMU composes from features, whole (X86CPUFeatureWordInfo).
fn read_feature_words(format: Format, answer: &Value) -> Result<Input, String> {
    let words = read_words(answer).ok_or(
        "expected feature words (cpuid-input-eax, cpuid-register, features), found another form",
    )?;
    let mut cpu = Cpu::default();
    for (word, value) in words {
        let register = Register::Cpuid(word.key, word.register);
        let word = Word {
            value: value.into(),
            known: u32::MAX.into(),
        };
        cpu.bits.insert(register, word);
    }
    Ok(Input {
        title: Some("feature-words".to_owned()),
        cpus: vec![cpu],
        ..empty(format)
    })
}

const fn empty(format: Format) -> Input {
    Input::new(format, State::Reset, Coverage::Excerpt)
}
