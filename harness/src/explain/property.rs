//! How QEMU names a feature, and what its properties say of it.

use serde_json::Value;

use super::evidence::{Claim, State};
use super::sources::Expanded;
use crate::cpuid::table::Field;
use crate::evidence::qemu::Properties;

/// The spellings of the property that turns the feature on and off; none where QEMU has none.
pub fn names(field: &Field) -> impl Iterator<Item = &str> {
    let own = field.qemu.is_some().then_some(field.name.as_str());
    own.into_iter().chain(field.aliases_of("qemu"))
}

/// Whether a flag of this name is the feature's own.
pub fn is_named(field: &Field, name: &str) -> bool {
    let hyphens = |text: &str| text.replace('_', "-");
    field.name == name || names(field).any(|own| hyphens(own) == name)
}

/// Whether the property is on; `None` where there is none.
pub fn is_on(properties: &Properties, field: &Field) -> Option<bool> {
    let mut values = names(field).filter_map(|name| properties.get(name));
    values.find_map(Value::as_bool)
}

/// The same of an expansion that may not be there.
pub fn has(expanded: &Expanded, field: &Field) -> bool {
    let on = expanded.as_ref().ok();
    on.and_then(|properties| is_on(properties, field)) == Some(true)
}

/// What the expansion of `what` says of the feature.
pub fn claim(expanded: &Expanded, field: &Field, what: &str) -> Claim {
    match expanded {
        Err(reason) => Claim::unknown(format!("expansion of {what}: {reason}")),
        Ok(properties) => match is_on(properties, field) {
            Some(on) => Claim::from_bit(on, format!("expansion of {what}")),
            None => Claim::new(State::Unknown, "QEMU has no property for it"),
        },
    }
}
