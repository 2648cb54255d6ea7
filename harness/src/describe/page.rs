//! What a description is laid out as: sections of rows, which every format but JSON prints.

/// A heading, and what stands below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    pub heading: String,
    pub rows: Vec<Row>,
}

/// A row of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// A name and its value.
    Pair(String, String),
    /// A line, so many steps to the right.
    Line(usize, String),
    /// A title and names below it.
    Names(String, Vec<Name>),
}

/// A feature's name in several worlds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// QEMU's, or ours.
    pub name: String,
    /// Names that others have for it, `linux dts`.
    pub others: Vec<String>,
    /// Where it stands, `07H.0 EBX[16]`.
    pub place: String,
}

impl Section {
    pub fn new(heading: &str) -> Section {
        Section {
            heading: heading.to_owned(),
            rows: Vec::new(),
        }
    }

    pub fn pair(&mut self, name: &str, value: impl Into<String>) {
        self.rows.push(Row::Pair(name.to_owned(), value.into()));
    }

    /// A pair where there is a value.
    pub fn pair_of(&mut self, name: &str, value: Option<impl Into<String>>) {
        if let Some(value) = value {
            self.pair(name, value);
        }
    }

    pub fn line(&mut self, indent: usize, text: impl Into<String>) {
        self.rows.push(Row::Line(indent, text.into()));
    }
}

/// `1 core`, `2 cores`.
pub fn counted(count: u64, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

/// What stands where an input does not say.
pub const UNKNOWN: &str = "not known from this input";
