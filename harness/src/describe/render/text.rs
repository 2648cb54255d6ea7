//! Text of 80 columns, for a terminal or a mail.

use crate::describe::description::Description;
use crate::describe::page::{Name, Row, Section};
use crate::util::printable::line;

const COLUMNS: usize = 80;
/// The most that the names of pairs are padded to.
const NAMES: usize = 46;

/// All descriptions, an empty line between them.
pub fn text(descriptions: &[Description]) -> String {
    let texts: Vec<String> = descriptions.iter().map(one_text).collect();
    texts.join("\n")
}

fn one_text(description: &Description) -> String {
    let mut text = wrapped("", &line(&description.title), 2);
    for section in description.sections() {
        text.push_str(&format!("\n{}\n", line(&section.heading)));
        text.push_str(&rows(&section));
    }
    text
}

fn rows(section: &Section) -> String {
    let names = section.rows.iter().filter_map(|row| match row {
        Row::Pair(name, _) => Some(name.chars().count()),
        _ => None,
    });
    let width = names.max().unwrap_or(0).min(NAMES);
    let rows = section.rows.iter().map(|row| match row {
        Row::Pair(name, value) => {
            let start = format!("  {:<width$}  ", line(name));
            wrapped(&start, &line(value), width + 4)
        }
        Row::Line(indent, text) => {
            let indent = 2 + 2 * indent;
            wrapped(&" ".repeat(indent), &line(text), indent + 2)
        }
        Row::Names(title, names) => {
            let words: Vec<String> = names.iter().map(one_name).collect();
            format!("  {}\n{}", line(title), filled("    ", &words, 4))
        }
    });
    rows.collect()
}

fn one_name(name: &Name) -> String {
    let own = line(&name.name);
    match name.others.as_slice() {
        [] => own.into_owned(),
        others => format!("{own} [{}]", others.join(", ")),
    }
}

/// `text` behind `start`, broken at spaces; further lines start at column `hang`.
fn wrapped(start: &str, text: &str, hang: usize) -> String {
    let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
    filled(start, &words, hang)
}

fn filled(start: &str, words: &[String], hang: usize) -> String {
    let mut lines = String::new();
    let mut current = start.to_owned();
    let mut is_empty = true;
    for word in words {
        let room = current.chars().count() + word.chars().count() + usize::from(!is_empty);
        if room > COLUMNS && !is_empty {
            lines.push_str(current.trim_end());
            lines.push('\n');
            current = " ".repeat(hang);
            is_empty = true;
        }
        if !is_empty {
            current.push(' ');
        }
        current.push_str(word);
        is_empty = false;
    }
    lines.push_str(current.trim_end());
    lines.push('\n');
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_a_terminal_but_for_a_word_that_is() {
        let words = ["avx512-vpopcntdq"; 12].map(str::to_owned);
        let text = filled("    ", &words, 4);
        assert!(text.lines().all(|line| line.len() <= COLUMNS), "{text}");
        assert_eq!(text.lines().count(), 3);
        let long = "x".repeat(90);
        assert_eq!(
            wrapped("a ", &format!("{long} b"), 2),
            format!("a {long}\n  b\n")
        );
    }
}
