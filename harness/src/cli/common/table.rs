//! Listings: columns for people, an object a line for programs.

use clap::{Args, ValueEnum};
use cpuid_fidelity::util::near::hint;
use serde_json::{Map, Value};

/// How a listing is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Columns.
    Text,
    /// An object a line.
    Json,
}

/// Options of every listing.
#[derive(Clone, Debug, Args)]
pub struct Listing {
    /// Only names that match, in any case: a shell pattern, or a part of a name
    #[arg(value_name = "PATTERN")]
    pub pattern: Option<String>,
    /// `json`: an object a line
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

impl Listing {
    /// Behind a message that nothing matches: the names that were probably meant.
    pub fn near<'a>(&self, names: impl Iterator<Item = &'a str>) -> String {
        let pattern = self.pattern.as_deref();
        pattern.map_or(String::new(), |pattern| hint(pattern, names))
    }

    /// Whether a name is wanted.
    ///
    /// # Errors
    /// The pattern is none.
    pub fn filter(&self) -> anyhow::Result<impl Fn(&str) -> bool + use<>> {
        let lower = self.pattern.as_deref().unwrap_or("").to_lowercase();
        let is_part = !lower.contains(['*', '?', '[']);
        let pattern = glob::Pattern::new(&lower)
            .map_err(|error| anyhow::anyhow!("bad pattern “{lower}”: {error}"))?;
        Ok(move |name: &str| {
            let name = name.to_lowercase();
            if is_part {
                name.contains(&lower)
            } else {
                pattern.matches(&name)
            }
        })
    }
}

/// Rows below a head. The first column is a name, and each other one has a word or more.
#[derive(Clone, Debug)]
pub struct Listed<const N: usize> {
    head: [&'static str; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Listed<N> {
    /// No rows yet; the keys of the objects are the words of the head.
    pub fn new(head: [&'static str; N]) -> Listed<N> {
        Listed {
            head,
            rows: Vec::new(),
        }
    }

    /// One more row.
    pub fn push(&mut self, row: [String; N]) {
        self.rows.push(row);
    }

    /// All rows.
    pub fn text(&self, format: Format) -> String {
        match format {
            Format::Text => self.columns(),
            Format::Json => self.objects(),
        }
    }

    fn columns(&self) -> String {
        let head = self.head.map(str::to_owned);
        let rows = || std::iter::once(&head).chain(&self.rows);
        let width = |column: usize| rows().map(|row| row[column].chars().count()).max();
        let widths: Vec<usize> = (0..N).map(|column| width(column).unwrap_or(0)).collect();
        let mut text = String::new();
        for row in rows() {
            let cells = row.iter().zip(&widths);
            let cells: Vec<String> = cells
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            text.push_str(cells.join("  ").trim_end());
            text.push('\n');
        }
        text
    }

    fn objects(&self) -> String {
        let object = |row: &[String; N]| {
            let pairs = self.head.iter().zip(row);
            let pairs = pairs.map(|(key, cell)| ((*key).to_owned(), Value::from(cell.as_str())));
            format!("{}\n", Value::Object(pairs.collect::<Map<_, _>>()))
        };
        self.rows.iter().map(object).collect()
    }
}

/// Words in a row, `-` where there is none.
pub fn join<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<&str> = words.into_iter().collect();
    if words.is_empty() {
        "-".to_owned()
    } else {
        words.join(" ")
    }
}
