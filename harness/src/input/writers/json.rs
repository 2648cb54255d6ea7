//! Our own dump: all phases of all vCPUs.

use crate::cpuid::dump::Dump;

/// In one line.
pub fn json(dump: &Dump) -> String {
    serde_json::json!(dump).to_string()
}
