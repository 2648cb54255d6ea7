//! Walks along one line; where it does not go on, it says where and what was expected.

/// Why a line is not of a format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Miss {
    /// Byte of the line.
    pub at: usize,
    /// What may stand there.
    pub expected: &'static str,
    /// Whether the line has begun as no other line does: it is of the format, and damaged.
    pub damaged: bool,
}

/// A place in a line.
#[derive(Clone, Debug)]
pub struct Scan<'a> {
    text: &'a str,
    at: usize,
    certain: bool,
}

impl<'a> Scan<'a> {
    /// At the beginning of a line.
    pub fn new(text: &'a str) -> Scan<'a> {
        Scan {
            text,
            at: 0,
            certain: false,
        }
    }

    /// What follows.
    pub fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// What was passed over.
    pub fn passed(&self) -> &'a str {
        &self.text[..self.at]
    }

    /// Passes over so many bytes.
    pub fn pass(&mut self, bytes: usize) {
        self.at = (self.at + bytes).min(self.text.len());
    }

    /// From here on the line can be of no other kind.
    pub fn certain(&mut self) {
        self.certain = true;
    }

    /// What is wrong here.
    pub fn miss(&self, expected: &'static str) -> Miss {
        Miss {
            at: self.at,
            expected,
            damaged: self.certain,
        }
    }

    /// Passes over white space.
    pub fn spaces(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    /// Passes over `literal` in any case, and over white space before it; whether it was there.
    pub fn has(&mut self, literal: &str) -> bool {
        let rest = self.rest().trim_start();
        let there = rest
            .get(..literal.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(literal));
        if there {
            self.at = self.text.len() - rest.len() + literal.len();
        }
        there
    }

    /// Passes over `literal`, which has to be there.
    ///
    /// # Errors
    /// It is not.
    pub fn needs(&mut self, literal: &'static str) -> Result<(), Miss> {
        if self.has(literal) {
            return Ok(());
        }
        self.spaces();
        Err(self.miss(literal))
    }

    /// One to eight hexadecimal digits, with or without `0x` before them or `h` behind.
    ///
    /// # Errors
    /// There are none, or more.
    pub fn hex(&mut self) -> Result<u32, Miss> {
        self.spaces();
        let start = self.at;
        let _ = self.has("0x");
        let digits = self.digits(16);
        let value = match digits.len() {
            1..=8 => u32::from_str_radix(digits, 16).ok(),
            _ => None,
        };
        let Some(value) = value else {
            if !digits.is_empty() {
                self.at = start;
            }
            return Err(self.miss("one to eight hexadecimal digits"));
        };
        self.at += digits.len();
        if self.rest().starts_with(['h', 'H']) {
            self.at += 1;
        }
        Ok(value)
    }

    /// A decimal number.
    ///
    /// # Errors
    /// There is none, or it is too large.
    pub fn decimal(&mut self) -> Result<u32, Miss> {
        self.spaces();
        let digits = self.digits(10);
        let value = digits.parse().map_err(|_| self.miss("a number"))?;
        self.at += digits.len();
        Ok(value)
    }

    /// Exactly `count` hexadecimal digits and no more.
    pub fn exactly(&mut self, count: usize) -> Option<&'a str> {
        let digits = self.digits(16);
        (digits.len() == count).then(|| {
            self.at += count;
            digits
        })
    }

    /// The line ends here, but for `spaces`.
    ///
    /// # Errors
    /// It goes on.
    pub fn ends(&mut self) -> Result<(), Miss> {
        self.spaces();
        if self.rest().is_empty() {
            return Ok(());
        }
        Err(self.miss("the end of the line"))
    }

    /// The line ends here, or a column follows that repeats the registers as text, or a comment.
    ///
    /// # Errors
    /// Something else follows.
    pub fn ends_or_comment(&mut self) -> Result<(), Miss> {
        self.spaces();
        let rest = self.rest();
        // Four registers are sixteen characters; a vendor is twelve.
        let column = rest.is_ascii() && matches!(rest.len(), 12 | 16);
        if column || rest.starts_with(['|', '[', '(', '"', '\'', '#', ';', '/', '<', '*', ',']) {
            self.at = self.text.len();
            return Ok(());
        }
        self.ends()
    }

    fn digits(&self, radix: u32) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|character: char| !character.is_digit(radix));
        &rest[..end.unwrap_or(rest.len())]
    }
}
