//! The commit that is checked out, built and tested.

use cpuid_fidelity::bisect::build::Built;
use cpuid_fidelity::bisect::{Outcome, State};

use super::candidate::Candidates;
use crate::cli::common::exit::NotRun;
use crate::cli::context::Context;

/// Builds what is checked out, and tests it.
pub fn at_head(
    context: &Context,
    state: &State,
    candidates: &Candidates<'_>,
) -> anyhow::Result<Outcome> {
    let plan = &state.plan;
    let folder = state.build_folder();
    let built = plan.build.make(
        plan.target.varies_kernel(),
        &plan.repo,
        &folder,
        &context.cancel,
        &mut |line| {
            if context.manner.verbose() {
                note!("{line}");
            }
        },
    );
    match built.map_err(|error| NotRun(error.to_string()))? {
        Built::Failed(reason) => Ok(Outcome::Unbuilt { reason }),
        Built::Here(product) => candidates.test(&product, plan.build.modules(&plan.repo, &folder)),
    }
}
