//! A report as text and as Markdown.
//!
//! [`extent`] is how much of it is printed: what fits a screen, or all. [`answer`] has the answer and why it is no more, [`partition`] pools
//! and vendors, [`proof`] what was tried, [`hosts`] the hosts and what is odd of them, [`changes`] what has changed since, [`lines`] has lines that
//! fit, [`lay_out`] puts the sections together.

mod answer;
mod changes;
mod extent;
mod hosts;
mod lay_out;
mod lines;
mod matrix;
mod partition;
mod proof;
#[cfg(test)]
mod tests;

pub use extent::Extent;
pub use lay_out::{markdown, text};
