//! One self-contained page: outcomes, causes, nights, a heat map of models, and what each case found.
//!
//! What stands in the page as HTML (outcomes, causes, nights) reads and prints without a script; `page.js` draws the heat map from the data
//! that `data` packs. The page loads nothing.

mod data;
mod page;

pub use page::run;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub use tests::data;
