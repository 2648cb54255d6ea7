//! How much of a report is printed.

/// How much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// What fits a screen: of each kind the first, each in a line.
    Screen,
    /// All.
    All,
}

impl Extent {
    /// So many of a kind: of a screen the first, else all.
    pub fn most(self, on_screen: usize) -> usize {
        match self {
            Extent::Screen => on_screen,
            Extent::All => usize::MAX,
        }
    }

    /// So many features in a line.
    pub fn features(self) -> usize {
        match self {
            Extent::Screen => 4,
            Extent::All => 12,
        }
    }
}

/// `3 hosts`, `1 class`.
pub fn count(number: usize, what: &str) -> String {
    match (number, what) {
        (1, what) => format!("1 {what}"),
        (number, "class") => format!("{number} classes"),
        (number, what) => format!("{number} {what}s"),
    }
}

/// So many names, and how many more there are.
pub fn some(names: &[String], most: usize) -> String {
    if names.len() <= most + 1 {
        return names.join(" ");
    }
    format!(
        "{} and {} more",
        names[..most].join(" "),
        names.len() - most
    )
}
