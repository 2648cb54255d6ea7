//! What the kernel of a Linux guest shows.

use crate::case::guest::Case;
use crate::check::linux::Loss;
use crate::cpuid::table::Field;
use crate::explain::{Cause, Claim, State};
use crate::run::engine::Engine;
use crate::run::linux::reported;

/// What /proc/cpuinfo says of the feature, why it does not show what the guest has (`guest`), and why the guest could not be run.
pub(super) fn rung(
    engine: &Engine,
    case: &Case,
    field: &Field,
    guest: State,
) -> ((Claim, Option<Cause>), Option<String>) {
    let seen = engine.observe(case);
    let unseen = |reason: String| {
        (
            (Claim::unknown(format!("not run: {reason}")), None),
            Some(reason),
        )
    };
    let seen = match &*seen {
        Ok(seen) => seen,
        Err(broken) => return unseen(broken.reason.clone()),
    };
    let reported = match reported(engine, case, seen) {
        Ok(reported) => reported,
        Err(reason) => return unseen(reason),
    };
    let held = reported.guest(engine, seen);
    let release = &held.report.release;
    let info = &held.report.cpuinfo;
    let vmx = held.report.vmx_flags();
    let flags: Vec<&str> = field.aliases_of("linux").collect();
    let shown = flags
        .iter()
        .find(|flag| info.flags.contains(**flag) || vmx.contains(**flag));
    if let Some(flag) = shown {
        let claim = Claim::new(
            State::Present,
            format!("/proc/cpuinfo flag {flag} of Linux {release}"),
        );
        return ((claim, None), None);
    }
    let missing = guest == State::Present;
    let Some(flag) = flags.first() else {
        let claim = Claim::new(State::Absent, format!("Linux {release} has no flag for it"));
        return ((claim, missing.then_some(Cause::NoLinuxFlag)), None);
    };
    let claim = Claim::new(
        State::Absent,
        format!("/proc/cpuinfo of Linux {release} has no flag {flag}"),
    );
    let loss: Option<Loss> = missing.then(|| held.loss(flag));
    ((claim, loss.map(|loss| Cause::GuestKernel { loss })), None)
}
