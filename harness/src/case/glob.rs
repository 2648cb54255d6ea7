//! Shell patterns over names.

use glob::Pattern;
use serde::Deserialize;

use crate::util::limits::GLOB;

/// A shell pattern over names.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Glob(Pattern);

impl Glob {
    /// Matches every name.
    pub fn any() -> Glob {
        Glob(Pattern::new("*").unwrap_or_default())
    }

    /// Matches this name alone.
    pub fn literal(name: &str) -> Glob {
        Glob(Pattern::new(&Pattern::escape(name)).unwrap_or_default())
    }

    /// Whether one of `globs` matches.
    pub fn matches(globs: &[Glob], name: &str) -> bool {
        globs.iter().any(|glob| glob.0.matches(name))
    }

    /// Whether it matches `name`.
    pub fn fits(&self, name: &str) -> bool {
        self.0.matches(name)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether one of `globs` is this very name.
    pub fn names(globs: &[Glob], name: &str) -> bool {
        globs.iter().any(|glob| glob.0.as_str() == name)
    }
}

impl TryFrom<String> for Glob {
    type Error = String;

    fn try_from(pattern: String) -> Result<Glob, String> {
        pattern.parse()
    }
}

impl std::str::FromStr for Glob {
    type Err = String;

    fn from_str(pattern: &str) -> Result<Glob, String> {
        if pattern.len() > GLOB {
            return Err(format!("bad glob: it has more than {GLOB} bytes"));
        }
        let error = |error| format!("bad glob “{pattern}”: {error}");
        Pattern::new(pattern).map(Glob).map_err(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_that_matching_would_take_seconds_for_is_refused() {
        assert!("a".repeat(GLOB).parse::<Glob>().is_ok());
        let error = "*a".repeat(GLOB).parse::<Glob>().expect_err("too long");
        assert_eq!(error, "bad glob: it has more than 256 bytes");
    }
}
