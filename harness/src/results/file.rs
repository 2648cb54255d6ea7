//! A file of JSON lines, as somebody hands it over: cut off, foreign or garbled for all we know.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::head::{Head, RUN, VERSION};
use super::row::{Key, Row};
use crate::util::limits::{RESULTS, RESULTS_LINE};
use crate::util::open;

/// A run's results.
#[derive(Clone, Debug)]
pub struct RunFile {
    /// Where they come from; for messages.
    pub name: String,
    /// The first line.
    pub head: Head,
    /// One a case, as they ended; a case that was attempted again has several.
    pub rows: Vec<Row>,
    /// Whether the last line has no end: the run was killed while it wrote. That line is not among the rows.
    pub cut: bool,
}

/// Why a file is no run's results.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("failed to read {path}: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It holds something else.
    #[error("{name}: not the results of a run of cpuid-fidelity: {problem}")]
    Foreign {
        /// The file.
        name: String,
        /// What is wrong with the first line.
        problem: String,
    },
    /// It was written in a format of another version.
    #[error(
        "{name}: written in version {found} of the format; this program reads version {VERSION}"
    )]
    Version {
        /// The file.
        name: String,
        /// Its version.
        found: u64,
    },
    /// A line in the middle is no case.
    #[error("{name}:{line}: not the result of a case: {problem}")]
    Line {
        /// The file.
        name: String,
        /// From 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
}

impl RunFile {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read or is no run's results.
    pub fn read(path: &Path) -> Result<RunFile, FileError> {
        let text = open::data(path, RESULTS).map_err(|error| FileError::Read {
            path: path.to_owned(),
            error,
        })?;
        RunFile::parse(&path.display().to_string(), &String::from_utf8_lossy(&text))
    }

    /// Reads the text of a file. A last line without an end is left out, and [`RunFile::cut`] says so.
    ///
    /// # Errors
    /// It is no run's results.
    pub fn parse(name: &str, text: &str) -> Result<RunFile, FileError> {
        let (whole, rest) = match text.rfind('\n') {
            Some(end) => text.split_at(end + 1),
            None => ("", text),
        };
        let mut lines = whole.lines().enumerate();
        let head = match lines.next() {
            Some((_, line)) => head(name, line)?,
            None => {
                return Err(FileError::Foreign {
                    name: name.to_owned(),
                    problem: "no whole line".to_owned(),
                });
            }
        };
        let row = |(index, line): (usize, &str)| {
            read_row(line).map_err(|problem| FileError::Line {
                name: name.to_owned(),
                line: index + 1,
                problem,
            })
        };
        Ok(RunFile {
            name: name.to_owned(),
            head,
            rows: lines.map(row).collect::<Result<_, _>>()?,
            cut: !rest.trim().is_empty(),
        })
    }

    /// How many cases were planned and have no line: the run is not over, or the file was cut, at the end of a line at the best.
    pub fn lacking(&self) -> usize {
        let there: BTreeSet<Key> = self.rows.iter().map(Row::key).collect();
        self.head.planned.saturating_sub(there.len())
    }

    /// With a row for each of them, which was not run, where the head names them: it has the names of the whole plan, and so not those of
    /// one part of it, nor of the failures that were run again.
    #[must_use]
    pub fn filled(mut self) -> RunFile {
        let planned: Vec<Key> = self.head.expected().collect();
        if self.lacking() > 0 && planned.len() == self.head.planned {
            let there: BTreeSet<Key> = self.rows.iter().map(Row::key).collect();
            let missing = planned.into_iter().filter(|key| !there.contains(key));
            self.rows.extend(missing.filter_map(Row::missing));
        }
        self
    }

    /// What a reader has to know of a file that is not whole, in a sentence; `None` of one that is.
    pub fn why_not_whole(&self) -> Option<String> {
        let (name, planned, lacking) = (&self.name, self.head.planned, self.lacking());
        let cut = if self.cut {
            ", and the file ends in the middle of a line, which is left out"
        } else {
            ""
        };
        match (lacking, self.cut) {
            (0, false) => None,
            (0, true) => Some(format!(
                "{name} ends in the middle of a line, which is left out"
            )),
            _ => Some(format!(
                "{name} has no result of {lacking} of the {planned} cases that were planned{cut}: they count as not run"
            )),
        }
    }

    /// The text of the file.
    pub fn text(&self) -> String {
        text(&self.head, &self.rows)
    }
}

