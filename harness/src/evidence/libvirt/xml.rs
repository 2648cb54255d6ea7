//! XML texts from outside, parsed within limits.

use roxmltree::{Document, Node, ParsingOptions, TextPos};

use crate::util::limits::{XML, XML_ATTRIBUTES, XML_NODES};

/// Why a text is not parsed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum XmlError {
    /// No XML, or more elements than any real text has; with line and column.
    #[error(transparent)]
    Malformed(#[from] roxmltree::Error),
    /// Too long.
    #[error("an XML text of {0} bytes, and {XML} is the most that is read")]
    TooLong(usize),
    /// A parser compares the attributes of an element with one another.
    #[error("1:1: an element with more than {XML_ATTRIBUTES} attributes")]
    Attributes,
    /// XML, but not what is expected.
    #[error("{line}:{column}: {problem}")]
    Form {
        /// From 1.
        line: u32,
        /// From 1, in characters.
        column: u32,
        /// What is wrong there.
        problem: String,
    },
}

impl From<XmlError> for String {
    fn from(error: XmlError) -> String {
        error.to_string()
    }
}

/// What is wrong with an element.
pub fn form(node: Node<'_, '_>, problem: String) -> XmlError {
    let TextPos { row, col } = node.document().text_pos_at(node.range().start);
    XmlError::Form {
        line: row,
        column: col,
        problem,
    }
}

/// Parses a text.
///
/// # Errors
/// It is no XML, or beyond the limits.
pub fn parse(text: &str) -> Result<Document<'_>, XmlError> {
    if text.len() > XML {
        return Err(XmlError::TooLong(text.len()));
    }
    if most_attributes(text) > XML_ATTRIBUTES {
        return Err(XmlError::Attributes);
    }
    let options = ParsingOptions {
        nodes_limit: XML_NODES,
        ..ParsingOptions::default()
    };
    Ok(Document::parse_with_options(text, options)?)
}

/// Where a byte stands.
enum State {
    /// Between elements, or in what is no element: a comment ends with the `>` of its own.
    Text,
    /// In a tag.
    Tag,
    /// In a value, which ends with this quote.
    Value(u8),
}

/// Attributes of the tag that has most of them: its quoted values are counted, which is all that matters of XML that parses.
fn most_attributes(text: &str) -> usize {
    let (mut state, mut count, mut most) = (State::Text, 0, 0);
    for byte in text.bytes() {
        (state, count) = match (state, byte) {
            (State::Text, b'<') => (State::Tag, 0),
            (State::Tag, b'>') => (State::Text, 0),
            (State::Tag, b'"' | b'\'') => (State::Value(byte), count + 1),
            (State::Value(quote), byte) if quote == byte => (State::Tag, count),
            (state, _) => (state, count),
        };
        most = most.max(count);
    }
    most
}

/// The first element of that name in an element.
pub fn child<'a, 'i>(node: Node<'a, 'i>, tag: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|node| node.has_tag_name(tag))
}

/// A number in an attribute; `None` where it is left out.
pub fn number(node: Node<'_, '_>, name: &str) -> Result<Option<u32>, XmlError> {
    let Some(text) = node.attribute(name) else {
        return Ok(None);
    };
    let tag = node.tag_name().name();
    let wrong = || {
        form(
            node,
            format!("<{tag}>: expected a number as {name}, found “{text}”"),
        )
    };
    text.trim().parse().map(Some).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(attributes: usize) -> String {
        let all: String = (0..attributes)
            .map(|number| format!(" a{number}='>'"))
            .collect();
        format!("<a x=\"it's\"><b{all}/></a>")
    }

    #[test]
    fn an_element_with_very_many_attributes_is_refused() {
        assert!(parse(&element(XML_ATTRIBUTES)).is_ok());
        assert_eq!(
            parse(&element(XML_ATTRIBUTES + 1)).err(),
            Some(XmlError::Attributes)
        );
        assert_eq!(parse(&element(30_000)).err(), Some(XmlError::Attributes));
    }

    #[test]
    fn a_very_long_text_and_one_of_very_many_elements_are_refused() {
        let long = format!("<a>{}</a>", " ".repeat(XML));
        assert_eq!(parse(&long).err(), Some(XmlError::TooLong(long.len())));
        let many = format!("<a>{}</a>", "<b/>".repeat(XML_NODES as usize));
        assert_eq!(
            parse(&many).err(),
            Some(XmlError::Malformed(roxmltree::Error::NodesLimitReached))
        );
    }

    #[test]
    fn an_element_in_very_many_others_is_an_error_or_none_and_no_end() {
        let deep = 100_000;
        let text = format!("{}{}", "<a>".repeat(deep), "</a>".repeat(deep));
        let _ = parse(&text).is_ok();
    }
}
