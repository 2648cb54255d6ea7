//! Text from outside in Markdown: in code, whatever it holds.
//!
//! Escaping letters one by one would not do: forges look for links, `@names` and `#numbers` in the rendered text, where a backslash has gone.
//! Code is what they leave alone.

use crate::util::printable::{line, text};

/// `shown` as a code span.
pub fn code(shown: &str) -> String {
    let shown = line(shown);
    if shown.is_empty() {
        return "–".to_owned();
    }
    let ticks = "`".repeat(longest_ticks(&shown) + 1);
    // One space at both ends is the renderer's to take away.
    let room = if shown.starts_with([' ', '`']) || shown.ends_with([' ', '`']) {
        " "
    } else {
        ""
    };
    format!("{ticks}{room}{shown}{room}{ticks}")
}

/// The same in a table, where renderers do not agree on how `|` is escaped behind a backslash.
pub fn cell(shown: &str) -> String {
    code(&shown.replace('|', "\\u{7c}"))
}

/// `shown` as a code block that nothing in it ends.
pub fn fence(language: &str, shown: &str) -> String {
    let shown = text(shown);
    let ticks = "`".repeat(longest_ticks(&shown).max(2) + 1);
    format!("{ticks}{language}\n{shown}\n{ticks}\n")
}

/// `shown` as code within HTML.
pub fn html_code(shown: &str) -> String {
    let mut escaped = String::new();
    for letter in line(shown).chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            other => escaped.push(other),
        }
    }
    format!("<code>{escaped}</code>")
}

fn longest_ticks(text: &str) -> usize {
    let runs = text.split(|letter| letter != '`');
    runs.map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_longer_than_what_is_in_it() {
        for (given, shown) in [
            ("EPYC", "`EPYC`"),
            ("a`b``c", "```a`b``c```"),
            ("`", "`` ` ``"),
            (" a", "`  a `"),
            ("a\nb", "`a\\nb`"),
            ("", "–"),
        ] {
            assert_eq!(code(given), shown);
        }
        assert_eq!(fence("sh", "a\n````\nb"), "`````sh\na\n````\nb\n`````\n");
        assert_eq!(fence("sh", "a"), "```sh\na\n```\n");
        assert_eq!(cell("a\\|b"), "`a\\\\u{7c}b`");
        assert_eq!(html_code("<a>&"), "<code>&lt;a&gt;&amp;</code>");
    }
}
