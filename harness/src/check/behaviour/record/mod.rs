//! From what guests did to rows of `expectations/behaviour.tsv`: [`observed`] is one guest, [`rules`] the fewest rows that say what all guests of
//! one ground did, [`merge`] puts them among those of other grounds, and [`text`] is the file again.

pub mod merge;
pub mod observed;
pub mod rules;
mod spans;
#[cfg(test)]
mod tests;
pub mod text;

pub use merge::{Unsaid, merged};
pub use observed::Observed;
pub use text::{head, line, render};
