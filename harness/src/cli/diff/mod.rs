//! `diff`: two inputs of any format, two CPU models, or two machine types.

mod arguments;
mod inputs;
mod json;
mod machines;
mod models;
mod shown;
mod text;
mod verb;

pub use arguments::Diff;
pub use verb::run;
