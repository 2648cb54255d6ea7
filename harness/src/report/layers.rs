//! What each layer makes of a feature, as people and programs read it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::heading;
use crate::case::guest::Case;
use crate::explain::undo::Proof;
use crate::explain::{LayerRow, State};
use crate::util::printable::line;

/// What was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The case.
    pub case: &'a Case,
    /// The feature, in QEMU's spelling.
    pub feature: &'a str,
    /// `CPUID.07H.00H:EBX[16]`.
    pub place: &'a str,
    /// The kernel of the lab in which the guest ran, as `linux-6.12`; `None` where it ran on this host.
    pub lab: Option<&'a str>,
}

/// What the layers say of it.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// A row a layer.
    pub rows: &'a [LayerRow],
    /// What they come to.
    pub verdict: &'a str,
    /// What the guest shows without the cause.
    pub proof: Option<&'a Proof>,
}

/// A line for each layer and, below it, the cause where there is one; then the verdict, and the proof.
pub fn text(asked: Asked<'_>, answer: Answer<'_>) -> String {
    let Asked {
        case,
        feature,
        place,
        ..
    } = asked;
    let asked = format!("{feature} ({place}) of {}", heading::guest(case));
    let mut text = format!("{}\n{}\n\n", line(&asked), heading::lane(case.lane));
    for row in answer.rows {
        let (layer, state) = (row.layer.name(), row.state.name());
        let evidence = row.evidence.replace('\n', " / ");
        text.push_str(&format!("  {layer:<14} {state:<8} {}\n", line(&evidence)));
        if let Some(cause) = &row.cause {
            let cause = cause.to_string();
            text.push_str(&format!("  {:<14} {:<8} ^ {}\n", "", "", line(&cause)));
        }
    }
    let one = |text: &str| line(&text.replace('\n', " / ")).into_owned();
    text.push_str(&format!("\n{}\n", one(answer.verdict)));
    if let Some(proof) = answer.proof {
        text.push_str(&format!("proof: {}\n", one(&proof.describe())));
    }
    text
}

/// Of a set of features: how many the guest has, and the others by what each was lost for.
pub fn set(asked: Asked<'_>, answers: &[(&str, Vec<LayerRow>, String)]) -> String {
    let Asked { case, feature, .. } = asked;
    let has = |rows: &[LayerRow]| rows.last().is_some_and(|row| row.state == State::Present);
    let (there, missing): (Vec<_>, Vec<_>) = answers.iter().partition(|(_, rows, _)| has(rows));
    let lab = asked.lab.map(|lab| format!(" in the lab of {lab}"));
    let title = format!(
        "{feature}: {} of {} features, of -cpu {} on {}, {}, lane {}{}",
        there.len(),
        answers.len(),
        case.cpu,
        case.machine,
        case.qemu.label,
        case.lane,
        lab.unwrap_or_default()
    );
    let mut by_cause: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (name, _, verdict) in missing {
        by_cause.entry(verdict.clone()).or_default().push(name);
    }
    let mut text = format!("{}\n", line(&title));
    for (cause, names) in by_cause {
        let cause = cause.replace('\n', " / ");
        text.push_str(&format!(
            "\n{}\n  {}\n",
            line(&cause),
            line(&names.join(" "))
        ));
    }
    text
}

/// The same as one JSON object.
pub fn object(asked: Asked<'_>, answer: Answer<'_>) -> Value {
    let row = |row: &LayerRow| {
        let mut value = json!(row);
        if let Some(cause) = &row.cause {
            value["cause"]["text"] = json!(cause.to_string());
        }
        value
    };
    let case = asked.case;
    json!({
        "feature": asked.feature,
        "place": asked.place,
        "cpu": case.cpu,
        "machine": case.machine,
        "lane": case.lane,
        "lab": asked.lab,
        "qemu": {"path": case.qemu.path, "version": case.qemu.offers.version},
        "present": present(answer.rows.last().map(|row| row.state)),
        "rungs": answer.rows.iter().map(row).collect::<Vec<_>>(),
        "verdict": answer.verdict,
        "proof": answer.proof.map(|proof| json!({
            "with": proof.with,
            "present": present(Some(proof.state)),
            "verdict": proof.verdict,
        })),
    })
}

fn present(state: Option<State>) -> Value {
    match state {
        Some(State::Present) => json!(true),
        Some(State::Absent) => json!(false),
        Some(State::Unknown) | None => Value::Null,
    }
}
