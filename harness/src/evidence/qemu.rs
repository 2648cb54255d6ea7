//! QEMU's own view of a guest's first vCPU.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::warnings::Warnings;
use crate::cpuid::answers::Key;
use crate::cpuid::bit::{Bit, below};
use crate::vmm::view::RawView;

/// A feature word: the part of a CPUID register that QEMU composes from feature names (`feature_word_info` in
/// target/i386/cpu.c). Words that are MSRs are not among QMP's answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Word {
    /// CPUID leaf; subleaf, or 0 where the leaf has none.
    pub key: Key,
    /// 0 to 3 for EAX to EDX.
    #[serde(deserialize_with = "below::<4, _>")]
    pub register: u8,
}

impl Word {
    /// The bits of `value` in this word.
    pub fn bits(self, value: u32) -> impl Iterator<Item = Bit> {
        let Word { key, register } = self;
        let set = (0..32).filter(move |bit| value >> bit & 1 == 1);
        set.map(move |bit| Bit { key, register, bit })
    }
}

/// Feature words and their bits.
pub type Words = BTreeMap<Word, u32>;

/// CPU properties and their values.
pub type Properties = BTreeMap<String, Value>;

/// What QEMU claims of the CPU.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QemuLayer {
    /// QOM type of the vCPU, `EPYC-v4-x86_64-cpu`; releases before 6.1 do not tell.
    pub class: Option<String>,
    /// What CPUID is made from, after filtering.
    #[serde(with = "rows")]
    pub words: Words,
    /// What the model asked for and did not get.
    #[serde(with = "rows")]
    pub filtered: Words,
    /// What stderr said.
    pub warnings: Warnings,
    /// `unavailable-features` of the model in `query-cpu-definitions`; `None` where it was not asked, or QEMU did not report it.
    pub unavailable: Option<Vec<String>>,
    /// Whether QEMU refuses the guest with `enforce`; `None` where it was not tried.
    pub enforce_refuses: Option<bool>,
    /// Properties of `query-cpu-model-expansion`, type `static`; `None` where it was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub static_properties: Option<Properties>,
    /// The same of type `full`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_properties: Option<Properties>,
    /// Answers that were refused or of another form than QEMU documents.
    pub unreadable: Vec<String>,
}

impl QemuLayer {
    /// Of QMP's answers and of what stderr said.
    pub fn read(view: &RawView, stderr: &str) -> QemuLayer {
        let mut unreadable = Vec::new();
        let mut words = |name: &str, answer: &Result<Value, String>| {
            let read = answer.as_ref().map_err(Clone::clone).and_then(|answer| {
                read_words(answer).ok_or_else(|| "an answer of another form".to_owned())
            });
            read.unwrap_or_else(|problem| {
                unreadable.push(format!("{name}: {problem}"));
                Words::new()
            })
        };
        let (feature_words, filtered) = (
            words("feature-words", &view.feature_words),
            words("filtered-features", &view.filtered_features),
        );
        let [static_properties, full_properties] = match &view.expansions {
            None => [None, None],
            Some([fixed, full]) => [("static", fixed), ("full", full)].map(|(name, answer)| {
                let read = answer.as_ref().map_err(Clone::clone).and_then(properties);
                read.map_err(|problem| {
                    unreadable.push(format!("query-cpu-model-expansion {name}: {problem}"));
                })
                .ok()
            }),
        };
        let cpus = view.cpus.as_ref().ok();
        let class = cpus.and_then(|cpus| cpus[0]["qom-type"].as_str());
        QemuLayer {
            class: class.map(str::to_owned),
            words: feature_words,
            filtered,
            warnings: Warnings::read(stderr),
            static_properties,
            full_properties,
            unreadable,
            ..QemuLayer::default()
        }
    }

    /// Every bit that QEMU says it filtered.
    pub fn filtered_bits(&self) -> impl Iterator<Item = Bit> {
        self.filtered
            .iter()
            .flat_map(|(word, value)| word.bits(*value))
    }
}

