//! One line without what terminals and mailers put into it.

use super::line::Line;

/// `line`, plain. Quotes of mails (`> `) are taken away where `quotes` is set: data may begin with `>` as well.
pub fn clean(number: usize, line: &str, quotes: bool) -> Line {
    let (visible, mut removed) = without_escapes(line);
    let mut rest = visible.trim_start();
    if quotes {
        while let Some(unquoted) = rest.strip_prefix('>') {
            rest = unquoted.trim_start();
        }
    }
    let skipped = visible.chars().count() - rest.chars().count();
    removed.retain(|(at, _)| *at > skipped);
    for (at, _) in &mut removed {
        *at -= skipped;
    }
    let before = line.chars().count() - visible.chars().count();
    let within: usize = removed.iter().map(|(_, count)| count).sum();
    Line::new(
        number,
        skipped + before - within,
        rest.trim_end().to_owned(),
        removed,
    )
}

/// The line without escape sequences (ECMA-48, and titles that xterm sets), and where how many characters were taken away.
fn without_escapes(line: &str) -> (String, Vec<(usize, usize)>) {
    let mut visible = String::with_capacity(line.len());
    let mut removed = Vec::new();
    let mut length = 0;
    let mut rest = line;
    while let Some(next) = rest.chars().next() {
        let end = escape(rest);
        if end == 0 {
            visible.push(next);
            length += 1;
            rest = &rest[next.len_utf8()..];
            continue;
        }
        removed.push((length, rest[..end].chars().count()));
        rest = &rest[end..];
    }
    (visible, removed)
}

/// Bytes of the escape sequence or control character that `text` begins with; 0 where it begins with none.
fn escape(text: &str) -> usize {
    let mut characters = text.char_indices();
    match characters.next() {
        Some((_, '\x1b')) => {}
        Some((_, '\t')) | None => return 0,
        Some((_, first)) => {
            return if first.is_control() {
                first.len_utf8()
            } else {
                0
            };
        }
    }
    let ends: fn(char) -> bool = match characters.next() {
        Some((_, '[')) => |end| ('@'..='~').contains(&end),
        Some((_, ']')) => |end| end == '\x07',
        Some((at, other)) => return at + other.len_utf8(),
        None => return text.len(),
    };
    let end = characters.find(|(_, character)| ends(*character));
    end.map_or(text.len(), |(at, last)| at + last.len_utf8())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_colours_and_tabs_are_taken_away() {
        let line = clean(7, "> >\t> \x1b[1;32m0x01\x1b[0m 0x00:\r", true);
        assert_eq!((line.number, line.text.as_str()), (7, "0x01 0x00:"));
        assert_eq!(
            clean(1, "\x1b]0;me@host\x07$ cpuid -r", true).text,
            "$ cpuid -r"
        );
        assert_eq!(clean(1, "> <a/>", false).text, "> <a/>");
    }

    #[test]
    fn a_column_is_that_of_the_file() {
        let original = "> > ab\x1b[0mcd\x1b[1m ef";
        let line = clean(1, original, true);
        assert_eq!(line.text, "abcd ef");
        for (at, character) in line.text.char_indices() {
            let column = line.column(at);
            assert_eq!(original.chars().nth(column - 1), Some(character), "{at}");
        }
    }
}
