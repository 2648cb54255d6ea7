//! Rust source as tokens: names, `::`, single signs, and string literals; no comments.

/// A token and the line it stands in, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// A name, `::`, one sign, or a string literal with its first quote and without its last.
    pub text: String,
    /// The line.
    pub line: usize,
}

/// The tokens of a file.
pub fn tokens(text: &str) -> Vec<Token> {
    let mut reader = Reader {
        chars: text.chars().collect(),
        at: 0,
        line: 1,
        tokens: Vec::new(),
    };
    while reader.at < reader.chars.len() {
        reader.next();
    }
    reader.tokens
}

struct Reader {
    chars: Vec<char>,
    at: usize,
    line: usize,
    tokens: Vec<Token>,
}

impl Reader {
    fn next(&mut self) {
        match (self.peek(0), self.peek(1)) {
            ('/', '/') => self.skip_while(|sign| sign != '\n'),
            ('/', '*') => self.block_comment(),
            ('"', _) => self.string(0),
            ('r', '"' | '#') if self.raw_string() => {}
            ('\'', _) => self.quote(),
            (':', ':') => self.push("::".to_owned(), 2),
            (sign, _) if is_name(sign) => self.name(),
            (sign, _) if sign.is_whitespace() => self.step(),
            (sign, _) => self.push(sign.to_string(), 1),
        }
    }

    fn peek(&self, ahead: usize) -> char {
        self.chars.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn step(&mut self) {
        self.line += usize::from(self.peek(0) == '\n');
        self.at += 1;
    }

    fn skip_while(&mut self, wanted: impl Fn(char) -> bool) {
        while self.at < self.chars.len() && wanted(self.peek(0)) {
            self.step();
        }
    }

    fn push(&mut self, text: String, signs: usize) {
        let line = self.line;
        self.tokens.push(Token { text, line });
        self.at += signs;
    }

    fn name(&mut self) {
        let rest = self.chars[self.at..].iter();
        let name: String = rest.take_while(|sign| is_name(**sign)).collect();
        let signs = name.chars().count();
        self.push(name, signs);
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        while self.at < self.chars.len() {
            match (self.peek(0), self.peek(1)) {
                ('/', '*') => depth += 1,
                ('*', '/') => depth -= 1,
                _ => {
                    self.step();
                    continue;
                }
            }
            self.at += 2;
            if depth == 0 {
                return;
            }
        }
    }

    /// A string that ends with a quote and `hashes`; only one without them has escapes.
    fn string(&mut self, hashes: usize) {
        let (line, start) = (self.line, self.at);
        self.at += 1;
        while self.at < self.chars.len() {
            let closed = (1..=hashes).all(|ahead| self.peek(ahead) == '#');
            match self.peek(0) {
                '"' if closed => break,
                '\\' if hashes == 0 => self.step(),
                _ => {}
            }
            self.step();
        }
        let text = self.chars[start..self.at.min(self.chars.len())]
            .iter()
            .collect();
        self.tokens.push(Token { text, line });
        self.at += 1 + hashes;
    }

    /// Whether `r#"…"#` stood here, which is then read; `r#name` is none.
    fn raw_string(&mut self) -> bool {
        let rest = self.chars[self.at + 1..].iter();
        let hashes = rest.take_while(|sign| **sign == '#').count();
        if self.peek(1 + hashes) != '"' {
            self.at += 2;
            return true;
        }
        self.at += 1 + hashes;
        // Without hashes a raw string has no escapes, and a backslash before the quote is none: such a string is read to its quote.
        if hashes == 0 {
            self.at += 1;
            self.skip_while(|sign| sign != '"');
            self.at += 1;
        } else {
            self.string(hashes);
        }
        true
    }

    /// A character literal is left out, of a lifetime its quote.
    fn quote(&mut self) {
        if self.peek(1) == '\\' {
            self.at += 3;
            self.skip_while(|sign| sign != '\'');
            self.at += 1;
        } else if self.peek(2) == '\'' {
            self.at += 3;
        } else {
            self.at += 1;
        }
    }
}

fn is_name(sign: char) -> bool {
    sign.is_alphanumeric() || sign == '_'
}
