//! Texts of registers, line by line: what all such formats share.
//!
//! A format is a [`Grammar`]: its kinds of lines. [`collect`] finds the dumps among what stands around them in a mail or a bug report.

mod around;
mod collect;
mod dumps;
mod grammar;
mod pieces;
mod processor;
mod scan;
mod whole;

pub use collect::{collect, knows};
pub use grammar::{Context, Grammar, Item};
pub use scan::{Miss, Scan};
pub use whole::{excerpt, whole_or_excerpt, without_zeroes};
