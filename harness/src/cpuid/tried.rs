//! What trying a probe gave, as a value and as a token: `runs`, `#UD`, `ignored`, `eax=0x1f`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::probes::Probe;

/// What trying a probe gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tried {
    /// It ran; the value is what its kind reports.
    Value(u64),
    /// It raised this exception vector.
    Fault(u8),
    /// The state that it needs could not be set.
    NotTried,
}

/// Names of exceptions (SDM vol. 3, 6.3.1), by vector.
const FAULTS: [(u8, &str); 14] = [
    (0, "#DE"),
    (1, "#DB"),
    (3, "#BP"),
    (4, "#OF"),
    (5, "#BR"),
    (6, "#UD"),
    (7, "#NM"),
    (12, "#SS"),
    (13, "#GP"),
    (14, "#PF"),
    (16, "#MF"),
    (17, "#AC"),
    (19, "#XM"),
    (21, "#CP"),
];

const NOT_TRIED: &str = "not-tried";

/// What a probe gave, with the row that says what the value is.
#[derive(Clone, Copy, Debug)]
pub struct Token<'a>(pub Option<&'a Probe>, pub Tried);

impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Token(probe, tried) = self;
        let value = match tried {
            Tried::NotTried => return f.write_str(NOT_TRIED),
            Tried::Fault(vector) => {
                let known = FAULTS.iter().find(|(known, _)| known == vector);
                return match known {
                    Some((_, name)) => f.write_str(name),
                    None => write!(f, "#{vector}"),
                };
            }
            Tried::Value(value) => *value,
        };
        let reported = probe.map_or("", |probe| reported(probe));
        match (reported, value) {
            ("runs", 0) | ("bit", 1) => f.write_str("runs"),
            ("bit", 0) => f.write_str("ignored"),
            ("eax" | "ecx" | "line", value) => write!(f, "{reported}={value:#x}"),
            ("size", value) => write!(f, "size={value}"),
            (_, value) => write!(f, "value={value:#x}"),
        }
    }
}

/// What the value of a row is.
fn reported(probe: &Probe) -> &'static str {
    let register = |name: &str| probe.answer.iter().any(|answer| answer.starts_with(name));
    match probe.kind {
        "run" if register("eax=") => "eax",
        "run" if register("ecx=") => "ecx",
        "run" if register("line=") => "line",
        "run" | "off" | "on" => "runs",
        "size" => "size",
        _ => "bit",
    }
}

impl Tried {
    /// Reads a token back.
    pub fn read(probe: Option<&Probe>, token: &str) -> Option<Tried> {
        let number = |text: &str| match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).ok(),
            None => text.parse().ok(),
        };
        let tried = match token {
            NOT_TRIED => Tried::NotTried,
            "ignored" => Tried::Value(0),
            "runs" => Tried::Value(u64::from(probe.map(reported) == Some("bit"))),
            token => match (token.strip_prefix('#'), token.split_once('=')) {
                (Some(name), _) => Tried::Fault(vector(name)?),
                (None, Some((_, value))) => Tried::Value(number(value)?),
                _ => return None,
            },
        };
        (Token(probe, tried).to_string() == token).then_some(tried)
    }
}

fn vector(name: &str) -> Option<u8> {
    let known = FAULTS
        .iter()
        .find(|(_, known)| known.get(1..) == Some(name));
    known
        .map(|(vector, _)| *vector)
        .or_else(|| name.parse().ok())
}
