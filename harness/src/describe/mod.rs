//! What is known of a CPU as a person reads it: [`describe`] turns an input into a typed [`Description`], and `render` prints one as text,
//! JSON, Markdown or HTML. Pure: no I/O, no QEMU. What an input does not say is unknown, and printed as such.

mod addresses;
mod arch_capabilities;
mod caches;
mod codenames;
mod description;
mod descriptors;
mod facts;
mod features;
mod hypervisors;
mod identity;
mod level;
mod page;
mod render;
mod svm;
mod tlbs;
mod topology;
mod topology_levels;
mod vmx;
mod xsave;

#[cfg(test)]
mod tests;

pub use description::{Description, describe};
pub use render::{html, json, markdown, text};
pub use vmx::{ControlChange, changes as control_changes, lines as control_lines};
