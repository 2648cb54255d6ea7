//! `-cpu` arguments as questions to QEMU, and its answers.

use serde_json::{Map, Value, json};

use crate::case::cpu_argument::{flag, properties};
use crate::case::flags::model;
use crate::explain::sources::Expanded;
use crate::vmm::monitor::command_with;

/// `query-cpu-model-expansion` of type `full`.
pub(super) fn expand(cpu: &str) -> Value {
    let properties: Map<String, Value> = properties(cpu)
        .into_iter()
        .filter(|(name, _)| !is_policy(name))
        .map(|(name, value)| (name, typed(&value)))
        .collect();
    let model = json!({ "name": model(cpu), "props": properties });
    command_with(
        "query-cpu-model-expansion",
        json!({ "type": "full", "model": model }),
    )
}

/// What decides whether QEMU starts, and changes no CPU.
fn is_policy(name: &str) -> bool {
    ["enforce", "check", "x-force-features"].contains(&name)
}

/// As QMP wants it: a flag, a number or a text.
fn typed(value: &str) -> Value {
    let hex = value
        .strip_prefix("0x")
        .or_else(|| value.strip_prefix("0X"));
    let number = match hex {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => value.parse().ok(),
    };
    match (flag(value), number) {
        (Some(on), _) => json!(on),
        (None, Some(number)) => json!(number),
        (None, None) => json!(value),
    }
}

/// The names of properties, of an answer to `qom-list-properties`.
pub(super) fn names(answer: &Value) -> std::collections::BTreeSet<String> {
    let all = answer.as_array().into_iter().flatten();
    let names = all.filter_map(|property| property["name"].as_str());
    names.map(str::to_owned).collect()
}

/// The properties in an answer to [`expand`].
pub(super) fn expanded(answer: Result<Value, String>) -> Expanded {
    let answer = answer?;
    let properties = answer["model"]["props"].as_object();
    let properties = properties.ok_or("an answer of another form")?;
    let pairs = properties.iter();
    Ok(pairs
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_the_types_that_qmp_wants() {
        let asked = expand("EPYC,-avx2,+svm,level=0x20,vendor=X,enforce,hv-spinlocks=8191,kvm=off");
        let props = json!({"avx2": false, "svm": true, "level": 32, "vendor": "X", "hv-spinlocks": 8191, "kvm": false});
        let model = json!({"name": "EPYC", "props": props});
        assert_eq!(asked["arguments"], json!({"type": "full", "model": model}));
    }

    #[test]
    fn a_refusal_and_another_form_are_reasons() {
        assert_eq!(expanded(Err("no".to_owned())), Err("no".to_owned()));
        assert_eq!(
            expanded(Ok(json!({}))),
            Err("an answer of another form".to_owned())
        );
    }
}
