//! Lines that fit on a screen.

/// `text` in lines of at most `columns` columns, broken at spaces; those behind the first start with `indent`. A token that is longer than
/// a line has one of its own.
pub fn wrapped(text: &str, columns: usize, indent: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut open = String::new();
    for token in text.split(' ') {
        let width = open.chars().count() + 1 + token.chars().count();
        if !open.trim().is_empty() && width > columns {
            lines.push(std::mem::replace(&mut open, format!("{indent}{token}")));
        } else if open.is_empty() && lines.is_empty() {
            token.clone_into(&mut open);
        } else {
            open.push(' ');
            open.push_str(token);
        }
    }
    lines.push(open);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_broken_at_spaces() {
        assert_eq!(wrapped("# a bc def", 6, "#  "), ["# a bc", "#  def"]);
        assert_eq!(wrapped("# a", 80, "#  "), ["# a"]);
        assert_eq!(wrapped("longer than", 4, " "), ["longer", " than"]);
    }
}
