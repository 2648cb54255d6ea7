//! `bisect`: which commit, or which version, first shows it.

mod arguments;
mod candidate;
mod ends;
mod step;
mod tree;
mod versions;

pub use arguments::Bisect;
use arguments::What;

use super::common::global::Global;

/// The exit status: of `bisect step` what `git bisect run` reads, else 0 where a commit or version was found, 2 where the request
/// is bad, 3 where none can be told.
pub fn run(global: &Global, bisect: &Bisect) -> anyhow::Result<u8> {
    match &bisect.what {
        What::Qemu(arguments) => tree::qemu(global, arguments),
        What::Kernel(arguments) => tree::kernel(global, arguments),
        What::Versions(arguments) => versions::run(global, arguments),
        What::Step(arguments) => Ok(step::run(global, arguments)),
    }
}

/// Whether the command line asks for `bisect step`, in which every status but 0, 1 and 125 must be one that ends
/// `git bisect run`: it would take 2, or the 101 of a panic, for a bad commit.
pub fn is_step(words: impl Iterator<Item = std::ffi::OsString>) -> bool {
    let words: Vec<_> = words.collect();
    words.windows(2).any(|pair| pair == ["bisect", "step"])
}

/// The status that ends `git bisect run`, whatever went wrong.
pub const ABORT: u8 = 128;
