//! What KVM made of the answer's table without QEMU, as a report has it.

use serde::{Deserialize, Serialize};

/// A guest that was given the table which guests of these hosts see.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageDirect {
    /// Whose KVM ran it: this machine's, or that of an emulated host.
    pub place: String,
    /// The hosts whose table it was, as reports call them together.
    pub hosts: String,
    /// Whether that KVM is one of the fleet's, so that what it does otherwise is a finding.
    pub of_fleet: bool,
    /// Why it could not be tried; empty where it was.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub not_tried: String,
    /// Rows of the table that were given.
    pub rows: usize,
    /// What the guest saw otherwise than the table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differing: Vec<String>,
}

/// Differences that a line shows.
const SHOWN: usize = 3;

impl PageDirect {
    /// Whether a KVM of the fleet gives its guests something else.
    pub fn is_finding(&self) -> bool {
        self.of_fleet && (!self.not_tried.is_empty() || !self.differing.is_empty())
    }

    /// In a line.
    pub fn describe(&self) -> String {
        let (place, hosts) = (&self.place, &self.hosts);
        let mark = if self.is_finding() { "FAIL " } else { "" };
        if !self.not_tried.is_empty() {
            return format!("  {mark}{place}: cannot be tried here: {}", self.not_tried);
        }
        if self.differing.is_empty() {
            let rows = self.rows;
            return format!(
                "  {place}: a guest sees the {rows} rows of the table of {hosts}, and nothing else"
            );
        }
        let more = self.differing.len().saturating_sub(SHOWN);
        let more = if more > 0 {
            format!("; and {more} more")
        } else {
            String::new()
        };
        let shown: Vec<&str> = self
            .differing
            .iter()
            .take(SHOWN)
            .map(String::as_str)
            .collect();
        let shown = shown.join("; ");
        let verdict = if self.of_fleet {
            ""
        } else {
            "not proven here, "
        };
        format!(
            "  {mark}{place}: {verdict}KVM shows the guest something else than the table of {hosts}: {shown}{more}"
        )
    }
}
