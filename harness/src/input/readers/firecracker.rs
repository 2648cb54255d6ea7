//! Firecracker's fingerprints and CPU templates (src/cpu-template-helper, docs/cpu-templates/schema.json): registers as `0b` and a digit a
//! bit, the highest first. `x` is a bit that a template leaves as it is: it is unknown here, and so is what a template does not name.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

use crate::cpuid::answers::Key;
use crate::cpuid::{Reading, Table};
use crate::input::coverage::Coverage;
use crate::input::cpu::{Cpu, Input, State};
use crate::input::error::InputError;
use crate::input::format::Format;
use crate::input::malformed;
use crate::input::reader::Reader;
use crate::input::text::Text;
use crate::input::word::{Register, Word};

pub const READER: Reader = Reader {
    format: Format::Firecracker,
    knows,
    read,
};

const KEYS: [&str; 5] = [
    "guest_cpu_config",
    "cpuid_modifiers",
    "msr_modifiers",
    "reg_modifiers",
    "vcpu_features",
];

fn knows(text: &Text) -> bool {
    KEYS.into_iter().any(|key| text.shape.has_key(key))
}

/// A fingerprint: a template that says everything, and where it was taken.
#[derive(Deserialize)]
#[serde(expecting = "a fingerprint or a CPU template")]
struct Fingerprint {
    firecracker_version: Option<String>,
    kernel_version: Option<String>,
    microcode_version: Option<String>,
    guest_cpu_config: Template,
}

#[derive(Deserialize)]
#[serde(expecting = "a CPU template")]
struct Template {
    #[serde(default)]
    cpuid_modifiers: Vec<Leaf>,
    #[serde(default)]
    msr_modifiers: Vec<Msr>,
    /// Registers of Arm.
    #[serde(default)]
    reg_modifiers: Vec<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(expecting = "a leaf")]
struct Leaf {
    leaf: Number,
    subleaf: Number,
    modifiers: Vec<Modifier>,
}

#[derive(Deserialize)]
#[serde(expecting = "a register")]
struct Modifier {
    register: Name,
    bitmap: Bitmap<32>,
}

#[derive(Deserialize)]
#[serde(expecting = "an MSR")]
struct Msr {
    addr: Number,
    bitmap: Bitmap<64>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
enum Name {
    Eax,
    Ebx,
    Ecx,
    Edx,
}

/// A number as text, `0x7` or `7`.
#[derive(Clone, Copy)]
struct Number(u32);

/// A register of so many bits.
struct Bitmap<const BITS: usize>(Word);

fn read(text: &Text, _: &Table) -> Result<Vec<Input>, InputError> {
    let whole = text.whole();
    let malformed = |error: serde_json::Error| malformed::json(Format::Firecracker, &error);
    let (fingerprint, coverage) = if text.shape.has_key("guest_cpu_config") {
        (
            serde_json::from_str(&whole).map_err(malformed)?,
            Coverage::Whole,
        )
    } else {
        let guest_cpu_config = serde_json::from_str(&whole).map_err(malformed)?;
        (Fingerprint::new(guest_cpu_config), Coverage::Excerpt)
    };
    let Template {
        cpuid_modifiers,
        msr_modifiers,
        reg_modifiers,
    } = &fingerprint.guest_cpu_config;
    if !reg_modifiers.is_empty() || cpuid_modifiers.is_empty() && msr_modifiers.is_empty() {
        let problem = "expected cpuid_modifiers or msr_modifiers, found the registers of an Arm processor, or none";
        return Err(malformed::form(
            Format::Firecracker,
            (1, 1),
            problem.to_owned(),
        ));
    }
    Ok(vec![Input {
        title: fingerprint.title(),
        cpus: vec![fingerprint.cpu()],
        ..Input::new(Format::Firecracker, State::Reset, coverage)
    }])
}

impl Fingerprint {
    fn new(guest_cpu_config: Template) -> Fingerprint {
        Fingerprint {
            firecracker_version: None,
            kernel_version: None,
            microcode_version: None,
            guest_cpu_config,
        }
    }

    fn title(&self) -> Option<String> {
        let parts = [
            ("Firecracker", &self.firecracker_version),
            ("Linux", &self.kernel_version),
        ];
        let parts: Vec<String> = parts
            .into_iter()
            .filter_map(|(name, version)| Some(format!("{name} {}", version.as_ref()?)))
            .collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    fn cpu(&self) -> Cpu {
        let mut cpu = Cpu::default();
        for leaf in &self.guest_cpu_config.cpuid_modifiers {
            add(
                &mut cpu,
                Key::new(leaf.leaf.0, leaf.subleaf.0),
                &leaf.modifiers,
            );
        }
        for Msr { addr, bitmap } in &self.guest_cpu_config.msr_modifiers {
            if bitmap.0.known == u64::MAX {
                cpu.msrs.insert(addr.0, Reading::Value(bitmap.0.value));
            } else {
                cpu.bits.insert(Register::Msr(addr.0), bitmap.0);
            }
        }
        if let Some(microcode) = &self.microcode_version {
            cpu.fields.insert("microcode".to_owned(), microcode.clone());
        }
        cpu
    }
}

/// A leaf of which all bits are known is an answer.
fn add(cpu: &mut Cpu, key: Key, modifiers: &[Modifier]) {
    let words: BTreeMap<u8, Word> = modifiers
        .iter()
        .map(|modifier| (modifier.register as u8, modifier.bitmap.0))
        .collect();
    let value = |register: u8| {
        let word = words.get(&register)?;
        (word.known == u64::from(u32::MAX)).then_some(u32::try_from(word.value).ok()?)
    };
    if let (Some(eax), Some(ebx), Some(ecx), Some(edx)) = (value(0), value(1), value(2), value(3)) {
        cpu.answers.insert(key, [eax, ebx, ecx, edx]);
        return;
    }
    for (register, word) in words {
        cpu.bits.insert(Register::Cpuid(key, register), word);
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Number, D::Error> {
        let text = String::deserialize(deserializer)?;
        let read = match text.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => text.parse(),
        };
        let problem = || D::Error::custom(format!("expected a number such as 0x7, found {text}"));
        read.map(Number).map_err(|_| problem())
    }
}

impl<'de, const BITS: usize> Deserialize<'de> for Bitmap<BITS> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Bitmap<BITS>, D::Error> {
        deserializer.deserialize_str(Bits::<BITS>)
    }
}

struct Bits<const BITS: usize>;

impl<const BITS: usize> Visitor<'_> for Bits<BITS> {
    type Value = Bitmap<BITS>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "0b and at most {BITS} digits of 0, 1 and x")
    }

    /// Of bits that are left out at the upper end nothing is known.
    fn visit_str<E: Error>(self, text: &str) -> Result<Bitmap<BITS>, E> {
        let wrong = || E::invalid_value(serde::de::Unexpected::Str(text), &self);
        let digits = text.strip_prefix("0b").ok_or_else(wrong)?;
        let mut word = Word::default();
        let mut count = 0;
        for digit in digits.bytes().filter(|digit| *digit != b'_') {
            let (value, known) = match digit {
                b'0' => (0, 1),
                b'1' => (1, 1),
                b'x' => (0, 0),
                _ => return Err(wrong()),
            };
            word.value = word.value << 1 | value;
            word.known = word.known << 1 | known;
            count += 1;
        }
        if count == 0 || count > BITS {
            return Err(wrong());
        }
        Ok(Bitmap(word))
    }
}
