//! Expectation lines as a bisect keeps them: an array of their texts in JSON.

use serde::{Deserialize, Serialize};

use crate::cpuid::line::Line;

/// Expectation lines in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Lines(pub Vec<Line>);

/// A text in a file of a bisect that is no expectation line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is no expectation line")]
pub struct NoLine(String);

impl TryFrom<Vec<String>> for Lines {
    type Error = NoLine;

    fn try_from(texts: Vec<String>) -> Result<Lines, NoLine> {
        let line = |text: String| Line::read(&text).ok_or(NoLine(text));
        let lines: Result<Vec<Line>, NoLine> = texts.into_iter().map(line).collect();
        lines.map(Lines)
    }
}

impl From<Lines> for Vec<String> {
    fn from(lines: Lines) -> Vec<String> {
        lines.0.iter().map(Line::to_string).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_survive_json_and_other_text_is_refused() {
        let line = Line::read("cpuid 0x00000007.00 ebx[ 5]     avx2").expect("a line");
        let lines = Lines(vec![line]);
        let json = serde_json::to_string(&lines).expect("JSON");
        assert_eq!(json, "[\"cpuid 0x00000007.00 ebx[ 5]     avx2\"]");
        assert_eq!(serde_json::from_str::<Lines>(&json).ok(), Some(lines));
        let error = serde_json::from_str::<Lines>("[\"avx2\"]").expect_err("no line");
        assert_eq!(error.to_string(), "“avx2” is no expectation line");
    }
}
