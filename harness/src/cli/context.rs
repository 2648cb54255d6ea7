//! What every verb that boots guests starts from.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use cpuid_fidelity::case::Accelerator;
use cpuid_fidelity::case::reproduce::Given;
use cpuid_fidelity::check::Waivers;
use cpuid_fidelity::config::Config;
use cpuid_fidelity::expectation::files::BuiltIn;
use cpuid_fidelity::expectation::store::Store;
use cpuid_fidelity::host::libvirt::Installation;
use cpuid_fidelity::lanes::Registry;
use cpuid_fidelity::plan::{Inventory, inventory, named, planner};
use cpuid_fidelity::report::styled::Manner;
use cpuid_fidelity::run::Engine;
use cpuid_fidelity::util::cancel::Cancel;
use cpuid_fidelity::util::jobs::Jobs;
use cpuid_fidelity::util::signals;
use cpuid_fidelity::vmm::guest::Options;

use super::common::exit::NotRun;
use super::common::global::Global;

/// Configuration, tables, and the switch that Ctrl-C throws.
#[derive(Clone)]
pub struct Context {
    pub config: Config,
    pub store: Store,
    pub cancel: Cancel,
    pub options: Options,
    pub jobs: Jobs,
    pub manner: Manner,
    pub accel: Option<Accelerator>,
    /// What `--qemu` names.
    pub named: Vec<PathBuf>,
    paths: Vec<PathBuf>,
    libvirt: Installation,
    /// What reproducers need again of the command line.
    given: Given,
}

impl Context {
    /// Reads the configuration and the tables; no QEMU is started yet.
    pub fn new(global: &Global) -> anyhow::Result<Context> {
        let config = configuration(global.config.as_deref())?;
        planner::check(&Registry::default(), &config)?;
        let store = Store::open_or_built_in(&config, &BUILT_IN)?;
        let cancel = Cancel::new().context("failed to make the switch for Ctrl-C")?;
        signals::listen(&cancel).context("failed to listen for Ctrl-C")?;
        let seconds = global.timeout.unwrap_or(config.timeout as f64);
        let (probes, probes_by_host) = global.probe_set();
        let named = global.qemu.iter();
        let named = named.map(|name| named::qemu(&config, name, &cancel));
        let named = named.collect::<Result<Vec<_>, _>>()?;
        Ok(Context {
            paths: if named.is_empty() {
                config.qemu_paths()
            } else {
                named.clone()
            },
            named,
            options: Options {
                timeout: Duration::from_secs_f64(seconds),
                probes,
                probes_by_host,
                ..Options::default()
            },
            jobs: jobs(global.jobs.unwrap_or(config.jobs)),
            manner: global.manner(),
            accel: global.accel,
            libvirt: match &global.libvirt {
                Some(name) => named::libvirt(&config, name, &cancel)?,
                None => Installation::of_path(),
            },
            given: collect_given(global, &config),
            config,
            store,
            cancel,
        })
    }

    /// The same with these QEMUs, unless the configuration names all of them.
    pub fn with_qemus(&self, qemus: Vec<PathBuf>) -> Context {
        let mut context = self.clone();
        let known = qemus.iter().all(|qemu| self.paths.contains(qemu));
        if !known {
            context.paths.clone_from(&qemus);
            context.named = qemus;
        }
        context
    }

    /// The same with this libvirt.
    pub fn with_libvirt(&self, libvirt: Installation) -> Context {
        Context {
            libvirt,
            ..self.clone()
        }
    }

    /// The QEMUs, each asked what it offers, through the cache.
    pub fn inventory(&self) -> anyhow::Result<Inventory> {
        let inventory = self.installed_or_named();
        if inventory.qemus.is_empty() && inventory.unusable.is_empty() {
            let message = "no QEMU found: install one (of Debian: qemu-system-x86), run `scripts/setup` in a checkout, or name a \
                           qemu-system-x86_64 with --qemu";
            return Err(NotRun(message.to_owned()).into());
        }
        Ok(inventory)
    }

