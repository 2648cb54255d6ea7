//! Command lines as a shell takes them.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::printable::hidden;

/// A command line to paste into a shell, on one line and with nothing in it that cannot be seen: arguments quoted where they need it.
pub fn pasteable(command: &[String]) -> String {
    let quoted: Vec<_> = command.iter().map(|argument| quoted(argument)).collect();
    quoted.join(" ")
}

/// One argument. `shlex` quotes commas and equals signs too, of which QEMU's arguments are full and which no shell touches inside an
/// argument.
pub fn quoted(argument: &str) -> Cow<'_, str> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_=,./:+@%".contains(letter);
    if !argument.is_empty() && argument.chars().all(plain) {
        return argument.into();
    }
    if argument.contains(hidden) {
        return spelled(argument).into();
    }
    // No argument has a NUL byte in it, which is all that cannot be quoted.
    shlex::try_quote(argument).unwrap_or(argument.into())
}

/// `$'a\nb'`, as bash, zsh, ksh and POSIX's sh of 2024 read it. What is hidden stands as its bytes.
fn spelled(argument: &str) -> String {
    let mut spelled = "$'".to_owned();
    for letter in argument.chars() {
        match letter {
            '\n' => spelled.push_str("\\n"),
            '\'' | '\\' => spelled.extend(['\\', letter]),
            letter if hidden(letter) => {
                for byte in letter.encode_utf8(&mut [0; 4]).bytes() {
                    let _ = write!(spelled, "\\{byte:03o}");
                }
            }
            letter => spelled.push(letter),
        }
    }
    spelled + "'"
}

#[cfg(test)]
mod tests {
    use super::pasteable;
    use crate::util::printable::line;

    #[test]
    fn what_is_pasted_is_what_was_meant() {
        let command = [
            "printf",
            "%s\\0",
            "EPYC,avx=off",
            "a b",
            "",
            "it's",
            "$HOME",
            "{\"a\":1}",
            "back\\slash",
            "$(touch x)`id`;&|<>*?[~#!",
            "line\nbreak '\\ 1",
            "\u{1b}[31m1\u{202e}2\t\u{7f}",
        ]
        .map(str::to_owned);
        let pasted = pasteable(&command);
        assert!(pasted.contains(" EPYC,avx=off 'a b' '' "), "{pasted}");
        assert_eq!(line(&pasted), pasted);
        let output = std::process::Command::new("bash")
            .args(["-c", &pasted])
            .output()
            .expect("bash");
        let given = command[2..].join("\0") + "\0";
        assert_eq!(String::from_utf8_lossy(&output.stdout), given);
    }
}
