//! The rules of `linux.tsv`: what stands for what in a kernel, as an expression over CPUID, MSRs, the release and the command line.

use crate::util::limits::NESTED;

/// A rule's truth, where a dump cannot always tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    Yes,
    /// It does not.
    No,
    /// Nobody can tell.
    Maybe,
}

impl Truth {
    /// The truth of what is known.
    pub fn from_known(known: bool) -> Truth {
        if known { Truth::Yes } else { Truth::No }
    }
}

/// An expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Something that is asked of a guest.
    Atom(Atom),
    /// It does not hold.
    Not(Box<Rule>),
    /// All hold.
    All(Vec<Rule>),
    /// One holds.
    Any(Vec<Rule>),
}

/// What is asked of a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Atom {
    /// Always this.
    Known(Truth),
    /// A name of the feature table whose bits are not 0.
    Feature(String),
    /// An entry of `flags` in /proc/cpuinfo.
    Flag(String),
    /// An entry of `bugs` there.
    Bug(String),
    /// The processor's vendor.
    Vendor(Vendor),
    /// Its family, first and last.
    Family(u32, u32),
    /// Its model, one of these spans.
    Model(Vec<(u32, u32)>),
    /// The kernel's release, or a later one.
    Kernel(u32, u32),
    /// An argument of the kernel's command line.
    Word(String),
    /// CPUID.0BH announces a level.
    Topology,
    /// Its stepping, first and last.
    Stepping(u32, u32),
    /// The highest basic leaf of CPUID is this, or a later one.
    Level(u32),
}

/// Vendors that Linux tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vendor {
    /// GenuineIntel.
    Intel,
    /// AuthenticAMD.
    Amd,
    /// HygonGenuine.
    Hygon,
    /// CentaurHauls.
    Centaur,
    /// Shanghai.
    Zhaoxin,
}

const VENDORS: [(&str, &[u8; 12], Vendor); 5] = [
    ("intel", b"GenuineIntel", Vendor::Intel),
    ("amd", b"AuthenticAMD", Vendor::Amd),
    ("hygon", b"HygonGenuine", Vendor::Hygon),
    ("centaur", b"CentaurHauls", Vendor::Centaur),
    ("zhaoxin", b"  Shanghai  ", Vendor::Zhaoxin),
];

impl Vendor {
    /// Of the letters of CPUID.00H.
    pub fn from_letters(letters: &[u8]) -> Option<Vendor> {
        let known = VENDORS.iter().find(|(_, known, _)| known[..] == *letters);
        known.map(|(.., vendor)| *vendor)
    }
}

/// What is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SyntaxError {
    /// Something must follow.
    #[error("the rule ends too soon")]
    Ends,
    /// `(` without its `)`.
    #[error("a bracket is not closed")]
    Bracket,
    /// A token behind the end.
    #[error("“{0}” where the rule should end")]
    Trailing(String),
    /// An operator where a name is due.
    #[error("“{0}” where a name should be")]
    NoName(String),
    /// Brackets in brackets, more than anybody reads.
    #[error("more than {NESTED} brackets within one another")]
    Nested,
    /// A token that is no name and no test.
    #[error("“{0}” cannot be read")]
    Unreadable(String),
}

impl Rule {
    /// Reads an expression: tokens, `&`, `|`, `!` in front of a token or bracket, brackets as tokens of their own.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str) -> Result<Rule, SyntaxError> {
        let mut tokens = text.split_whitespace().peekable();
        let rule = any(&mut tokens, 0)?;
        match tokens.next() {
            None => Ok(rule),
            Some(token) => Err(SyntaxError::Trailing(token.to_owned())),
        }
    }

    /// Its truth, by that of its atoms. A negated `maybe` is still one.
    pub fn truth(&self, ask: &impl Fn(&Atom) -> Truth) -> Truth {
        match self {
            Rule::Atom(atom) => ask(atom),
            Rule::Not(rule) => match rule.truth(ask) {
                Truth::Yes => Truth::No,
                Truth::No => Truth::Yes,
                Truth::Maybe => Truth::Maybe,
            },
            Rule::All(rules) => worst(rules, ask, Truth::No, Truth::Yes),
            Rule::Any(rules) => worst(rules, ask, Truth::Yes, Truth::No),
        }
    }

    /// Every atom.
    pub fn atoms(&self) -> Vec<&Atom> {
        match self {
            Rule::Atom(atom) => vec![atom],
            Rule::Not(rule) => rule.atoms(),
            Rule::All(rules) | Rule::Any(rules) => rules.iter().flat_map(Rule::atoms).collect(),
        }
    }
}

