//! What QEMU says of the first vCPU of a guest that it is about to run: raw QMP answers.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::monitor::{Answer, Gone, Monitor, command, command_with};

/// The answers, as QEMU gave them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawView {
    /// `query-cpus-fast`.
    pub cpus: Answer,
    /// QOM property `feature-words` of the first vCPU: what its CPUID is made from.
    pub feature_words: Answer,
    /// QOM property `filtered-features`: what the model asked for and the accelerator cannot do.
    pub filtered_features: Answer,
}

impl RawView {
    /// Asks; the machine need not run yet.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn ask(monitor: &mut Monitor) -> Result<RawView, Gone> {
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
            cpus,
        })
    }
}

/// What QEMU says of a model by name: `query-cpu-model-expansion` of both types.
///
/// # Errors
/// The connection is gone.
pub fn expansions(monitor: &mut Monitor, model: &str) -> Result<[Answer; 2], Gone> {
    let mut expansion = |kind: &str| -> Result<Answer, Gone> {
        let arguments = json!({ "type": kind, "model": { "name": model } });
        let answer = monitor.execute(&command_with("query-cpu-model-expansion", arguments))?;
        Ok(answer.map(|mut answer: Value| answer["model"]["props"].take()))
    };
    Ok([expansion("static")?, expansion("full")?])
}
