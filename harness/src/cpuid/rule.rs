//! The rules of `linux.tsv`: what stands for what in a kernel, as an expression over CPUID, MSRs, the release and the command line.

use std::fmt;

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
    /// Of an answer that is known.
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
    /// A word of /proc/cpuinfo's `flags`.
    Flag(String),
    /// A word of its `bugs`.
    Bug(String),
    /// The processor's vendor.
    Vendor(Vendor),
    /// Its family, first and last.
    Family(u32, u32),
    /// Its model, one of these spans.
    Model(Vec<(u32, u32)>),
    /// The kernel's release, or a later one.
    Kernel(u32, u32),
    /// A word of the kernel's command line.
    Word(String),
    /// CPUID.0BH announces a level.
    Topology,
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
    /// The vendor with these letters in CPUID.00H.
    pub fn from_letters(letters: &[u8]) -> Option<Vendor> {
        let known = VENDORS.iter().find(|(_, known, _)| known[..] == *letters);
        known.map(|(.., vendor)| *vendor)
    }
}

impl Rule {
    /// Reads an expression: tokens, `&`, `|`, `!` in front of a word or bracket, brackets as tokens of their own.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str) -> Result<Rule, String> {
        let mut tokens = text.split_whitespace().peekable();
        let rule = any(&mut tokens)?;
        match tokens.next() {
            None => Ok(rule),
            Some(word) => Err(format!("“{word}” where the rule should end")),
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

fn any(tokens: &mut Tokens<'_>) -> Result<Rule, String> {
    let mut rules = vec![all(tokens)?];
    while tokens.next_if_eq(&"|").is_some() {
        rules.push(all(tokens)?);
    }
    Ok(match rules.len() {
        1 => rules.remove(0),
        _ => Rule::Any(rules),
    })
}

fn all(tokens: &mut Tokens<'_>) -> Result<Rule, String> {
    let mut rules = vec![term(tokens)?];
    while tokens.next_if_eq(&"&").is_some() {
        rules.push(term(tokens)?);
    }
    Ok(match rules.len() {
        1 => rules.remove(0),
        _ => Rule::All(rules),
    })
}

fn term(tokens: &mut Tokens<'_>) -> Result<Rule, String> {
    let word = tokens.next().ok_or("the rule ends too soon")?;
    let (negated, word) = match word.strip_prefix('!') {
        Some(rest) => (true, rest),
        None => (false, word),
    };
    let rule = match word {
        "(" => {
            let rule = any(tokens)?;
            match tokens.next() {
                Some(")") => rule,
                _ => return Err("a bracket is not closed".to_owned()),
            }
        }
        "&" | "|" | ")" | "" => return Err(format!("“{word}” where a name should be")),
        word => Rule::Atom(atom(word)?),
    };
    Ok(if negated {
        Rule::Not(Box::new(rule))
    } else {
        rule
    })
}

fn atom(word: &str) -> Result<Atom, String> {
    let bad = || format!("“{word}” cannot be read");
    if let Some((_, _, vendor)) = VENDORS.iter().find(|(name, ..)| *name == word) {
        return Ok(Atom::Vendor(*vendor));
    }
    match word {
        "yes" => return Ok(Atom::Known(Truth::Yes)),
        "no" => return Ok(Atom::Known(Truth::No)),
        "maybe" => return Ok(Atom::Known(Truth::Maybe)),
        "topology" => return Ok(Atom::Topology),
        _ => {}
    }
    if let Some(name) = word.strip_prefix("flag:") {
        return Ok(Atom::Flag(name.to_owned()));
    }
    if let Some(name) = word.strip_prefix("bug:") {
        return Ok(Atom::Bug(name.to_owned()));
    }
    if let Some(name) = word.strip_prefix("word:") {
        return Ok(Atom::Word(name.to_owned()));
    }
    if let Some(release) = word.strip_prefix("kernel>=") {
        let (major, minor) = release.split_once('.').ok_or_else(bad)?;
        let number = |text: &str| text.parse().map_err(|_| bad());
        return Ok(Atom::Kernel(number(major)?, number(minor)?));
    }
    if let Some(first) = word.strip_prefix("family>=") {
        return Ok(Atom::Family(span(first).ok_or_else(bad)?.0, u32::MAX));
    }
    if let Some(family) = word.strip_prefix("family=") {
        let (first, last) = span(family).ok_or_else(bad)?;
        return Ok(Atom::Family(first, last));
    }
    if let Some(models) = word.strip_prefix("model=") {
        let spans: Option<Vec<_>> = models.split('|').map(span).collect();
        return Ok(Atom::Model(spans.ok_or_else(bad)?));
    }
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if word.chars().all(plain) {
        Ok(Atom::Feature(word.to_owned()))
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

/// What a row of `linux.tsv` is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RowKind {
    /// `flags`.
    Flag,
    /// `bugs`.
    Bug,
    /// `vmx flags`.
    Vmx,
    /// Shown although the bit is clear.
    Gained,
    /// Not shown although the bit is set.
    Lost,
    /// What a flag needs.
    Needs,
}

const KINDS: [(&str, RowKind); 6] = [
    ("flag", RowKind::Flag),
    ("bug", RowKind::Bug),
    ("vmx", RowKind::Vmx),
    ("gained", RowKind::Gained),
    ("lost", RowKind::Lost),
    ("needs", RowKind::Needs),
];

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinuxRow {
    /// What it is about.
    pub kind: RowKind,
    /// The word of /proc/cpuinfo.
    pub name: String,
    /// When.
    pub rule: Rule,
    /// Where that stands, or why.
    pub source: String,
}

/// The table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinuxRules(Vec<LinuxRow>);

/// What is wrong with the table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {problem}")]
pub struct RuleError {
    /// The file's name.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// What is wrong there.
    pub problem: String,
}

impl LinuxRules {
    /// Reads the table; `knows` tells whether the feature table has a name.
    ///
    /// # Errors
    /// The first row that is malformed, comes twice, or names a feature that nobody knows.
    pub fn parse(
        file: &str,
        text: &str,
        knows: impl Fn(&str) -> bool,
    ) -> Result<LinuxRules, RuleError> {
        let mut rules = LinuxRules::default();
        for (number, line) in joined(text) {
            let added = row(&line, &knows).and_then(|row| rules.add(row));
            added.map_err(|problem| RuleError {
                file: file.to_owned(),
                line: number,
                problem,
            })?;
        }
        Ok(rules)
    }

    /// All rows.
    pub fn rows(&self) -> &[LinuxRow] {
        &self.0
    }

    /// The row of this kind and name.
    pub fn row(&self, kind: RowKind, name: &str) -> Option<&LinuxRow> {
        self.0
            .iter()
            .find(|row| row.kind == kind && row.name == name)
    }

    fn add(&mut self, row: LinuxRow) -> Result<(), String> {
        if self.row(row.kind, &row.name).is_some() {
            return Err(format!("{} {} comes twice", row.kind, row.name));
        }
        self.0.push(row);
        Ok(())
    }
}

/// The rows, each with the number of its first line: one that is too long goes on in the next line, behind spaces.
fn joined(text: &str) -> Vec<(usize, String)> {
    let mut rows: Vec<(usize, String)> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        match (line.strip_prefix("  "), rows.last_mut()) {
            _ if line.starts_with('#') || line.is_empty() => {}
            (Some(more), Some((_, row))) => {
                row.push(' ');
                row.push_str(more.trim_start_matches(' '));
            }
            _ => rows.push((index + 1, line.to_owned())),
        }
    }
    rows
}

fn row(line: &str, knows: &impl Fn(&str) -> bool) -> Result<LinuxRow, String> {
    let cells: Vec<&str> = line.split('\t').collect();
    let [kind, name, rule, source] = cells[..] else {
        return Err(format!("{} columns where 4 are due", cells.len()));
    };
    let known = KINDS.iter().find(|(word, _)| *word == kind);
    let (_, kind) = known.ok_or_else(|| format!("no kind “{kind}”"))?;
    if name.is_empty() || source.trim().is_empty() {
        return Err("a row without a name or a source".to_owned());
    }
    let rule = Rule::read(rule)?;
    for atom in rule.atoms() {
        if let Atom::Feature(feature) = atom
            && !knows(feature)
        {
            return Err(format!("{feature} is not in the feature table"));
        }
    }
    Ok(LinuxRow {
        kind: *kind,
        name: name.to_owned(),
        rule,
        source: source.to_owned(),
    })
}

impl fmt::Display for RowKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = KINDS.iter().find(|(_, kind)| kind == self);
        f.write_str(known.map_or("", |(word, _)| word))
    }
}

#[cfg(test)]
#[path = "rule_tests.rs"]
mod tests;
