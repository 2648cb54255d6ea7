//! Command lines as a shell takes them.

use std::borrow::Cow;

/// A command line to paste into a shell: arguments quoted where they need it.
pub fn pasteable(command: &[String]) -> String {
    let quoted: Vec<_> = command.iter().map(|argument| quote(argument)).collect();
    quoted.join(" ")
}

/// `shlex` quotes commas and equals signs too, of which QEMU's arguments are full and which no shell touches inside an argument.
fn quote(argument: &str) -> Cow<'_, str> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_=,./:+@%".contains(letter);
    if !argument.is_empty() && argument.chars().all(plain) {
        return argument.into();
    }
    // No argument has a NUL byte in it, which is all that cannot be quoted.
    shlex::try_quote(argument).unwrap_or(argument.into())
}

#[cfg(test)]
mod tests {
    use super::pasteable;

    #[test]
    fn what_is_pasted_is_what_was_meant() {
        let command = [
            "qemu",
            "-cpu",
            "EPYC,avx=off",
            "a b",
            "",
            "it's",
            "$HOME",
            "{\"a\":1}",
            "back\\slash",
            "line\nbreak",
        ]
        .map(str::to_owned);
        let line = pasteable(&command);
        assert!(
            line.starts_with("qemu -cpu EPYC,avx=off 'a b' '' "),
            "{line}"
        );
        assert_eq!(shlex::split(&line), Some(command.into()));
    }
}
