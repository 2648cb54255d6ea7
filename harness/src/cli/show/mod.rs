//! `show`: a CPU as a person wants to read it, of a file, a recorded CPU model, this host or a guest.

mod arguments;
mod set;
mod verb;

pub use arguments::Show;
pub use verb::run;
