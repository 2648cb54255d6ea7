//! A finding: one contradiction, from the check that finds it to the reports and JSON lines that show it.

use std::fmt::Display;

use serde::{Deserialize, Serialize};

use super::place::{Place, Side};
use crate::cpuid::bit::Bit;
use crate::cpuid::line::{Line, Register};
use crate::cpuid::table::Table;
use crate::util::printable;

pub use super::names::{CheckId, Layer};

/// Which way the guest differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Expected, and not there.
    Lost,
    /// There, and not expected.
    Gained,
    /// There with another value.
    Changed,
}

impl Kind {
    /// As reports and JSON have it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Lost => "lost",
            Kind::Gained => "gained",
            Kind::Changed => "changed",
        }
    }
}

/// One contradiction. JSON lines hold it with these names; fields may be added, never renamed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// The check that found it.
    pub check: CheckId,
    /// Which way.
    pub kind: Kind,
    /// Where: `CPUID.07H.00H:EBX[5]`.
    #[serde(rename = "where", default)]
    pub place: Place,
    /// Name of the feature or field.
    pub name: String,
    /// What was expected, in the text of an expectation line or in words; empty where nothing was.
    #[serde(default)]
    pub expected: String,
    /// What was found, likewise; empty where nothing was there.
    #[serde(default)]
    pub actual: String,
    /// The layer that contradicts what is expected of it, as far as the evidence can tell.
    #[serde(default)]
    pub layer: Layer,
    /// The expectation line that was expected, where one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minus: Option<Line>,
    /// The expectation line that was found instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plus: Option<Line>,
    /// Where in QEMU an expectation is not met, as far as other guests of the run tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// The recorded release whose expectation it was, as `qemu-11.1`, where nobody has recorded the guest's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nearest: Option<String>,
}

/// Where in QEMU an expectation of a definition is not met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// In the model: the newest machine type shows the same.
    Model,
    /// In what the machine type changes.
    MachineType,
}

impl Finding {
    /// A contradiction that has no place of its own.
    pub fn new(
        check: CheckId,
        kind: Kind,
        name: &str,
        expected: impl Display,
        actual: impl Display,
        layer: Layer,
    ) -> Finding {
        Finding {
            check,
            kind,
            place: Place::default(),
            name: name.to_owned(),
            expected: expected.to_string(),
            actual: actual.to_string(),
            layer,
            minus: None,
            plus: None,
            origin: None,
            nearest: None,
        }
    }

    /// A contradiction between layers about one CPUID bit; the layer is QEMU.
    pub fn about_bit(
        check: CheckId,
        kind: Kind,
        bit: Bit,
        table: &Table,
        expected: &str,
        actual: &str,
    ) -> Finding {
        Finding::new(check, kind, bit.name(table), expected, actual, Layer::Qemu).at(bit)
    }

    /// An expectation line that is not met; `None` where there is neither line.
    pub fn between_lines(
        minus: Option<&Line>,
        plus: Option<&Line>,
        layer: Layer,
    ) -> Option<Finding> {
        let kind = match (minus, plus) {
            (Some(_), Some(_)) => Kind::Changed,
            (Some(_), None) => Kind::Lost,
            (None, _) => Kind::Gained,
        };
        let line = minus.or(plus)?;
        let text = |line: Option<&Line>| line.map(|line| line.text.clone()).unwrap_or_default();
        let name = match line.place.register {
            Register::Probe => "out-of-range answer",
            _ if line.value().is_none() && line.text.starts_with('#') => "readability",
            _ => line.name(),
        };
        let (expected, actual) = (text(minus), text(plus));
        let finding = Finding::new(CheckId::Expectation, kind, name, expected, actual, layer);
        Some(Finding {
            minus: minus.cloned(),
            plus: plus.cloned(),
            ..finding.at(&line.place)
        })
    }

    /// The same at a place.
    #[must_use]
    pub fn at(self, place: impl Into<Place>) -> Finding {
        Finding {
            place: place.into(),
            ..self
        }
    }

    /// The same on another side than the guest's boot processor.
    #[must_use]
    pub fn on(self, side: Side) -> Finding {
        Finding {
            place: self.place.on(side),
            ..self
        }
    }

    /// The same, found by another check: what [`compare`](super::compare) finds for it.
    #[must_use]
    pub fn found_by(self, check: CheckId) -> Finding {
        Finding { check, ..self }
    }

    /// The expectation line that it is about: the expected one, or the one found where none was expected.
    pub fn line(&self) -> Option<&Line> {
        self.minus.as_ref().or(self.plus.as_ref())
    }

    /// Both lines as `git diff` would show them.
    pub fn diff(&self) -> String {
        let side = |sign, line: &Option<Line>| {
            line.as_ref()
                .map(|line| format!("{sign}{}\n", printable::line(&line.to_string())))
        };
        let lines = [side('-', &self.minus), side('+', &self.plus)];
        lines.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = concat!(
        r#"{"check":"expectation","kind":"lost","where":"CPUID.07H.00H:EBX[5]","name":"avx2","#,
        r#""expected":"avx2","actual":"","layer":"qemu","minus":"cpuid 0x00000007.00 ebx[ 5]     avx2"}"#
    );

    #[test]
    fn a_finding_is_written_as_it_was_read() {
        let line = Line::read("cpuid 0x00000007.00 ebx[ 5]     avx2").expect("a line");
        let finding = Finding::between_lines(Some(&line), None, Layer::Qemu).expect("a finding");
        assert_eq!(serde_json::to_string(&finding).expect("JSON"), JSON);
        let read: Finding = serde_json::from_str(JSON).expect("a finding");
        assert_eq!(read, finding);
    }

    #[test]
    fn a_finding_of_an_unknown_check_layer_or_place_is_kept() {
        let newer = JSON
            .replace("expectation", "newer-check")
            .replace("\"qemu\"", "\"newer layer\"")
            .replace("CPUID.07H.00H:EBX[5]", "newer place");
        let read: Finding = serde_json::from_str(&newer).expect("a finding");
        assert_eq!(serde_json::to_string(&read).expect("JSON"), newer);
    }

    #[test]
    fn a_finding_without_its_optional_fields_is_read() {
        let short = r#"{"check":"vcpus","kind":"changed","name":"vcpus"}"#;
        let read: Finding = serde_json::from_str(short).expect("a finding");
        assert_eq!(
            read,
            Finding::new(
                CheckId::Vcpus,
                Kind::Changed,
                "vcpus",
                "",
                "",
                Layer::Unknown
            )
        );
    }
}
