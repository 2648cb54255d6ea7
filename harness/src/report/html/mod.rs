//! One self-contained page: the verdict, the causes as cards, the nights as a trend, a heat map of models, and what each case found.
//!
//! What stands in the page as HTML (verdict, causes, nights, counts) reads and prints without a script; `script/` draws the heat map from
//! the data that `data` packs, and copies commands. The page loads nothing.

mod cards;
mod data;
mod nights;
mod page;
mod since;
mod strings;

pub use page::run;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub use tests::data;
