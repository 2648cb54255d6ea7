//! Hosts that can give the same, and so are one to everything that follows.

use super::facts::Facts;
use super::remarks::Remark;

/// A class of hosts.
#[derive(Clone, Debug)]
pub struct Class {
    /// What is known of each of them.
    pub facts: Facts,
    /// Their names, in natural order.
    pub hosts: Vec<String>,
    /// What is odd in some of them: the host, and what.
    pub remarks: Vec<(String, Remark)>,
}

impl Class {
    /// How reports name it: its host, or its first one and how many there are.
    pub fn label(&self) -> String {
        match self.hosts.as_slice() {
            [only] => only.clone(),
            [first, second] => format!("{first}, {second}"),
            [first, rest @ ..] => format!("{first} and {} more", rest.len()),
            [] => String::new(),
        }
    }
}
