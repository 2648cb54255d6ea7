//! What was reviewed of a case's CPU model: the definition that every guest with it is to show.

use serde::{Deserialize, Serialize};

use crate::cpuid::Line;

/// The definition of a case's CPU model on its machine type, as it was reviewed. Masked values stand as placeholders (`= <vcpu>`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promised {
    /// The files that it was read from: `qemu-11.1/models/EPYC-v4 + qemu-11.1/machines/pc-q35-8.2`.
    pub source: String,
    /// The recorded release that stands for one that nobody has recorded, as `qemu-11.1`; `None` where the release is recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nearest: Option<String>,
    /// Expectation lines.
    pub lines: Vec<Line>,
}
