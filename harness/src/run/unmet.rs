//! What guests of pairs, two releases or the two sides of a migration, lack of what their model promises: two guests that lack the same
//! are alike, and not as promised.

use super::engine::Engine;
use super::verdict::LAYER;
use crate::case::Case;
use crate::check::{Finding, Kind, Origin, compare};
use crate::cpuid::Line;
use crate::cpuid::line::Register;

/// Features of the model's reviewed definition that `lines` have not; nothing where features are filtered, or flags change them.
pub fn unmet(engine: &Engine, case: &Case, lines: &[Line]) -> Vec<Finding> {
    if !case.run_as.forced_features || case.cpu.contains(',') {
        return Vec::new();
    }
    let folder = case.qemu.release_folder();
    let store = &engine.bench.store;
    let Ok(promised) = store.promised(&folder, &case.machine, case.model()) else {
        return Vec::new();
    };
    let lost = compare(&promised.lines, lines, LAYER).into_iter();
    let lost = lost.filter(|finding| finding.kind == Kind::Lost && is_feature(finding));
    lost.map(|finding| Finding {
        origin: Some(Origin::Model),
        nearest: promised.nearest.clone(),
        ..finding
    })
    .collect()
}

/// Whether the finding is about a bit of CPUID that has no value but set.
fn is_feature(finding: &Finding) -> bool {
    finding.minus.as_ref().is_some_and(|line| {
        line.place.register == Register::Cpuid
            && !line.place.bits.is_empty()
            && line.value().is_none()
    })
}
