//! The QEMUs there are, and what each offers: asked once a binary, then read from the cache.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::case::offers::{BadAnswer, Offers};
use crate::case::{Emulation, Filter, LabKernel, Qemu};
use crate::config::{Config, Profile};
use crate::lanes::kernels::{Unusable, kernels};
use crate::lanes::linux::guest_kernels;
use crate::lanes::{Scope, scope};
use crate::plan::identity;
use crate::util::cache::{self, KEPT_PREFIX};
use crate::util::cancel::Cancel;
use crate::util::limits::TEXT;
use crate::util::open;
use crate::vmm::{monitor, qmp};

/// What was found.
#[derive(Debug, Default)]
pub struct Inventory {
    /// Usable binaries, oldest release first.
    pub qemus: Vec<Arc<Qemu>>,
    /// Binaries that were named and cannot be used.
    pub unusable: Vec<Unusable>,
    /// Kernels that labs are made of, in natural order.
    pub kernels: Vec<LabKernel>,
    /// Kernels that guests can boot, in natural order.
    pub guest_kernels: Vec<LabKernel>,
    /// Kernels that were named and cannot be used, and why there is none for guests.
    pub unusable_kernels: Vec<Unusable>,
    /// What emulates hosts.
    pub emulator: Option<Emulation>,
}

impl Inventory {
    /// Adds the kernels of the configuration. Where `emulator` is `None`, one of the QEMUs found emulates hosts.
    #[must_use]
    pub fn with_kernels(self, config: &Config, emulator: Option<Emulation>) -> Inventory {
        let (found, unusable) = kernels(config);
        let (guest_kernels, no_guests) = guest_kernels(config);
        let unusable_kernels = if guest_kernels.is_empty() {
            no_guests
        } else {
            unusable
        };
        Inventory {
            emulator: emulator.or_else(|| scope::emulator(config, &self.qemus)),
            kernels: found,
            guest_kernels,
            unusable_kernels,
            ..self
        }
    }

    /// With this kernel alone, as the configuration has it, where it does: its expectations are then those that the configuration means.
    #[must_use]
    pub fn with_kernel(self, named: LabKernel) -> Inventory {
        let planned = self.kernels.iter().find(|kernel| kernel.is_same(&named));
        let kernel = planned.cloned().unwrap_or(named);
        Inventory {
            kernels: vec![kernel.clone()],
            guest_kernels: vec![kernel],
            unusable_kernels: Vec::new(),
            ..self
        }
    }

    /// What lanes plan from.
    pub fn scope<'a>(
        &'a self,
        config: &'a Config,
        profile: Profile,
        filter: &'a Filter,
    ) -> Scope<'a> {
        Scope {
            config,
            profile,
            filter,
            qemus: &self.qemus,
            kernels: &self.kernels,
            guest_kernels: &self.guest_kernels,
            emulator: self.emulator.as_ref(),
        }
    }
}

/// A file of the cache.
#[derive(Serialize, Deserialize)]
struct Cached {
    /// [`identity::identity`] when it was asked.
    identity: String,
    /// The answer.
    offers: Offers,
}

/// Takes stock of `paths`; binaries of the same version and package count once.
pub fn inventory(config: &Config, paths: &[PathBuf], cancel: &Cancel) -> Inventory {
    let mut inventory = Inventory::default();
    let mut found: Vec<(PathBuf, Offers)> = Vec::new();
    let asked: Vec<_> = paths
        .par_iter()
        .map(|path| (path.clone(), offers(config, path, cancel)))
        .collect();
    for (path, offers) in asked {
        match offers {
            Err(reason) => inventory.unusable.push(Unusable { path, reason }),
            Ok(offers) => {
                let same = |(_, other): &(PathBuf, Offers)| {
                    other.version == offers.version && other.package == offers.package
                };
                if !offers.package.is_empty() && found.iter().any(same) {
                    continue;
                }
                found.push((path, offers));
            }
        }
    }
    found.sort_by_key(|(_, offers)| crate::util::order::natural(&offers.version));
    inventory.qemus = labelled(found);
    inventory
}

