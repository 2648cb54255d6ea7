//! Lines within a terminal's width, and within Markdown.

use crate::util::printable;

/// Columns of the text.
const WIDTH: usize = 100;

/// A part of the report: its heading, and its lines.
pub(super) type Section = (String, Vec<String>);

/// Without what Markdown would take for its own.
pub(super) fn escaped(text: &str) -> String {
    let text = printable::line(text);
    let own = |letter: char| "\\`*_{}[]<>#|!&".contains(letter);
    text.chars()
        .flat_map(|letter| own(letter).then_some('\\').into_iter().chain([letter]))
        .collect()
}

/// A line broken between words, the rest of it indented; a `-cpu` argument is never broken.
pub(super) fn wrapped(line: &str) -> String {
    if line.starts_with("-cpu ") || line.chars().count() <= WIDTH {
        return format!("{line}\n");
    }
    let indent = line.len() - line.trim_start().len();
    let mut out = " ".repeat(indent);
    let mut column = indent;
    for (at, word) in line.split_whitespace().enumerate() {
        let length = word.chars().count();
        if at > 0 && column + 1 + length > WIDTH {
            out.push_str(&format!("\n{}", " ".repeat(indent + 4)));
            column = indent + 4;
        } else if at > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out + "\n"
}

/// A line that is cut between words where it is too long.
pub(super) fn cut(line: &str) -> String {
    if line.chars().count() <= WIDTH {
        return line.to_owned();
    }
    let short: String = line.chars().take(WIDTH - 2).collect();
    let whole = short
        .rfind(' ')
        .filter(|at| !short[..*at].trim().is_empty());
    format!("{} …", short[..whole.unwrap_or(short.len())].trim_end())
}
