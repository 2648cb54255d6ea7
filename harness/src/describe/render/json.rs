//! One object a description, one description a line. Fields may be added, never renamed.

use crate::describe::description::Description;

/// Each description on a line of its own.
///
/// # Errors
/// None that a description can cause.
pub fn json(descriptions: &[Description]) -> Result<String, serde_json::Error> {
    let lines = descriptions.iter().map(serde_json::to_string);
    let lines = lines.collect::<Result<Vec<String>, _>>()?;
    Ok(lines.join("\n"))
}
