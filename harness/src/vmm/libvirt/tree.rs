//! Elements by their paths, written as XML.

use std::fmt;

use super::escape::escaped;

/// Elements in one another; those of one path are one element.
#[derive(Clone, Debug, Default)]
pub struct Tree(Vec<Element>);

#[derive(Clone, Debug)]
struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    inner: Tree,
}

impl Tree {
    /// Sets an attribute of the element at a path, as `timer[name=tsc]` or `hyperv/stimer/direct`, and makes the elements where there are none.
    pub fn set(&mut self, path: &str, attribute: &str, value: &str) {
        let (first, rest) = path
            .split_once('/')
            .map_or((path, None), |(a, b)| (a, Some(b)));
        let element = self.element(first);
        match rest {
            Some(rest) => element.inner.set(rest, attribute, value),
            None => element.put(attribute, value),
        }
    }

    fn element(&mut self, segment: &str) -> &mut Element {
        let (name, told_by) = segment.split_once('[').unwrap_or((segment, ""));
        let told_by = told_by.trim_end_matches(']').split_once('=');
        let is_it = |own: &Element| {
            let mut attributes = own.attributes.iter();
            own.name == name
                && told_by
                    .is_none_or(|(key, value)| attributes.any(|(a, b)| a == key && b == value))
        };
        let at = self.0.iter().position(is_it).unwrap_or_else(|| {
            let mut new = Element::new(name);
            if let Some((key, value)) = told_by {
                new.put(key, value);
            }
            self.0.push(new);
            self.0.len() - 1
        });
        &mut self.0[at]
    }
}

impl Element {
    fn new(name: &str) -> Element {
        Element {
            name: name.to_owned(),
            attributes: Vec::new(),
            inner: Tree::default(),
        }
    }

    fn put(&mut self, name: &str, value: &str) {
        match self.attributes.iter_mut().find(|(own, _)| own == name) {
            Some((_, own)) => value.clone_into(own),
            None => self.attributes.push((name.to_owned(), value.to_owned())),
        }
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Element {
            name,
            attributes,
            inner,
        } in &self.0
        {
            write!(out, "<{name}")?;
            for (name, value) in attributes {
                write!(out, " {name}='{}'", escaped(value))?;
            }
            match inner {
                inner if inner.0.is_empty() => write!(out, "/>")?,
                inner => write!(out, ">{inner}</{name}>")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_of_one_path_are_one_element() {
        let mut tree = Tree::default();
        tree.set("hyperv/stimer", "state", "on");
        tree.set("hyperv/stimer/direct", "state", "on");
        tree.set("timer[name=tsc]", "frequency", "5");
        tree.set("timer[name=kvmclock]", "present", "no");
        tree.set("hyperv/vendor_id", "value", "a'b");
        let wanted = "<hyperv><stimer state='on'><direct state='on'/></stimer><vendor_id value='a&apos;b'/></hyperv>\
                      <timer name='tsc' frequency='5'/><timer name='kvmclock' present='no'/>";
        assert_eq!(tree.to_string(), wanted);
    }
}
