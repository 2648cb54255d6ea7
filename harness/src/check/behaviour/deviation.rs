//! What a guest does otherwise than its CPUID says, expected or not, as results and reports have it.

use serde::{Deserialize, Serialize};

use super::facts::Facts;
use super::findings::judged;
use super::in_user_space::Shown;
use super::judge::Verdict;
use crate::cpuid::table::Table;
use crate::evidence::Evidence;

/// One probe that does not do what CPUID says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deviation {
    /// The probe.
    pub probe: String,
    /// The feature that it is about.
    pub feature: String,
    /// `lie`: announced, and does not work; `hole`: hidden, and works; `other`: hidden, and does something else; `closed`: works, but not in user
    /// space of this Linux guest.
    pub verdict: Verdict,
    /// What it did: `runs`, `#UD`, `ignored`, `eax=0x0`.
    pub answer: String,
    /// Whether that was recorded of who runs the guest, or is no fault where nothing was.
    pub expected: bool,
}

/// All of them; `None` where nothing was tried, so that nothing is known.
pub fn deviations(evidence: &Evidence, facts: &Facts, table: &Table) -> Option<Vec<Deviation>> {
    let judged = judged(evidence, facts, table);
    if judged.is_empty() {
        return None;
    }
    let deviating = judged
        .iter()
        .filter(|judged| judged.verdict != Verdict::AsAnnounced);
    let deviation = |judged: &super::Judged<'_>| Deviation {
        probe: judged.probe.name.to_owned(),
        feature: judged.feature.to_owned(),
        verdict: judged.verdict,
        answer: judged.token.clone(),
        expected: judged.expected,
    };
    Some(deviating.map(deviation).collect())
}

/// The same in a line a kind, for people; nothing where there is none.
pub fn sentences(deviations: &[Deviation]) -> Vec<String> {
    let kinds = [
        "announced, and refused",
        "announced, and does something else",
        "hidden, and runs all the same",
        "hidden, and does something else",
        "kept from user space by the kernel",
    ];
    let line = |text: &str| {
        let of_kind = deviations.iter().filter(|found| kind(found) == text);
        let names: Vec<String> = of_kind.map(name).collect();
        (!names.is_empty()).then(|| format!("{text}: {}", names.join(", ")))
    };
    kinds.into_iter().filter_map(line).collect()
}

fn kind(found: &Deviation) -> &'static str {
    let is_refused = found.answer.starts_with('#') || found.answer == "ignored";
    match found.verdict {
        Verdict::Lie if is_refused => "announced, and refused",
        Verdict::Lie => "announced, and does something else",
        Verdict::Hole => "hidden, and runs all the same",
        Verdict::Other => "hidden, and does something else",
        Verdict::Closed => "kept from user space by the kernel",
        Verdict::AsAnnounced => "as announced",
    }
}

/// `vaddps-zmm #UD (avx512f)`.
fn name(found: &Deviation) -> String {
    let answer = match found.answer.as_str() {
        // The kind says so.
        "runs" if found.verdict == Verdict::Hole => String::new(),
        answer => format!(" {answer}"),
    };
    let feature = if found.feature == found.probe {
        String::new()
    } else {
        format!(" ({})", found.feature)
    };
    format!("{}{answer}{feature}", found.probe)
}

/// What trying a feature gave, a sentence a probe: `hidden, and fisttp runs`.
pub fn of_feature(evidence: &Evidence, feature: &str, facts: &Facts, table: &Table) -> Vec<String> {
    let judged = judged(evidence, facts, table);
    let about = judged
        .iter()
        .filter(|judged| judged.probe.features.contains(&feature));
    let sentence = |judged: &super::Judged<'_>| {
        let (when, name) = (known(judged), judged.probe.name);
        let answer = match judged.verdict {
            Verdict::AsAnnounced if judged.when == super::When::Announced => "works".to_owned(),
            Verdict::AsAnnounced => format!("is refused ({})", judged.token),
            Verdict::Hole => "works all the same".to_owned(),
            Verdict::Closed => format!(
                "works without the kernel and not with it ({})",
                judged.token
            ),
            Verdict::Lie | Verdict::Other => format!("gives {}", judged.token),
        };
        format!("{when}, and {name} {answer}")
    };
    about.map(sentence).collect()
}

/// What the guest says of a feature: its CPUID, or the kernel of a Linux guest.
fn known(judged: &super::Judged<'_>) -> &'static str {
    match judged.user.as_ref().map(|user| user.shown) {
        None => judged.when.name(),
        Some(Shown::Yes) => "shown by the kernel",
        Some(Shown::No) => "not shown by the kernel",
        Some(Shown::Unnamed) => "announced, without a flag",
    }
}
