//! What the kernel of a Linux guest shows.

use crate::case::guest::Case;
use crate::check::linux::{Guest, Loss};
use crate::cpuid::table::Field;
use crate::explain::{Cause, Claim, State};
use crate::run::engine::Engine;

/// Whether /proc/cpuinfo shows the feature, why it does not show what the guest has (`guest`), and why the guest could not be run.
pub(super) fn gather(
    engine: &Engine,
    case: &Case,
    field: &Field,
    guest: State,
) -> ((Claim, Option<Cause>), Option<String>) {
    let unseen = |reason: String| {
        let claim = Claim::unknown(format!("not run: {reason}"));
        ((claim, None), Some(reason))
    };
    let evidence = match engine.gather(case).evidence {
        Ok(evidence) => evidence,
        Err(reason) => return unseen(reason.to_string()),
    };
    let (Some(report), Some(names)) = (evidence.linux_report(), &evidence.kernel_names) else {
        return unseen("the guest reported no /proc/cpuinfo".to_owned());
    };
    let guest_seen = Guest {
        report: &report,
        dump: &evidence.guest,
        names,
        table: &engine.bench.store.table,
        rules: &engine.bench.store.linux,
    };
    let (release, info, vmx) = (&report.release, &report.cpuinfo, report.vmx_flags());
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
    let loss: Option<Loss> = missing.then(|| guest_seen.loss(flag));
    ((claim, loss.map(|loss| Cause::GuestKernel { loss })), None)
}