    /// The QEMUs that `--qemu` names, else those of the configuration; none is no error.
    pub fn installed_or_named(&self) -> Inventory {
        let mut config = self.config.clone();
        config.timeout = self.options.timeout.as_secs().max(1);
        inventory::inventory(&config, &self.paths, &self.cancel)
    }

    /// The libvirt that `--libvirt` names, else the installed one.
    pub fn libvirt(&self) -> &Installation {
        &self.libvirt
    }

    /// What reproducers need again of the command line.
    pub fn given(&self) -> &Given {
        &self.given
    }

    /// What narrows the probes of every guest.
    pub fn probe_options(&self) -> impl Iterator<Item = &String> {
        let always = self.given.always.iter();
        always.filter(|option| Global::narrows_probes(option))
    }

    /// An engine over these tables.
    pub fn engine(&self) -> anyhow::Result<Engine> {
        self.engine_for(usize::MAX, false)
    }

    /// The same for a plan of so many guests, at need one for which no waiver holds.
    pub fn engine_for(&self, guests: usize, without_waivers: bool) -> anyhow::Result<Engine> {
        let mut store = self.store.clone();
        if without_waivers {
            store.waivers = Waivers::default();
        }
        let jobs = self.jobs.threads(guests);
        let mut engine = Engine::new(store, self.options.clone(), jobs, self.cancel.clone())?;
        engine.given = self.given.clone();
        engine.bench.use_libvirt(self.libvirt.clone());
        if without_waivers {
            engine.given.always.push("--no-waivers".to_owned());
        }
        Ok(engine)
    }
}

/// The expectations as they were when the program was built, for folders without a `fidelity.toml`.
pub static BUILT_IN: BuiltIn = include_dir::include_dir!("$CARGO_MANIFEST_DIR/expectations");

/// The user's folder for what can be had again, by the XDG base directory specification.
fn user_cache() -> anyhow::Result<PathBuf> {
    let folders = directories::ProjectDirs::from("", "", "cpuid-fidelity");
    let folders = folders
        .context("no home folder: set XDG_CACHE_HOME, or name a fidelity.toml with --config")?;
    Ok(folders.cache_dir().to_owned())
}

/// The options of every verb that decide what is found. In another folder the built-in configuration counts and not the file of this one,
/// which is named where it says something else, or where it names the QEMU that emulates a host.
fn collect_given(global: &Global, config: &Config) -> Given {
    let file = config.file().map(|file| file.display().to_string());
    let file = file.map(|file| ["--config".to_owned(), file]);
    let always = global.config.is_some() || !config.says_what_is_built_in();
    let (everywhere, with_kernel) = if always { (file, None) } else { (None, file) };
    let timeout = global.timeout;
    let timeout = timeout.map(|seconds| ["--timeout".to_owned(), seconds.to_string()]);
    let libvirt = global.libvirt.as_ref();
    let libvirt = libvirt.map(|name| ["--libvirt".to_owned(), name.display().to_string()]);
    Given {
        always: everywhere
            .into_iter()
            .chain(timeout)
            .chain(libvirt)
            .flatten()
            .chain(global.probe_options())
            .collect(),
        with_kernel: with_kernel.into_iter().flatten().collect(),
        to_run: Vec::new(),
    }
}

/// Guests at once; where that is less than was asked for, it is said.
fn jobs(asked: usize) -> Jobs {
    let jobs = Jobs::here(asked);
    if let Some(clamped) = jobs.clamped() {
        note!("{clamped}");
    }
    jobs
}

fn configuration(named: Option<&Path>) -> anyhow::Result<Config> {
    if let Some(path) = named {
        return Ok(Config::read(path)?);
    }
    let here = std::env::current_dir().context("failed to find the current folder")?;
    let found = here
        .ancestors()
        .find(|folder| folder.join("fidelity.toml").is_file());
    match found {
        Some(folder) => Ok(Config::read_found(&folder.join("fidelity.toml"))?),
        None => Ok(Config::built_in(&here, &user_cache()?)?),
    }
}
