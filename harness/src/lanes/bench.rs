//! What all lanes share: tables and expectations, options, the agent's ROM, the pool, and the machines that guests run on.

use std::collections::{BTreeMap, HashMap};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::Context as _;
use serde_json::Value;

use super::lab::labs::Labs;
use super::libvirt::pool::Libvirt;
use super::linux::kernels::Kernels;
use super::observation::{Broken, Observation, Observed};
use crate::case::host::EmulatedHostId;
use crate::case::{Case, Migration, Starter};
use crate::cpuid::{assemble, render};
use crate::evidence::QemuLayer;
use crate::expectation::Store;
use crate::host::libvirt::Installation;
use crate::host::{Here, HostLayer, KvmLayer, Site};
use crate::util::cache;
use crate::util::cancel::Cancel;
use crate::util::jobs::Jobs;
use crate::util::limits::TEXT;
use crate::util::open;
use crate::vmm::kvm::CpuidTable;
use crate::vmm::migrate::{Migrated, Saved};
use crate::vmm::monitor::command;
use crate::vmm::{AGENT_ROM, Boot, Options};

/// By model, `unavailable-features`; empty where QEMU does not report them.
pub type Unavailable = HashMap<String, Vec<String>>;

/// Binary, accelerator, machine type, emulated host.
type UnavailableKey = (PathBuf, &'static str, String, Option<EmulatedHostId>);

/// What a machine reports of itself, each asked once.
#[derive(Default)]
struct Machine {
    host: OnceLock<Option<Arc<HostLayer>>>,
    kvm: OnceLock<Result<Arc<KvmLayer>, String>>,
}

/// The bench. One for a run; guests are booted on its pool only.
pub struct Bench {
    /// Expectations and tables.
    pub store: Store,
    /// What is asked of each guest.
    pub options: Options,
    /// Emulated hosts, each started when it is first needed.
    pub labs: Labs,
    /// Private libvirts.
    pub libvirt: Libvirt,
    /// Kernels of Linux guests, each made ready once.
    pub kernels: Kernels,
    cancel: Cancel,
    pool: rayon::ThreadPool,
    rom: PathBuf,
    unavailable: Mutex<HashMap<UnavailableKey, Arc<OnceLock<Arc<Unavailable>>>>>,
    machines: Mutex<BTreeMap<Option<EmulatedHostId>, Arc<Machine>>>,
}

impl Bench {
    /// A bench on which up to `jobs` guests run at once, 0 for one a core, and no more than the cores are good for ([`Jobs`]).
    ///
    /// # Errors
    /// The ROM cannot be written to the cache, or no thread can be started.
    pub fn new(
        store: Store,
        options: Options,
        jobs: usize,
        cancel: Cancel,
    ) -> anyhow::Result<Bench> {
        let rom = agent_rom(&store.cache)?;
        let (timeout, cache) = (options.timeout, store.cache.clone());
        let libvirt = Libvirt::new(
            Installation::of_path(),
            cache.join("libvirt"),
            timeout,
            cancel.clone(),
        );
        let labs = Labs::new(cache.join("lab"), timeout, cancel.clone());
        Ok(Bench {
            store,
            options,
            labs,
            libvirt,
            kernels: Kernels::default(),
            cancel,
            pool: rayon::ThreadPoolBuilder::new()
                .num_threads(Jobs::here(jobs).threads(usize::MAX))
                .build()?,
            rom,
            unavailable: Mutex::default(),
            machines: Mutex::default(),
        })
    }

    /// The same with this libvirt instead of the installed one.
    pub fn use_libvirt(&mut self, installation: Installation) {
        let cache = self.store.cache.join("libvirt");
        let timeout = self.options.timeout;
        self.libvirt = Libvirt::new(installation, cache, timeout, self.cancel.clone());
    }

    /// The agent as a file.
    pub fn rom(&self) -> &Path {
        &self.rom
    }

    /// The pool that bounds running guests: a guest dies with the thread that started it, so guests are booted on its threads only.
    pub fn pool(&self) -> &rayon::ThreadPool {
        &self.pool
    }

    /// Calls what starts a guest of `case` on the thread that it may be started on. A guest of an emulated host is not started here:
    /// L1 has a thread of its own and takes one request after the other, and whoever waits for it keeps no thread of the pool.
    pub fn on_its_thread<T: Send>(&self, case: &Case, start: impl FnOnce() -> T + Send) -> T {
        match &case.host {
            Some(_) => start(),
            None => self.pool.install(start),
        }
    }

    /// The switch that ends every wait.
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// Whether the run was cancelled.
    pub fn cancelled(&self) -> bool {
        self.cancel.thrown()
    }

    /// The machine on which the guest of `case` runs.
    ///
    /// # Errors
    /// The emulated host cannot be made.
    pub fn site(&self, case: &Case) -> Result<Arc<dyn Site>, String> {
        match &case.host {
            None => Ok(Arc::new(Here)),
            Some(host) => {
                if case.run_as.starter == Starter::Qemu {
                    self.labs.take_along(host, &case.qemu);
                }
                Ok(self.labs.open(host)?)
            }
        }
    }

    fn machine(&self, case: &Case) -> Arc<Machine> {
        let key = case.host.as_ref().map(|host| host.id());
        let mut machines = self.machines.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(machines.entry(key).or_default())
    }

    /// What the hardware and the kernel of that machine report, asked once; `None` where they cannot be asked.
    pub fn host_layer(&self, case: &Case) -> Option<Arc<HostLayer>> {
        let ask = || self.site(case).ok()?.host_layer().ok().map(Arc::new);
        self.machine(case).host.get_or_init(ask).clone()
    }

    /// What its KVM reports, likewise.
    ///
    /// # Errors
    /// It has no KVM that can be used; the same reason each time.
    pub fn kvm_layer(&self, case: &Case) -> Result<Arc<KvmLayer>, String> {
        let ask = || {
            let layer = self.site(case)?.kvm_layer();
            layer.map(Arc::new).map_err(|error| error.to_string())
        };
        self.machine(case).kvm.get_or_init(ask).clone()
    }

    /// What `query-cpu-definitions` reports as unavailable on the case's machine type and accelerator, asked once: QEMU tries out every
    /// model for it, and takes long.
    pub fn unavailable(&self, case: &Case) -> Arc<Unavailable> {
        let accelerator = case.run_as.accelerator.name();
        let host = case.host.as_ref().map(|host| host.id());
        let key = (
            case.qemu.path.clone(),
            accelerator,
            case.machine.clone(),
            host,
        );
        let cell = {
            let known = self.unavailable.lock();
            let mut known = known.unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry(key).or_default())
        };
        let ask = || {
            self.query_definitions(case, accelerator)
                .unwrap_or_default()
        };
        Arc::clone(cell.get_or_init(|| Arc::new(ask())))
    }

    fn query_definitions(&self, case: &Case, accelerator: &str) -> Option<Unavailable> {
        let machine = format!("{},accel={accelerator}", case.machine);
        let commands = [command("query-cpu-definitions")];
        let timeout = self.options.timeout;
        let site = self.site(case).ok()?;
        let answers = site.ask(&case.qemu.path, &machine, &commands, timeout, &self.cancel);
        Some(unavailable(answers.ok()?.first()?))
    }

    /// Boots the agent under QEMU, on the machine of the case.
    ///
    /// # Errors
    /// The guest did not run to its end.
    pub fn boot_qemu(&self, case: &Case, options: &Options) -> Observed {
        let site = self.site(case).map_err(Broken::not_started)?;
        let boot = site.boot(case, &self.rom, options, &self.cancel)?;
        self.observation(boot, Vec::new(), Vec::new(), options)
    }

    /// Runs the agent on KVM alone with this CPUID table, on the machine of the case.
    ///
    /// # Errors
    /// The guest did not run to its end.
    pub fn boot_table(&self, case: &Case, table: &CpuidTable, options: &Options) -> Observed {
        let site = self.site(case).map_err(Broken::not_started)?;
        let mut direct = site.boot_direct(case, table, options, &self.cancel)?;
        if let Some(host) = &case.host {
            direct.boot.command.extend(host.arguments());
        }
        self.observation(direct.boot, direct.given, direct.kept, options)
    }

    /// Migrates the guest of `case`.
    ///
    /// # Errors
    /// A QEMU cannot be started. Everything that happens later is in [`Migrated`].
    pub fn migrate(&self, case: &Case, migration: &Migration) -> Result<Migrated, String> {
        let destination = migration.destination(case);
        let (options, journey) = (&self.options, &migration.journey);
        let pair = [case, &destination];
        let site = self.site(case)?;
        let migrate = || site.migrate(pair, &self.rom, options, journey, &self.cancel);
        let migrated = self.on_its_thread(case, migrate);
        migrated.map_err(|error| error.to_string())
    }

    /// Boots the guest of `case` on its machine, and saves it.
    ///
    /// # Errors
    /// QEMU cannot be started. Everything that happens later is in [`Saved`].
    pub fn save(&self, case: &Case) -> Result<Saved, String> {
        let site = self.site(case)?;
        let save = || site.save(case, &self.rom, &self.options, &self.cancel);
        let saved = self.on_its_thread(case, save);
        saved.map_err(|error| error.to_string())
    }

    /// Restores a guest that was saved on another machine; `case` is that guest on its own.
    ///
    /// # Errors
    /// As of [`Bench::save`].
    pub fn restore(&self, case: &Case, saved: &Saved) -> Result<Migrated, String> {
        let site = self.site(case)?;
        let restore = || site.restore(case, saved, &self.rom, &self.options, &self.cancel);
        let restored = self.on_its_thread(case, restore);
        restored.map_err(|error| error.to_string())
    }

    /// What became of a guest that has ended.
    ///
    /// # Errors
    /// It did not run to its end, or its dump is not whole.
    pub fn observation(
        &self,
        boot: Boot,
        given: Vec<CpuidTable>,
        kept: Vec<CpuidTable>,
        options: &Options,
    ) -> Observed {
        let assembled = assemble(boot.slots.iter().map(|slot| slot.frames.as_slice()));
        if let Err(failure) = boot.outcome(assembled.error.as_ref(), options.timeout) {
            return Err(Broken {
                partial: assembled.dump,
                elapsed: boot.elapsed,
                command: boot.command,
                ..Broken::from(failure)
            });
        }
        let lines = render(&assembled.dump, &self.store.table, &self.store.volatile);
        let qemu = boot.view.as_ref();
        Ok(Observation {
            dump: assembled.dump,
            lines,
            qemu: qemu.map(|view| QemuLayer::read(view, &boot.stderr)),
            elapsed: boot.elapsed,
            command: boot.command,
            given,
            kept,
            libvirt: None,
        })
    }
}

/// The agent as a file of the cache, named by its content: command lines that were printed keep working, and nothing is
/// left over but what the next run needs.
fn agent_rom(cache: &Path) -> anyhow::Result<PathBuf> {
    let check = fidelity_protocol::crc::crc32(&[AGENT_ROM]);
    let name = format!("agent-{check:08x}.rom");
    let cache = std::path::absolute(cache)?;
    let same = |path: &PathBuf| open::bytes(path, TEXT).is_ok_and(|there| there == AGENT_ROM);
    if let Some(path) = cache::find(&cache, &name).filter(same) {
        return Ok(path);
    }
    let made = cache::make(&cache, &name, |file| file.write_all(AGENT_ROM));
    made.with_context(|| {
        format!(
            "failed to write the agent to {}",
            cache.join(name).display()
        )
    })
}

fn unavailable(definitions: &Value) -> Unavailable {
    let names = |model: &Value| {
        let features = model["unavailable-features"].as_array()?;
        let features = features
            .iter()
            .filter_map(|name| name.as_str().map(str::to_owned));
        Some((model["name"].as_str()?.to_owned(), features.collect()))
    };
    let models = definitions.as_array().into_iter().flatten();
    models.filter_map(names).collect()
}
