//! Command lines as a shell takes them.

/// A command line to paste into a shell: arguments quoted where they need it.
pub fn pasteable(command: &[String]) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_=,./:+@%".contains(letter);
    let quote = |word: &String| match word.chars().all(plain) && !word.is_empty() {
        true => word.clone(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    };
    command.iter().map(quote).collect::<Vec<_>>().join(" ")
}
