//! One thing in which two inputs may differ, and its values.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::check::place::Place;
use crate::cpuid::table::{Field, Format};

/// What kind of thing differs: the order of reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// Vendor, family, model, stepping, brand string, hypervisor.
    Identity,
    /// A bit that is there or is not.
    Feature,
    /// A number.
    Field,
    /// Caches, TLBs, and who shares what.
    Topology,
    /// A bit that the feature table has no name for.
    Unnamed,
}

/// What one side says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// A feature, or a single bit.
    Flag(bool),
    /// A number that prints in decimal.
    Dec(u64),
    /// A number that prints in hexadecimal.
    Hex(u64),
    /// Letters.
    Text(String),
    /// Reading it raises this exception.
    Fault(u8),
}

impl Value {
    /// Of a field's bits.
    pub(super) fn of_field(field: &Field, bits: u64) -> Value {
        match field.format {
            Format::Flag => Value::Flag(bits != 0),
            Format::Dec => Value::Dec(bits),
            Format::Hex => Value::Hex(bits),
            Format::Text => {
                let bytes = u32::try_from(bits).unwrap_or(u32::MAX).to_le_bytes();
                Value::Text(bytes.escape_ascii().to_string())
            }
        }
    }

    /// Whether it says that nothing is there.
    pub fn is_nothing(&self) -> bool {
        match self {
            Value::Flag(set) => !set,
            Value::Dec(number) | Value::Hex(number) => *number == 0,
            Value::Text(text) => text.is_empty(),
            Value::Fault(_) => true,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Flag(set) => write!(f, "{}", u8::from(*set)),
            Value::Dec(number) => write!(f, "{number}"),
            Value::Hex(number) => write!(f, "{number:#x}"),
            Value::Text(text) => write!(f, "\"{text}\""),
            Value::Fault(6) => f.write_str("#UD"),
            Value::Fault(13) => f.write_str("#GP"),
            Value::Fault(vector) => write!(f, "#{vector}"),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Flag(set) => serializer.serialize_bool(*set),
            Value::Dec(number) | Value::Hex(number) => serializer.serialize_u64(*number),
            Value::Text(text) => serializer.serialize_str(text),
            Value::Fault(_) => serializer.collect_str(self),
        }
    }
}

/// One thing, as both sides have it; `None` where a side says nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Difference {
    /// What kind.
    pub group: Group,
    /// Where; empty for what spans registers or was named in words.
    #[serde(rename = "where")]
    pub place: Place,
    /// Its name; `reserved` for a bit without one.
    pub name: String,
    /// What the first side says.
    pub a: Option<Value>,
    /// What the second side says.
    pub b: Option<Value>,
}

impl Difference {
    /// Whether both sides say something of it.
    pub fn is_known(&self) -> bool {
        self.a.is_some() && self.b.is_some()
    }
}
