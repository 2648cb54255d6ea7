//! The parts of `bisect`.

use super::arguments::{Bisect, What};
use super::{step, tree, versions};
use crate::cli::common::global::Global;

/// The exit status: of `bisect step` what `git bisect run` reads, else 0 where a commit or version was found, 2 where the request
/// is bad, 3 where something could not be run.
pub fn run(global: &Global, bisect: &Bisect) -> anyhow::Result<u8> {
    match &bisect.what {
        What::Qemu(arguments) => tree::qemu(global, arguments),
        What::Kernel(arguments) => tree::kernel(global, arguments),
        What::Versions(arguments) => versions::run(global, arguments),
        What::Step(arguments) => Ok(step::run(global, arguments)),
    }
}
