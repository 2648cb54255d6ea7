//! What the model, its versions, its machine type and its flags ask for: QEMU's expansions, before anything is filtered.

use super::Reader;
use crate::case::flags::{Flag, flags};
use crate::explain::needs::needs;
use crate::explain::property::{claim, has, is_on, names};
use crate::explain::sources::Expanded;
use crate::explain::{Claim, State};

impl Reader<'_> {
    /// Whether this binary has the property, and the first release that is known to have one.
    pub(super) fn known(&self) -> (Claim, Option<String>) {
        let first = self.field.qemu.map(|releases| releases.first);
        let version = &self.sources.guest.version;
        let claim = match &self.sources.names {
            Err(reason) => Claim::unknown(reason),
            Ok(known) => match names(self.field).find(|name| known.contains(*name)) {
                Some(name) => {
                    let evidence = format!("CPU property {name} of QEMU {version}");
                    Claim::new(State::Present, evidence)
                }
                None => {
                    let evidence = format!("QEMU {version} has no CPU property for it");
                    Claim::new(State::Absent, evidence)
                }
            },
        };
        // A release that has the name already, and not in this binary, is no release to go to.
        let later = first.filter(|first| *first > self.sources.guest.release);
        (
            claim,
            later.map(|(major, minor)| format!("{major}.{minor}")),
        )
    }

    /// The versions of the model, without a machine type.
    pub(super) fn versions(&self) -> Vec<(String, Claim)> {
        let versions = self.sources.versions.iter();
        versions
            .map(|(name, expanded)| (name.clone(), self.closed(expanded, name)))
            .collect()
    }

    pub(super) fn on_machine(&self) -> Claim {
        let guest = &self.sources.guest;
        let what = format!("{} on {}", guest.model, guest.machine);
        self.closed(&self.sources.on_machine, &what)
    }

    /// `host`, and under KVM `max`, are no definition that TCG could expand; nor are KVM's own features.
    fn closed(&self, expanded: &Expanded, what: &str) -> Claim {
        let guest = &self.sources.guest;
        if self.at.is_kvms() {
            return Claim::unknown("TCG has none of KVM's features");
        }
        if guest.model == "host" || guest.uses_kvm() && guest.is_open() {
            return Claim::unknown(format!("{} has no definition of its own", guest.model));
        }
        claim(expanded, self.field, what)
    }

    pub(super) fn under_kvm(&self) -> Option<Claim> {
        let expanded = self.sources.under_kvm.as_ref()?;
        let what = format!("{} under KVM", self.sources.guest.model);
        Some(claim(expanded, self.field, &what))
    }

    pub(super) fn with_flags(&self) -> Claim {
        let guest = &self.sources.guest;
        let on = &guest.machine;
        if let Some(flag) = self.hidden_kvm() {
            return Claim::new(State::Absent, format!("{} hides KVM's leaves", flag.text));
        }
        if self.sources.under_kvm.is_some() {
            let what = format!("{} under KVM on {on}", guest.cpu);
            return claim(&self.sources.with_flags, self.field, &what);
        }
        let what = format!("{} on {on}", guest.cpu);
        self.closed(&self.sources.with_flags, &what)
    }

    /// `kvm=off`, of one of KVM's features.
    fn hidden_kvm(&self) -> Option<Flag> {
        let last = flags(&self.sources.guest.cpu)
            .into_iter()
            .rfind(|flag| flag.name == "kvm");
        last.filter(|flag| !flag.on && self.at.is_kvms())
    }

    /// The flag without which the feature would be there: measured. Else the feature's own flag that turns it off, where the model has it.
    pub(super) fn taken_by(&self, own: Option<&Flag>, with_flags: &Claim) -> Option<Flag> {
        if with_flags.state != State::Absent {
            return None;
        }
        if let Some(flag) = self.hidden_kvm().filter(|_| self.sources.guest.uses_kvm()) {
            return Some(flag);
        }
        let gives = |(_, expanded): &&(Flag, Expanded)| has(expanded, self.field);
        let measured: Vec<&Flag> = self
            .sources
            .without
            .iter()
            .filter(gives)
            .map(|(flag, _)| flag)
            .collect();
        let own = own.filter(|flag| !flag.on);
        let named = measured
            .iter()
            .find(|flag| own.is_some_and(|own| own == **flag));
        let first = named.or(measured.first()).map(|flag| (*flag).clone());
        first.or_else(|| own.filter(|_| self.had()).cloned())
    }

    /// Whether the model has it without any flag.
    fn had(&self) -> bool {
        let before = self.sources.under_kvm.as_ref();
        has(before.unwrap_or(&self.sources.on_machine), self.field)
    }

    /// The flags that ask for the feature and for what it needs.
    pub(super) fn asks_for(&self) -> Option<String> {
        let own = names(self.field).next()?;
        let mut all: Vec<&str> = needs(self.field).take(1).collect();
        all.push(own);
        let flags = all.iter().map(|name| format!("{name}=on"));
        Some(flags.collect::<Vec<_>>().join(","))
    }

    /// A feature that is not there, and without which QEMU does not give this one.
    pub(super) fn needs(&self, with_flags: &Claim) -> Option<String> {
        let properties = self.sources.with_flags.as_ref().ok()?;
        let missing = |name: &&str| {
            let field = self.tables.features.named(name);
            field.is_some_and(|field| is_on(properties, field) == Some(false))
        };
        let absent = with_flags.state == State::Absent;
        let missing = needs(self.field).filter(|_| absent).find(missing);
        missing.map(str::to_owned)
    }

    pub(super) fn not_migratable(&self, guest: &Claim) -> bool {
        let given = self.sources.unmigratable.as_ref();
        let absent = guest.state == State::Absent && !has(&self.sources.with_flags, self.field);
        absent && given.is_some_and(|given| has(given, self.field))
    }
}
