//! What a shell script names: its tokens, as far as they can be known without running it.
//!
//! The syntax is that of POSIX, Shell Command Language, 2.2 (quoting), 2.3 (tokens) and 2.6 (expansions). Quotes are
//! taken off and white space separates inside them too, because a quoted text may be a command (`sh -c "exec /opt/qemu"`).

use std::collections::BTreeSet;
use std::iter::Peekable;
use std::str::Chars;

use crate::util::limits::NESTED;

/// The tokens of a script, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tokens {
    /// Those that are what they are when the script runs. One with an expansion in it is left out.
    pub(super) fixed: BTreeSet<String>,
    /// Those of them that stand where a command's name does.
    pub(super) commands: BTreeSet<String>,
    /// Names of the variables that it expands.
    pub(super) variables: BTreeSet<String>,
}

/// What ends a token, beside white space: operators, and what separates paths from names in arguments (`file=/a,b:/c`).
const SEPARATORS: &str = ";|&<>(){}`=,:";
/// What ends an expansion, so that what follows at once belongs to the same token: `$(dirname "$0")/qemu`.
const ENDS_OF_EXPANSIONS: &str = ")`}";

/// What begins a command, beside a line.
const BEGINS_COMMANDS: &str = "\n;|&(){}`";
/// What a command's name may follow: reserved words (2.4), and utilities that start another one.
const BEFORE_COMMANDS: [&str; 18] = [
    "!", "command", "do", "elif", "else", "env", "eval", "exec", "if", "ionice", "nice", "nohup",
    "setsid", "sudo", "then", "time", "until", "while",
];

struct Reader<'a> {
    letters: Peekable<Chars<'a>>,
    found: Tokens,
    token: String,
    /// Whether an expansion is part of the token.
    expanded: bool,
    quote: Option<char>,
    /// Whether the next token is where a command's name is.
    is_command: bool,
    /// Whether the token is what follows `NAME=`.
    is_value: bool,
    /// Expansions around what is read.
    depth: usize,
}

/// Reads the text of a script.
pub(super) fn tokens(text: &str) -> Tokens {
    tokens_within(text, 0)
}

/// The same of what stands within `depth` expansions.
fn tokens_within(text: &str, depth: usize) -> Tokens {
    let mut reader = Reader {
        letters: text.chars().peekable(),
        found: Tokens::default(),
        token: String::new(),
        expanded: false,
        quote: None,
        is_command: true,
        is_value: false,
        depth,
    };
    while let Some(letter) = reader.letters.next() {
        reader.take(letter);
    }
    reader.end();
    reader.found
}

impl Reader<'_> {
    fn take(&mut self, letter: char) {
        match letter {
            '\\' if self.quote != Some('\'') => {
                let next = self.letters.next().filter(|letter| *letter != '\n');
                self.token.extend(next);
            }
            '\'' | '"' if self.quote.is_none() => self.quote = Some(letter),
            _ if self.quote == Some(letter) => self.quote = None,
            '$' => self.expansion(),
            '#' if self.quote.is_none() && self.token.is_empty() && !self.expanded => {
                while self.letters.next_if(|letter| *letter != '\n').is_some() {}
            }
            _ if letter.is_whitespace() || SEPARATORS.contains(letter) => {
                let was_command = self.is_command;
                self.end();
                self.expanded = ENDS_OF_EXPANSIONS.contains(letter);
                self.is_value = letter == '=';
                self.is_command |= BEGINS_COMMANDS.contains(letter) || self.is_value && was_command;
            }
            _ => self.token.push(letter),
        }
    }

    fn end(&mut self) {
        let token = std::mem::take(&mut self.token);
        let expanded = std::mem::take(&mut self.expanded);
        if token.is_empty() && !expanded {
            return;
        }
        let goes_on = self.is_value || BEFORE_COMMANDS.contains(&&*token);
        if !expanded {
            if self.is_command && !self.is_value {
                self.found.commands.insert(token.clone());
            }
            self.found.fixed.insert(token);
        }
        self.is_command &= goes_on;
    }

    /// What follows a `$`. A substitution `$(…)` is read as the script itself is.
    fn expansion(&mut self) {
        self.expanded = true;
        let braced = self.letters.next_if_eq(&'{').is_some();
        let mut name = String::new();
        let is_name = |letter: &char| letter.is_ascii_alphanumeric() || *letter == '_';
        while let Some(letter) = self.letters.next_if(is_name) {
            name.push(letter);
        }
        if name.starts_with(|letter: char| !letter.is_ascii_digit()) {
            self.found.variables.insert(name);
        }
        if braced {
            self.operator();
        }
    }

    /// The rest of `${NAME:-/opt/qemu}`: what may become the value is read as the script is, and a pattern (`%/*`) is not.
    fn operator(&mut self) {
        let mut depth = 1;
        let mut rest = String::new();
        for letter in self.letters.by_ref() {
            match letter {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            rest.push(letter);
        }
        let value = rest.strip_prefix(':').unwrap_or(&rest);
        if let Some(value) = value.strip_prefix(['-', '=', '+'])
            && self.depth < NESTED
        {
            let inner = tokens_within(value, self.depth + 1);
            self.found.fixed.extend(inner.fixed);
            self.found.commands.extend(inner.commands);
            self.found.variables.extend(inner.variables);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::tokens;

    fn fixed(script: &str) -> Vec<String> {
        tokens(script).fixed.into_iter().collect()
    }

    #[test]
    fn quotes_are_taken_off_and_arguments_taken_apart() {
        assert_eq!(
            fixed("exec '/opt/a b' \"$@\" -global x.y=off,file=/z:/w # /c\n"),
            [
                "-global", "/opt/a", "/w", "/z", "b", "exec", "file", "off", "x.y"
            ]
        );
    }

    #[test]
    fn a_comment_is_no_part_and_a_hash_in_a_token_or_in_quotes_begins_none() {
        assert_eq!(fixed("# /a\n/b#c '# /d' ;# /e"), ["#", "/b#c", "/d"]);
        assert_eq!(fixed("a\\\nb \\# c"), ["#", "ab", "c"]);
    }

    #[test]
    fn a_command_stands_first_or_behind_what_starts_one() {
        let script = "echo open\nA=x B=$y nice cat b | head c; x=$(ls /d) && if ! grep e; then\nexec q f\nfi";
        let commands: Vec<String> = tokens(script).commands.into_iter().collect();
        let wanted = [
            "!", "A", "B", "cat", "echo", "exec", "fi", "grep", "head", "if", "ls", "nice", "q",
            "then", "x",
        ];
        assert_eq!(commands, wanted);
    }

    #[test]
    fn very_many_expansions_within_one_another_are_no_overflow() {
        let depth = 50_000;
        let script = format!("{}{}", "${a:-".repeat(depth), "}".repeat(depth));
        assert_eq!(fixed(&script), [""; 0]);
    }

    #[test]
    fn what_is_expanded_is_left_out_and_its_variables_are_named() {
        let found =
            tokens("exec \"$here/bin\" ${self%/*}/x \"$(dirname \"$0\")\"/q ${Q:-/opt/q} $1");
        let fixed: Vec<_> = found.fixed.iter().map(String::as_str).collect();
        assert_eq!(fixed, ["/opt/q", "dirname", "exec"]);
        let variables: Vec<_> = found.variables.iter().map(String::as_str).collect();
        assert_eq!(variables, ["Q", "here", "self"]);
    }
}