/// A release that stands alone is `qemu-10.0`; where it does not, the point release and at need a number are added.
fn labelled(found: Vec<(PathBuf, Offers)>) -> Vec<Arc<Qemu>> {
    let mut releases: HashMap<String, usize> = HashMap::new();
    let mut versions: HashMap<String, usize> = HashMap::new();
    for (_, offers) in &found {
        *releases.entry(offers.release_name()).or_default() += 1;
        *versions.entry(offers.version.clone()).or_default() += 1;
    }
    let mut seen: HashMap<String, usize> = HashMap::new();
    let label = |offers: &Offers, seen: &mut HashMap<String, usize>| {
        let release = offers.release_name();
        if releases[&release] == 1 {
            return format!("qemu-{release}");
        }
        let plain = format!("qemu-{}", offers.version);
        let count = seen.entry(plain.clone()).or_default();
        *count += 1;
        match versions[&offers.version] {
            1 => plain,
            _ => format!("{plain}.{count}"),
        }
    };
    let qemus = found.into_iter().map(|(path, offers)| {
        Arc::new(Qemu {
            path,
            label: label(&offers, &mut seen),
            offers: Arc::new(offers),
        })
    });
    qemus.collect()
}

/// A binary with what it offers but its CPU models, which take it longest to tell; nothing is kept of it. For binaries that are
/// looked at once: those of a bisect.
///
/// # Errors
/// It does not answer, or has no q35 machine type.
pub fn briefly(path: &Path, deadline: Duration, cancel: &Cancel) -> Result<Qemu, String> {
    let commands = [
        monitor::command("query-version"),
        monitor::command("query-machines"),
    ];
    let answers = qmp::ask(path, "none", &commands, deadline, cancel);
    let answers = answers.map_err(|error| error.to_string())?;
    let offers = Offers::read(&answers[0], &answers[1]).map_err(|error| unread(path, &error))?;
    Ok(Qemu {
        path: path.to_owned(),
        label: format!("qemu-{}", offers.release_name()),
        offers: Arc::new(offers),
    })
}

fn offers(config: &Config, path: &Path, cancel: &Cancel) -> Result<Offers, String> {
    let path = &path
        .canonicalize()
        .map_err(|error| format!("{}: {error}", path.display()))?;
    let identity =
        identity::identity(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let (folder, name) = (config.cache.join("offers"), cache_name(path, &identity));
    if let Some(offers) = cached(&folder, &name, &identity) {
        return Ok(offers);
    }
    let offers = ask(config, path, cancel)?;
    let answer = Cached {
        identity,
        offers: offers.clone(),
    };
    // Without a cache the next run asks again; that is slower, not wrong.
    let _ = remember(&folder, &name, &answer);
    Ok(offers)
}

/// Of another identity is another file: in a folder that cannot be written to, an old answer stays.
fn cache_name(path: &Path, identity: &str) -> String {
    let mut hasher = DefaultHasher::new();
    (path, identity).hash(&mut hasher);
    format!("{KEPT_PREFIX}{:016x}.json", hasher.finish())
}

fn cached(folder: &Path, name: &str, identity: &str) -> Option<Offers> {
    let file = cache::find(folder, name)?;
    let cached: Cached = serde_json::from_slice(&open::bytes(file, TEXT).ok()?).ok()?;
    (cached.identity == identity).then_some(cached.offers)
}

fn remember(folder: &Path, name: &str, cached: &Cached) -> std::io::Result<PathBuf> {
    let text = serde_json::to_vec(cached).map_err(std::io::Error::other)?;
    cache::make(folder, name, |file| file.write_all(&text))
}

fn ask(config: &Config, path: &Path, cancel: &Cancel) -> Result<Offers, String> {
    let deadline = Duration::from_secs(config.timeout);
    let ask = |machine: &str, commands: &[&str]| {
        let commands: Vec<_> = commands.iter().copied().map(monitor::command).collect();
        let answers = qmp::ask(path, machine, &commands, deadline, cancel);
        answers.map_err(|error| error.to_string())
    };
    // The newest machine type has to be known before models can be asked of it: what a name stands for depends on it.
    let answers = ask("none", &["query-version", "query-machines"])?;
    let offers = Offers::read(&answers[0], &answers[1]);
    let mut offers = offers.map_err(|error| unread(path, &error))?;
    if let Some(newest) = offers.newest_machine().map(str::to_owned) {
        let models = ask(&format!("{newest},accel=tcg"), &["query-cpu-definitions"])?;
        let noted = offers.note_models(&models[0]);
        noted.map_err(|error| unread(path, &error))?;
    }
    Ok(offers)
}

/// An answer that is none of QEMU's, with the binary that gave it.
fn unread(path: &Path, error: &BadAnswer) -> String {
    format!("{}: {error}", path.display())
}
