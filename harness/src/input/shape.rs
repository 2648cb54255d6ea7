//! What a text is made of, as far as a first look tells: enough to find its reader, which then finds what is wrong with it.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// How a text begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// XML whose outermost element has this name.
    Xml(String),
    /// JSON: the keys of its first object, as far as they can be read.
    Json(Vec<String>),
    /// Lines of text.
    #[default]
    Lines,
}

impl Shape {
    /// Of a text.
    pub fn new(text: &str) -> Shape {
        let text = text.trim_start();
        match text.chars().next() {
            Some('<') => root(text).map_or(Shape::Lines, |name| Shape::Xml(name.to_owned())),
            Some('{' | '[') => Shape::Json(keys(text)),
            _ => Shape::Lines,
        }
    }

    /// Whether it is XML with this outermost element.
    pub fn is_element(&self, name: &str) -> bool {
        matches!(self, Shape::Xml(root) if root == name)
    }

    /// Whether its first object has this key.
    pub fn has_key(&self, key: &str) -> bool {
        matches!(self, Shape::Json(keys) if keys.iter().any(|own| own == key))
    }
}

/// The name of the first element, behind declarations and comments.
fn root(text: &str) -> Option<&str> {
    let mut rest = text;
    loop {
        rest = rest.trim_start().strip_prefix('<')?;
        let end = match rest.get(..1)? {
            "?" => "?>",
            "!" if rest.starts_with("!--") => "-->",
            "!" => ">",
            _ => break,
        };
        rest = rest.split_once(end)?.1;
    }
    let name = rest.split(|letter: char| letter.is_whitespace() || letter == '>' || letter == '/');
    name.into_iter().next().filter(|name| !name.is_empty())
}

/// The keys of the first object; of an array, of its first element.
fn keys(text: &str) -> Vec<String> {
    let keys = RefCell::new(Vec::new());
    let mut reader = serde_json::Deserializer::from_str(text);
    // What cannot be read is an error of the reader that the keys choose.
    let _ = Keys(&keys).deserialize(&mut reader);
    keys.into_inner()
}

#[derive(Clone, Copy)]
struct Keys<'a>(&'a RefCell<Vec<String>>);

impl<'de> DeserializeSeed<'de> for Keys<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Keys<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object or an array of them")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            self.0.borrow_mut().push(key);
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        seq.next_element_seed(self)?;
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outermost_element_is_found_behind_declarations_and_comments() {
        for text in [
            "<cpudata arch='x86'/>",
            "\n<?xml version='1.0'?>\n<!DOCTYPE x>\n<!-- <cpu> -->\n<cpudata>",
            "<cpudata>",
            "<cpudata/>",
        ] {
            assert_eq!(Shape::new(text), Shape::Xml("cpudata".to_owned()), "{text}");
        }
        for text in ["", "<", "<!-- x", "<?", "text"] {
            assert_eq!(Shape::new(text), Shape::Lines, "{text}");
        }
    }

    #[test]
    fn keys_are_those_of_the_first_object_as_far_as_it_reads() {
        let keys = |text| match Shape::new(text) {
            Shape::Json(keys) => keys.join(" "),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            keys("{\"return\": {\"a\": 1}, \"id\": 2} {\"b\": 3}"),
            "return id"
        );
        assert_eq!(keys("[{\"return\": []}, {\"b\": 1}]"), "return");
        assert_eq!(keys("{\"record\": 1, \"case\": {\"a"), "record case");
        assert_eq!(keys("{"), "");
        assert_eq!(keys(&"[".repeat(1000)), "");
    }
}