/// `decisive` where one rule is that, else `maybe` where one is that, else `otherwise`.
fn worst(
    rules: &[Rule],
    ask: &impl Fn(&Atom) -> Truth,
    decisive: Truth,
    otherwise: Truth,
) -> Truth {
    let truths: Vec<Truth> = rules.iter().map(|rule| rule.truth(ask)).collect();
    match truths {
        found if found.contains(&decisive) => decisive,
        found if found.contains(&Truth::Maybe) => Truth::Maybe,
        _ => otherwise,
    }
}

type Tokens<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any(tokens: &mut Tokens<'_>, depth: usize) -> Result<Rule, SyntaxError> {
    if depth > NESTED {
        return Err(SyntaxError::Nested);
    }
    let mut rules = vec![all(tokens, depth)?];
    while tokens.next_if_eq(&"|").is_some() {
        rules.push(all(tokens, depth)?);
    }
    Ok(match rules.len() {
        1 => rules.remove(0),
        _ => Rule::Any(rules),
    })
}

fn all(tokens: &mut Tokens<'_>, depth: usize) -> Result<Rule, SyntaxError> {
    let mut rules = vec![term(tokens, depth)?];
    while tokens.next_if_eq(&"&").is_some() {
        rules.push(term(tokens, depth)?);
    }
    Ok(match rules.len() {
        1 => rules.remove(0),
        _ => Rule::All(rules),
    })
}

fn term(tokens: &mut Tokens<'_>, depth: usize) -> Result<Rule, SyntaxError> {
    let token = tokens.next().ok_or(SyntaxError::Ends)?;
    let (negated, token) = match token.strip_prefix('!') {
        Some(rest) => (true, rest),
        None => (false, token),
    };
    let rule = match token {
        "(" => {
            let rule = any(tokens, depth + 1)?;
            match tokens.next() {
                Some(")") => rule,
                _ => return Err(SyntaxError::Bracket),
            }
        }
        "&" | "|" | ")" | "" => return Err(SyntaxError::NoName(token.to_owned())),
        token => Rule::Atom(atom(token)?),
    };
    Ok(if negated {
        Rule::Not(Box::new(rule))
    } else {
        rule
    })
}

fn atom(token: &str) -> Result<Atom, SyntaxError> {
    let bad = || SyntaxError::Unreadable(token.to_owned());
    if let Some((_, _, vendor)) = VENDORS.iter().find(|(name, ..)| *name == token) {
        return Ok(Atom::Vendor(*vendor));
    }
    match token {
        "yes" => return Ok(Atom::Known(Truth::Yes)),
        "no" => return Ok(Atom::Known(Truth::No)),
        "maybe" => return Ok(Atom::Known(Truth::Maybe)),
        "topology" => return Ok(Atom::Topology),
        _ => {}
    }
    if let Some(name) = token.strip_prefix("flag:") {
        return Ok(Atom::Flag(name.to_owned()));
    }
    if let Some(name) = token.strip_prefix("bug:") {
        return Ok(Atom::Bug(name.to_owned()));
    }
    if let Some(name) = token.strip_prefix("word:") {
        return Ok(Atom::Word(name.to_owned()));
    }
    if let Some(release) = token.strip_prefix("kernel>=") {
        let (major, minor) = release.split_once('.').ok_or_else(bad)?;
        let number = |text: &str| text.parse().map_err(|_| bad());
        return Ok(Atom::Kernel(number(major)?, number(minor)?));
    }
    if let Some(first) = token.strip_prefix("family>=") {
        return Ok(Atom::Family(span(first).ok_or_else(bad)?.0, u32::MAX));
    }
    if let Some(family) = token.strip_prefix("family=") {
        let (first, last) = span(family).ok_or_else(bad)?;
        return Ok(Atom::Family(first, last));
    }
    if let Some(stepping) = token.strip_prefix("stepping>=") {
        return Ok(Atom::Stepping(span(stepping).ok_or_else(bad)?.0, u32::MAX));
    }
    if let Some(level) = token.strip_prefix("level>=") {
        return Ok(Atom::Level(span(level).ok_or_else(bad)?.0));
    }
    if let Some(models) = token.strip_prefix("model=") {
        let spans: Option<Vec<_>> = models.split('|').map(span).collect();
        return Ok(Atom::Model(spans.ok_or_else(bad)?));
    }
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if token.chars().all(plain) {
        Ok(Atom::Feature(token.to_owned()))
    } else {
        Err(bad())
    }
}

/// `A` or `A-B`, hexadecimal.
fn span(text: &str) -> Option<(u32, u32)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number = |text| u32::from_str_radix(text, 16).ok();
    Some((number(first)?, number(last)?)).filter(|(first, last)| first <= last)
}

#[cfg(test)]
#[path = "rule_tests.rs"]
mod tests;
