//! What QEMU says of the first vCPU of a guest that it is about to run: raw QMP answers.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::monitor::{Answer, Gone, Monitor, Speaks, command, command_with};

/// The answers, as QEMU gave them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawView {
    /// `query-cpus-fast`.
    pub cpus: Answer,
    /// QOM property `feature-words` of the first vCPU: what its CPUID is made from.
    pub feature_words: Answer,
    /// QOM property `filtered-features`: what the model asked for and the accelerator cannot do.
    pub filtered_features: Answer,
    /// `query-cpu-model-expansion`, `static` and `full`; `None` where it was not asked.
    #[serde(default)]
    pub expansions: Option<[Answer; 2]>,
}

impl RawView {
    /// Asks; the machine need not run yet.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn ask(monitor: &mut impl Speaks) -> Result<RawView, Gone> {
        let cpus = monitor.execute(&command("query-cpus-fast"))?;
        // A machine's vCPUs have no fixed place in the QOM tree: on most it is unattached, with hot-plug it is not.
        let path = cpus
            .as_ref()
            .ok()
            .and_then(|cpus| cpus[0]["qom-path"].as_str());
        let path = path.unwrap_or("/machine/unattached/device[0]").to_owned();
        let mut property = |name: &str| {
            let arguments = json!({ "path": path, "property": name });
            monitor.execute(&command_with("qom-get", arguments))
        };
        Ok(RawView {
            feature_words: property("feature-words")?,
            filtered_features: property("filtered-features")?,
            expansions: None,
            cpus,
        })
    }
}

/// What QEMU says of a `-cpu` argument: `query-cpu-model-expansion` of both types, static first.
///
/// # Errors
/// The connection is gone.
pub fn expansions(monitor: &mut Monitor, cpu: &str) -> Result<[Answer; 2], Gone> {
    let model = model(cpu);
    let mut expansion = |kind: &str| -> Result<Answer, Gone> {
        let arguments = json!({ "type": kind, "model": model });
        let answer = monitor.execute(&command_with("query-cpu-model-expansion", arguments))?;
        Ok(answer.map(|mut answer: Value| answer["model"]["props"].take()))
    };
    Ok([expansion("static")?, expansion("full")?])
}

/// A `-cpu` argument as QMP takes it (`CpuModelInfo`): name, and properties with their values.
fn model(cpu: &str) -> Value {
    let mut words = cpu.split(',');
    let name = words.next().unwrap_or(cpu);
    let property = |word: &str| {
        let (name, value) = match (word.strip_prefix('+'), word.strip_prefix('-')) {
            (Some(name), _) => (name, json!(true)),
            (_, Some(name)) => (name, json!(false)),
            _ => match word.split_once('=').unwrap_or((word, "on")) {
                (name, "on") => (name, json!(true)),
                (name, "off") => (name, json!(false)),
                (name, value) => (name, value.parse::<i64>().map_or(json!(value), Value::from)),
            },
        };
        (name.replace('_', "-"), value)
    };
    let props: serde_json::Map<String, Value> = words.map(property).collect();
    if props.is_empty() {
        json!({ "name": name })
    } else {
        json!({ "name": name, "props": props })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_become_properties() {
        assert_eq!(model("EPYC"), json!({"name": "EPYC"}));
        assert_eq!(
            model("EPYC,-avx2,+svm,vendor=X,level=13"),
            json!({"name": "EPYC", "props": {"avx2": false, "svm": true, "vendor": "X", "level": 13}})
        );
    }
}
