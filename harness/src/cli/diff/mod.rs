//! `diff`: two dumps or records, two CPU models, or two machine types.

mod arguments;
mod machines;
mod models;
mod verb;

pub use arguments::Diff;
pub use verb::run;