/// `[{"cpuid-input-eax", "cpuid-input-ecx"?, "cpuid-register", "features"}]` (X86CPUFeatureWordInfo in qapi).
pub fn read_words(answer: &Value) -> Option<Words> {
    let registers = ["EAX", "EBX", "ECX", "EDX"];
    let number = |value: &Value| u32::try_from(value.as_u64()?).ok();
    let word = |item: &Value| {
        let register = item["cpuid-register"].as_str()?;
        let register = registers.iter().position(|known| *known == register)?;
        let subleaf = match item.get("cpuid-input-ecx") {
            Some(subleaf) => number(subleaf)?,
            None => 0,
        };
        let word = Word {
            key: Key::new(number(&item["cpuid-input-eax"])?, subleaf),
            register: u8::try_from(register).ok()?,
        };
        Some((word, number(&item["features"])?))
    };
    answer.as_array()?.iter().map(word).collect()
}

fn properties(answer: &Value) -> Result<Properties, String> {
    let properties = answer.as_object().ok_or("an answer of another form")?;
    let pairs = properties
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()));
    Ok(pairs.collect())
}

/// Words as `[leaf, subleaf, register, bits]` rows: JSON has no structured map keys.
mod rows {
    use super::{Key, Word, Words};
    use serde::{Deserialize, Deserializer, Serializer};

    /// A row, whose register is one.
    #[derive(Deserialize)]
    struct Row(
        u32,
        u32,
        #[serde(deserialize_with = "super::below::<4, _>")] u8,
        u32,
    );

    pub(super) fn serialize<S: Serializer>(
        words: &Words,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(words.iter().map(|(word, bits)| {
            let Key { leaf, subleaf } = word.key;
            [leaf, subleaf, u32::from(word.register), *bits]
        }))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Words, D::Error> {
        let rows = Vec::<Row>::deserialize(deserializer)?;
        let word = |Row(leaf, subleaf, register, bits)| {
            let key = Key::new(leaf, subleaf);
            (Word { key, register }, bits)
        };
        Ok(rows.into_iter().map(word).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn view(words: Value) -> RawView {
        RawView {
            cpus: Ok(json!([{"qom-type": "EPYC-v4-x86_64-cpu"}])),
            feature_words: Ok(words),
            filtered_features: Err("Property not found".to_owned()),
            expansions: None,
        }
    }

    #[test]
    fn words_are_read_and_a_refusal_is_kept() {
        let words = json!([{"cpuid-register": "EBX", "cpuid-input-eax": 7, "cpuid-input-ecx": 0, "features": 32}]);
        let layer = QemuLayer::read(&view(words), "");
        let bits: Vec<_> = layer
            .words
            .iter()
            .flat_map(|(word, value)| word.bits(*value))
            .collect();
        assert_eq!(bits.len(), 1);
        assert_eq!(bits[0].to_string(), "CPUID.07H.00H:EBX[5]");
        assert_eq!(layer.unreadable, ["filtered-features: Property not found"]);
    }

    #[test]
    fn a_record_with_a_register_that_there_is_not_is_refused() {
        let layer = serde_json::to_value(QemuLayer::default()).expect("JSON");
        for name in ["words", "filtered"] {
            let mut layer = layer.clone();
            layer[name] = json!([[7, 0, 4, 1]]);
            let read = serde_json::from_value::<QemuLayer>(layer);
            let error = read.expect_err("no register").to_string();
            assert_eq!(
                error,
                "invalid value: integer `4`, expected a number below 4"
            );
        }
    }

    #[test]
    fn an_answer_of_another_form_is_an_error() {
        let layer = QemuLayer::read(&view(json!([{"cpuid-register": "FOO"}])), "");
        assert_eq!(
            layer.unreadable[0],
            "feature-words: an answer of another form"
        );
    }
}
