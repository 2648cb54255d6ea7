//! What one file declares and names: modules, items, `use` declarations, and paths in its code.

use std::collections::BTreeSet;

use crate::tokens::Token;

/// A module that a file declares in a file of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// Its name.
    pub name: String,
    /// `#[path = …]`.
    pub path: Option<String>,
    /// Declared for tests only.
    pub test: bool,
}

/// A path that the code names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The modules inside the file in which it stands.
    pub inside: Vec<String>,
    /// Its parts: `crate`, `check`, `Finding`.
    pub path: Vec<String>,
    /// The name that a `use` gives it, `*` for all names; `None` for a path that is no `use`.
    pub name: Option<String>,
    /// The line.
    pub line: usize,
}

/// What is read from a file, without its test code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Modules in files of their own.
    pub children: Vec<Child>,
    /// Modules inside the file, as paths.
    pub inline: BTreeSet<Vec<String>>,
    /// Names of what is defined: functions, types, constants, macros.
    pub items: BTreeSet<String>,
    /// Paths.
    pub named: Vec<Named>,
}

const ITEMS: [&str; 9] = [
    "fn",
    "struct",
    "enum",
    "trait",
    "const",
    "static",
    "type",
    "union",
    "macro_rules",
];

/// Reads a file.
pub fn contents(tokens: &[Token]) -> Contents {
    let mut reader = Reader {
        tokens,
        at: 0,
        blocks: Vec::new(),
        test: false,
        path: None,
        contents: Contents::default(),
    };
    while reader.at < tokens.len() {
        reader.next();
    }
    reader.contents
}

/// What a `{` opened.
struct Block {
    module: Option<String>,
    test: bool,
}

struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
    blocks: Vec<Block>,
    /// The next item is for tests only.
    test: bool,
    /// The `#[path]` of the next item.
    path: Option<String>,
    contents: Contents,
}

impl Reader<'_> {
    fn text(&self, ahead: usize) -> &str {
        let token = self.tokens.get(self.at + ahead);
        token.map_or("", |token| token.text.as_str())
    }

    fn next(&mut self) {
        match self.text(0) {
            "#" if self.text(1) == "[" => self.attribute(),
            "mod" if self.text(2) == ";" => self.child(),
            "mod" if self.text(2) == "{" => self.module(),
            "use" => self.import(),
            "{" => self.open(None, 1),
            "}" => self.close(),
            ";" => self.end_of_item(),
            text if ITEMS.contains(&text) => self.item(),
            text if is_name(text) => self.path(),
            _ => self.at += 1,
        }
    }

    fn in_test(&self) -> bool {
        self.test || self.blocks.iter().any(|block| block.test)
    }

    fn inside(&self) -> Vec<String> {
        let modules = self.blocks.iter();
        modules.filter_map(|block| block.module.clone()).collect()
    }

    fn attribute(&mut self) {
        let rest = &self.tokens[self.at..];
        let end = rest.iter().position(|token| token.text == "]");
        let end = end.unwrap_or(rest.len() - 1);
        let texts: Vec<&str> = rest[2..end.max(2)]
            .iter()
            .map(|token| token.text.as_str())
            .collect();
        match texts[..] {
            ["cfg", "(", "test", ")"] | ["cfg", "(", "all", "(", "test", ..] => self.test = true,
            ["path", "=", path] => self.path = Some(path.trim_start_matches('"').to_owned()),
            _ => {}
        }
        self.at += end + 1;
    }

    fn child(&mut self) {
        let child = Child {
            name: self.text(1).to_owned(),
            path: self.path.take(),
            test: self.in_test(),
        };
        self.contents.children.push(child);
        self.at += 2;
    }

    fn module(&mut self) {
        let name = self.text(1).to_owned();
        if !self.in_test() {
            let mut path = self.inside();
            path.push(name.clone());
            self.contents.inline.insert(path);
        }
        self.open(Some(name), 3);
    }

    fn open(&mut self, module: Option<String>, tokens: usize) {
        let test = std::mem::take(&mut self.test);
        self.blocks.push(Block { module, test });
        self.at += tokens;
    }

    fn close(&mut self) {
        self.blocks.pop();
        self.end_of_item();
    }

    fn end_of_item(&mut self) {
        self.test = false;
        self.path = None;
        self.at += 1;
    }

    fn item(&mut self) {
        let name = self
            .text(if self.text(1) == "!" { 2 } else { 1 })
            .to_owned();
        if !self.in_test() && is_name(&name) {
            self.contents.items.insert(name);
        }
        self.at += 1;
    }

    fn import(&mut self) {
        self.at += 1;
        let mut found = Vec::new();
        self.tree(&mut Vec::new(), &mut found);
        if !self.in_test() {
            self.contents.named.extend(found);
        }
    }

    /// One branch of a `use`: `a::b`, `a::{b, c}`, `a::*`, `a as b`.
    fn tree(&mut self, before: &mut Vec<String>, found: &mut Vec<Named>) {
        let depth = before.len();
        let line = self.tokens.get(self.at).map_or(0, |token| token.line);
        loop {
            match self.text(0) {
                "::" => self.at += 1,
                "{" => {
                    self.at += 1;
                    while !matches!(self.text(0), "}" | "") {
                        self.tree(before, found);
                        self.at += usize::from(self.text(0) == ",");
                    }
                    self.at += 1;
                    break;
                }
                "*" => {
                    found.push(self.named(before.clone(), Some("*".to_owned()), line));
                    self.at += 1;
                    break;
                }
                text if is_name(text) && text != "as" => {
                    before.push(text.to_owned());
                    self.at += 1;
                    if self.text(0) != "::" {
                        found.push(self.leaf(before.clone(), line));
                        break;
                    }
                }
                _ => break,
            }
        }
        before.truncate(depth);
    }

    fn leaf(&mut self, mut path: Vec<String>, line: usize) -> Named {
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        let mut name = path.last().cloned();
        if self.text(0) == "as" {
            name = Some(self.text(1).to_owned());
            self.at += 2;
        }
        self.named(path, name, line)
    }

    fn path(&mut self) {
        let line = self.tokens[self.at].line;
        let mut path = vec![self.text(0).to_owned()];
        self.at += 1;
        while self.text(0) == "::" && is_name(self.text(1)) {
            path.push(self.text(1).to_owned());
            self.at += 2;
        }
        if path.len() > 1 && !self.in_test() {
            let named = self.named(path, None, line);
            self.contents.named.push(named);
        }
    }

    fn named(&self, path: Vec<String>, name: Option<String>, line: usize) -> Named {
        let inside = self.inside();
        Named {
            inside,
            path,
            name,
            line,
        }
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|sign: char| sign.is_alphabetic() || sign == '_')
}
