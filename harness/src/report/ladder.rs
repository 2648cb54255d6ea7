//! A feature's ladder, as people and programs read it.

use serde_json::{Value, json};

use crate::case::guest::Case;
use crate::explain::{Rung, State, verdict};

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

/// One row a layer, then what it comes to.
pub fn text(asked: Asked<'_>, rungs: &[Rung]) -> String {
    let Asked {
        case,
        feature,
        place,
        lab,
    } = asked;
    let mut text = format!(
        "{feature} ({place}) of -cpu {} on {}, {}, lane {}{}\n\n",
        case.cpu,
        case.machine,
        case.qemu.label,
        case.lane,
        lab.map(|lab| format!(" in the lab of {lab}"))
            .unwrap_or_default()
    );
    for rung in rungs {
        let (layer, state) = (rung.layer.name(), rung.state.word());
        let evidence = rung.evidence.replace('\n', " / ");
        text.push_str(&format!("  {layer:<14} {state:<8} {evidence}\n"));
        if let Some(cause) = &rung.cause {
            text.push_str(&format!("  {:<14} {:<8} ^ {cause}\n", "", ""));
        }
    }
    text + &format!("\n{}\n", verdict(rungs).replace('\n', " / "))
}

/// The same as one object.
pub fn object(asked: Asked<'_>, rungs: &[Rung]) -> Value {
    let rung = |rung: &Rung| {
        let mut value = json!(rung);
        if let Some(cause) = &rung.cause {
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
        "present": match rungs.last().map(|rung| rung.state) {
            Some(State::Present) => json!(true),
            Some(State::Absent) => json!(false),
            Some(State::Unknown) | None => Value::Null,
        },
        "rungs": rungs.iter().map(rung).collect::<Vec<_>>(),
        "verdict": verdict(rungs),
    })
}
