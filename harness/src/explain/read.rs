//! What the sources of a guest have of one feature. Pure: whoever has the sources of a guest can ask for every feature.

mod definition;
mod filtering;
mod guest;
mod host;
mod kernel;
mod libvirt;

use super::evidence::{Claim, Evidence};
use super::place::At;
use super::property;
use super::sources::Sources;
use crate::case::flags::flags;
use crate::cpuid::linux_rules::LinuxRules;
use crate::cpuid::table::{Field, Table};

/// The tables that features are read with.
#[derive(Clone, Copy, Debug)]
pub struct Tables<'a> {
    /// The names of features.
    pub features: &'a Table,
    /// What Linux makes of them.
    pub linux: &'a LinuxRules,
}

/// The feature in each layer of the guest.
pub fn read(sources: &Sources, tables: Tables<'_>, field: &Field) -> Evidence {
    Reader {
        sources,
        tables,
        field,
        at: At::from_field(field),
    }
    .evidence()
}

/// One feature of one guest.
struct Reader<'a> {
    sources: &'a Sources,
    tables: Tables<'a>,
    field: &'a Field,
    at: At,
}

impl Reader<'_> {
    fn evidence(&self) -> Evidence {
        let case = &self.sources.guest;
        let (known, since) = self.known();
        let flag = flags(&case.cpu)
            .into_iter()
            .rfind(|flag| property::is_named(self.field, &flag.name));
        let guest = self.guest();
        let (given, filtered) = self.given();
        let with_flags = self.with_flags();
        Evidence {
            lane: case.lane,
            run_as: case.run_as,
            machine: case.machine.clone(),
            model: case.model.clone(),
            resolved: case.resolved.clone(),
            host: case.uses_kvm().then(|| self.host()),
            known,
            since,
            versions: self.versions(),
            on_machine: self.on_machine(),
            under_kvm: self.under_kvm(),
            taken_by: self.taken_by(flag.as_ref(), &with_flags),
            asks_for: self.asks_for(),
            needs: self.needs(&with_flags),
            dependent: property::has(&self.sources.with_owners, self.field),
            conflict: self.conflict(),
            not_migratable: self.not_migratable(&guest),
            with_flags,
            flag,
            libvirt: self.libvirt(),
            given,
            filtered,
            moved: self.moved(),
            level: self.level(),
            owner: self.missing_owner(),
            at: self.at,
            kernel: self.kernel(guest.state),
            guest,
        }
    }

    /// Nothing is known of a layer because the guest was not seen.
    fn not_seen(&self) -> Option<Claim> {
        let unseen = self.sources.unseen.as_ref();
        unseen.map(|_| Claim::unknown("the guest did not run"))
    }
}

#[cfg(test)]
#[path = "read/tests.rs"]
mod tests;
