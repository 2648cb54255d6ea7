//! Two releases that are compared.

use std::sync::Arc;

use super::glob::Glob;
use super::guest::Case;
use super::qemu::Qemu;

/// Two releases; what the second shows is held against what the first does.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The older one.
    pub old: Arc<Qemu>,
    /// The newer one.
    pub new: Arc<Qemu>,
}

/// What a machine type or a model is called in the name of a case that one of the releases lacks.
pub const EVERY: &str = "*";

impl Pair {
    /// Middle part of a trial's name: `qemu-10.0..11.1`.
    pub fn label(&self) -> String {
        let new = self.new.label.trim_start_matches("qemu-");
        format!("{}..{new}", self.old.label)
    }

    /// The two names in its file's: releases, or of two point releases the older one's version and `10.0.x`, for there is always a
    /// newer one.
    pub fn nodes(&self) -> (String, String) {
        let (old, new) = (&self.old.offers, &self.new.offers);
        let (old, new) = (old.release_name(), new.release_name());
        if old == new {
            (self.old.offers.version.clone(), format!("{new}.x"))
        } else {
            (old, new)
        }
    }

    /// Versioned machine types of both.
    pub fn machines(&self) -> impl Iterator<Item = &str> {
        let old: Vec<&str> = self.old.offers.versioned_machines().collect();
        let shared = self.new.offers.versioned_machines();
        shared.filter(move |name| old.contains(name))
    }

    /// Versioned models of both.
    pub fn models(&self) -> impl Iterator<Item = &str> {
        let old: Vec<&str> = self.old.offers.versioned_models().collect();
        let shared = self.new.offers.versioned_models();
        shared.filter(move |name| old.contains(name))
    }

    /// The models of both that these globs choose: versioned ones that match, and any that is named itself, such as `host`.
    pub fn chosen(&self, globs: [&[Glob]; 2]) -> Vec<&str> {
        let versioned: Vec<&str> = self.models().collect();
        let old: Vec<&str> = names(&self.old).collect();
        let named = |name: &str| globs.iter().any(|globs| Glob::names(globs, name));
        let fits = |name: &str| {
            let mut globs = globs.iter();
            globs.all(|globs| globs.is_empty() || Glob::matches(globs, name))
        };
        let shared = names(&self.new).filter(|name| old.contains(name) && fits(name));
        shared
            .filter(|name| versioned.contains(name) || named(name))
            .collect()
    }

    /// Why a case is not run: the release that lacks its machine type or its model, and the reason.
    pub fn lacks(&self, case: &Case) -> Option<(String, String)> {
        let has = |qemu: &Qemu, machine: &str, model: &str| {
            (machine == EVERY || qemu.offers.versioned_machines().any(|name| name == machine))
                && (model == EVERY || qemu.offers.models.iter().any(|known| known.name == model))
        };
        let lacking = [&self.old, &self.new]
            .into_iter()
            .find(|qemu| !has(qemu, &case.machine, &case.cpu))?;
        let what = if case.machine == EVERY {
            "CPU model"
        } else {
            "machine type"
        };
        let label = lacking.label.clone();
        let reason = format!("{label} has no such {what}");
        Some((label, reason))
    }

    /// Machine types that one of them lacks.
    pub fn lacking_machines(&self) -> Vec<&str> {
        let (old, new) = (&self.old.offers, &self.new.offers);
        lacking(
            old.versioned_machines().collect(),
            new.versioned_machines().collect(),
        )
    }

    /// Models that one of them lacks.
    pub fn lacking_models(&self) -> Vec<&str> {
        let (old, new) = (&self.old.offers, &self.new.offers);
        lacking(
            old.versioned_models().collect(),
            new.versioned_models().collect(),
        )
    }

    /// The case on the older release.
    pub fn before(&self, case: &Case) -> Case {
        Case {
            qemu: Arc::clone(&self.old),
            ..case.clone()
        }
    }
}

/// All models that a QEMU offers.
fn names(qemu: &Qemu) -> impl Iterator<Item = &str> {
    qemu.offers.models.iter().map(|model| model.name.as_str())
}

/// What only one of two lists has.
fn lacking<'a>(old: Vec<&'a str>, new: Vec<&'a str>) -> Vec<&'a str> {
    let gone = old.iter().filter(|name| !new.contains(name));
    let come = new.iter().filter(|name| !old.contains(name));
    gone.chain(come).copied().collect()
}