/// The text of a run's results: the head, then a line a case.
pub fn text(head: &Head, rows: &[Row]) -> String {
    let mut text = line(head);
    rows.iter().for_each(|row| text.push_str(&line(row)));
    text
}

/// A line of it.
pub fn line(object: &impl serde::Serialize) -> String {
    // Strings, numbers and lists: there is nothing in a head or a row that JSON could not hold.
    serde_json::to_string(object).unwrap_or_default() + "\n"
}

fn read_row(line: &str) -> Result<Row, String> {
    if line.len() > RESULTS_LINE {
        return Err(format!("it has more than {RESULTS_LINE} bytes"));
    }
    serde_json::from_str(line).map_err(|error| error.to_string())
}

fn head(name: &str, line: &str) -> Result<Head, FileError> {
    let foreign = |problem: String| FileError::Foreign {
        name: name.to_owned(),
        problem,
    };
    let value: Value = serde_json::from_str(line).map_err(|error| foreign(error.to_string()))?;
    if value["run"] != RUN {
        return Err(foreign(
            "the first line is not the head of a run".to_owned(),
        ));
    }
    match value["version"].as_u64() {
        Some(version) if version == u64::from(VERSION) => {}
        found => {
            return Err(FileError::Version {
                name: name.to_owned(),
                found: found.unwrap_or_default(),
            });
        }
    }
    serde_json::from_value(value).map_err(|error| foreign(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Status;
    use crate::results::fixture::{head, row};

    fn whole() -> String {
        let rows = [
            row("tcg/qemu-11.1/-/486-v1", Status::Pass),
            row("tcg/qemu-11.1/-/max", Status::Fail),
        ];
        text(
            &head(&["tcg/qemu-11.1/-/486-v1", "tcg/qemu-11.1/-/max"]),
            &rows,
        )
    }

    #[test]
    fn every_time_is_read_as_it_was_written() {
        let mut file = RunFile::parse("x", &whole()).expect("a run's results");
        file.rows[0].duration_ms = 120.922_337_203_685_49;
        let again = RunFile::parse("x", &file.text()).expect("a run's results");
        assert_eq!(again.rows, file.rows);
    }

    #[test]
    fn numbers_that_are_no_time_are_an_error_with_its_line() {
        let text = whole();
        for (name, line) in [("seconds", 1), ("duration_ms", 2)] {
            let number = format!("\"{name}\":1e300");
            let at = text.find(&format!("\"{name}\":")).expect("the field");
            let end = at + text[at..].find([',', '}']).expect("an end");
            let text = format!("{}{number}{}", &text[..at], &text[end..]);
            let error = RunFile::parse("x", &text).expect_err("no time").to_string();
            assert!(error.contains("is no time that a run takes"), "{error}");
            assert!(line == 1 || error.starts_with("x:2: "), "{error}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let file = RunFile::parse("x", &whole()).expect("a run's results");
        assert_eq!(file.text(), whole());
        assert!(!file.cut);
    }

    #[test]
    fn a_file_that_was_cut_keeps_its_whole_lines() {
        let text = whole();
        let file = RunFile::parse("x", &text[..text.len() - 9]).expect("a run's results");
        assert_eq!(file.rows.len(), 1);
        assert!(file.cut);
    }

    #[test]
    fn every_cut_is_an_error_or_a_shorter_run() {
        let text = whole();
        for length in 0..text.len() {
            let Some(cut) = text.get(..length) else {
                continue;
            };
            if let Ok(file) = RunFile::parse("x", cut) {
                assert!(file.rows.len() < 2, "{length}");
            }
        }
    }

    #[test]
    fn foreign_files_are_named() {
        for (text, wanted) in [
            ("", "no whole line"),
            ("{}\n", "not the head of a run"),
            ("[1,\n", "not the results of a run"),
            ("{\"run\":\"cpuid-fidelity\",\"version\":2}\n", "version 2"),
        ] {
            let error = RunFile::parse("shard.jsonl", text)
                .expect_err("an error")
                .to_string();
            assert!(
                error.starts_with("shard.jsonl: ") && error.contains(wanted),
                "{error}"
            );
        }
    }

    #[test]
    fn a_garbled_line_is_named_by_its_number() {
        let text = whole().replacen("{\"case\"", "{\"cas\"", 1);
        let error = RunFile::parse("x", &text)
            .expect_err("an error")
            .to_string();
        assert!(
            error.starts_with("x:2: not the result of a case: missing field `case`"),
            "{error}"
        );
    }
}
