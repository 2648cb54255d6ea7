//! Files that insta keeps: a header between two lines of `---`, then the content.

/// What stands behind the header, with an empty line for each line of it: readers pass over them, and what they count are the lines of the
/// file. `None` where there is no header.
pub fn content(text: &str) -> Option<String> {
    let rest = text.strip_prefix("---\n")?;
    let (header, content) = rest.split_once("\n---\n")?;
    let lines = header.lines().count() + 2;
    Some("\n".repeat(lines) + content.trim_end_matches('\n'))
}
