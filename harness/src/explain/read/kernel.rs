//! What the kernel of a Linux guest shows.

use super::Reader;
use crate::check::linux::{Guest, Loss};
use crate::evidence::Evidence as Layers;
use crate::explain::{Cause, Claim, State};

impl Reader<'_> {
    /// Whether /proc/cpuinfo shows the feature, and why it does not show what the guest has (`guest`); `None` in other lanes.
    pub(super) fn kernel(&self, guest: State) -> Option<(Claim, Option<Cause>)> {
        Some(match self.sources.linux.as_ref()? {
            Err(_) => (Claim::unknown("the guest did not run"), None),
            Ok(layers) => self.in_cpuinfo(layers, guest),
        })
    }

    fn in_cpuinfo(&self, layers: &Layers, guest: State) -> (Claim, Option<Cause>) {
        let (Some(report), Some(names)) = (layers.linux_report(), &layers.kernel_names) else {
            return (Claim::unknown("the guest reported no /proc/cpuinfo"), None);
        };
        let seen = Guest {
            report: &report,
            dump: &layers.guest,
            names,
            table: self.tables.features,
            rules: self.tables.linux,
        };
        let (release, info, vmx) = (&report.release, &report.cpuinfo, report.vmx_flags());
        let flags: Vec<&str> = self.field.aliases_of("linux").collect();
        let mut shown = flags.iter();
        let shown = shown.find(|flag| info.flags.contains(**flag) || vmx.contains(**flag));
        if let Some(flag) = shown {
            let evidence = format!("/proc/cpuinfo flag {flag} of Linux {release}");
            return (Claim::new(State::Present, evidence), None);
        }
        let missing = guest == State::Present;
        let Some(flag) = flags.first() else {
            let claim = Claim::new(State::Absent, format!("Linux {release} has no flag for it"));
            return (claim, missing.then_some(Cause::NoLinuxFlag));
        };
        let evidence = format!("/proc/cpuinfo of Linux {release} has no flag {flag}");
        let loss: Option<Loss> = missing.then(|| seen.loss(flag));
        let cause = loss.map(|loss| Cause::GuestKernel { loss });
        (Claim::new(State::Absent, evidence), cause)
    }
}
