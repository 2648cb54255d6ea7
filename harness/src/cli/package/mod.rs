//! What a package has beside the program, made from the command line's own definition: man pages, and what shells complete with.

mod completion;
mod manual;
mod names;
mod verb;

pub use completion::answer_shell;
pub use verb::{PackageFiles, run};
