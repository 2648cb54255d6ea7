//! Results → what people and programs read. Every text in them is printable: see [`shown`].

pub mod behaviour;
pub mod changes;
pub mod compat;
pub mod heading;
#[cfg(test)]
mod hostile_tests;
pub mod html;
pub mod junit;
pub mod kcidb;
pub mod ktap;
pub mod layers;
pub mod markdown;
pub mod markup;
pub mod migration;
pub mod oracle;
pub mod progress;
pub mod release_notes;
pub mod reproducer;
pub mod shown;
pub mod styled;
pub mod summary;
pub mod tally;
pub mod verdict;
pub mod view;
