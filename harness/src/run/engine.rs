//! Boots cases: one pool bounds how many guests run at once, and a guest that several trials need runs once.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::Context as _;

use super::direct;
use super::libvirt::Libvirt;
use crate::case::guest::{Case, Lane};
use crate::case::migration::Migration;
use crate::cpuid::assemble::assemble;
use crate::cpuid::dump::Dump;
use crate::cpuid::line::Line;
use crate::cpuid::render::render;
use crate::evidence::libvirt::layer::LibvirtLayer;
use crate::evidence::qemu::QemuLayer;
use crate::expectation::store::Store;
use crate::host::HostLayer;
use crate::host::kvm::KvmLayer;
use crate::host::lab::session::Lab;
use crate::host::site::{Here, Site, SiteError};
use crate::util::cancel::Cancel;
use crate::util::files::write_whole;
use crate::vmm::AGENT_ROM;
use crate::vmm::failure::{BootFailure, BootFailureKind};
use crate::vmm::guest::{Boot, Options};
use crate::vmm::kvm::table::CpuidTable;
use crate::vmm::linux::guest::{boot_linux, patience};
use crate::vmm::migrate::told::Migrated;
use crate::vmm::monitor::command;

/// What a guest that ran to its end showed.
#[derive(Clone, Debug)]
pub struct Observation {
    /// Raw.
    pub dump: Dump,
    /// Decoded and masked.
    pub lines: Vec<Line>,
    /// What QEMU said of it, where it was asked.
    pub qemu: Option<QemuLayer>,
    /// QEMU's life.
    pub elapsed: Duration,
    /// The exact command line.
    pub command: Vec<String>,
    /// What KVM_SET_CPUID2 was given, by vCPU, in lane `kvm-direct`; empty where QEMU gave it.
    pub given: Vec<CpuidTable>,
    /// What KVM_GET_CPUID2 said before the guest ran, likewise.
    pub kept: Vec<CpuidTable>,
    /// What libvirt says of it, where libvirt started it.
    pub libvirt: Option<LibvirtLayer>,
}

/// A guest that could not be observed to its end.
#[derive(Clone, Debug)]
pub struct Broken {
    /// One message: what happened, in which phase, with QEMU's own words.
    pub reason: String,
    /// What kind of failure that is.
    pub kind: BootFailureKind,
    /// Whether that is because the run was cancelled.
    pub cancelled: bool,
    /// What was delivered all the same.
    pub partial: Dump,
    /// QEMU's life.
    pub elapsed: Duration,
    /// The exact command line.
    pub command: Vec<String>,
}

impl Broken {
    /// The last line of the reason: QEMU's own words.
    pub fn last_words(&self) -> &str {
        self.reason.lines().next_back().unwrap_or(&self.reason)
    }

    /// Nothing was started.
    pub fn before(reason: String) -> Broken {
        Broken {
            reason,
            kind: BootFailureKind::NotPrepared,
            cancelled: false,
            partial: Dump::default(),
            elapsed: Duration::ZERO,
            command: Vec::new(),
        }
    }
}

impl<F: Into<BootFailure>> From<F> for Broken {
    fn from(failure: F) -> Broken {
        let failure = failure.into();
        Broken {
            kind: failure.kind,
            cancelled: failure.is_cancelled(),
            ..Broken::before(failure.message)
        }
    }
}

/// What became of a guest.
pub type Observed = Result<Observation, Broken>;

/// Binary, lane, machine type, `-cpu`, `-smp`, and the kernel of a Linux guest.
type Key = (PathBuf, Lane, String, String, String, String);

/// Binary, accelerator, machine type.
type Asked = (PathBuf, &'static str, String);

/// Everything that trials share.
pub struct Engine {
    /// Expectations and tables.
    pub store: Store,
    /// What is asked of each guest.
    pub options: Options,
    /// This host as it was, where it is to be held against that.
    pub baseline: Option<super::Baseline>,
    /// Checks that are off, by name: the self-test by mutation shows with it that a mutant dies of the check that it is meant for.
    pub without: BTreeSet<String>,
    cancel: Cancel,
    site: Arc<dyn Site>,
    lab: Option<Arc<Lab>>,
    /// Where that is a lab: the release of the QEMU that emulates it, as `qemu-10.0`; else empty.
    pub emulator: String,
    /// And the words of a command line that name its kernel: `--kernel PATH`, and what it was given; else empty.
    pub kernel: Vec<String>,
    /// Labs, by the label of their kernel.
    pub labs: super::lab::Labs,
    libvirt: Arc<Libvirt>,
    pub(super) kernels: super::linux::Kernels,
    pool: Arc<rayon::ThreadPool>,
    rom: PathBuf,
    seen: Mutex<HashMap<Key, Arc<OnceLock<Arc<Observed>>>>>,
    unavailable: Mutex<HashMap<Asked, Arc<OnceLock<Arc<Unavailable>>>>>,
    host: OnceLock<Option<HostLayer>>,
    kvm: OnceLock<Option<KvmLayer>>,
}

/// By model, `unavailable-features`; empty where QEMU does not tell.
pub type Unavailable = HashMap<String, Vec<String>>;

impl Engine {
    /// An engine that runs up to `jobs` guests at once, 0 for one a core.
    ///
    /// # Errors
    /// The ROM cannot be written to the cache, or no thread can be started.
    pub fn new(
        store: Store,
        options: Options,
        jobs: usize,
        cancel: Cancel,
    ) -> anyhow::Result<Engine> {
        let rom = agent_rom(&store.cache)?;
        let libvirt = Arc::new(Libvirt::new(store.cache.join("libvirt")));
        Ok(Engine {
            store,
            options,
            baseline: None,
            without: BTreeSet::new(),
            cancel,
            site: Arc::new(Here),
            lab: None,
            emulator: String::new(),
            kernel: Vec::new(),
            labs: super::lab::Labs::default(),
            libvirt,
            kernels: super::linux::Kernels::default(),
            pool: rayon::ThreadPoolBuilder::new()
                .num_threads(jobs)
                .build()?
                .into(),
            rom,
            seen: Mutex::default(),
            unavailable: Mutex::default(),
            host: OnceLock::new(),
            kvm: OnceLock::new(),
        })
    }

    /// An engine like this one, on the same pool, whose guests of KVM lanes run in `lab`.
    #[must_use]
    pub fn at(&self, lab: Arc<Lab>) -> Engine {
        Engine {
            store: self.store.clone(),
            options: self.options.clone(),
            baseline: None,
            without: self.without.clone(),
            cancel: self.cancel.clone(),
            site: Arc::clone(&lab) as Arc<dyn Site>,
            lab: Some(lab),
            emulator: String::new(),
            kernel: Vec::new(),
            labs: super::lab::Labs::default(),
            libvirt: Arc::clone(&self.libvirt),
            kernels: super::linux::Kernels::default(),
            pool: Arc::clone(&self.pool),
            rom: self.rom.clone(),
            seen: Mutex::default(),
            unavailable: Mutex::default(),
            host: OnceLock::new(),
            kvm: OnceLock::new(),
        }
    }

    /// The lab in which guests of KVM lanes run; `None` for this host.
    pub fn lab(&self) -> Option<&Lab> {
        self.lab.as_deref()
    }

    /// Where guests of KVM lanes run.
    pub fn site(&self) -> &dyn Site {
        &*self.site
    }

    /// What the hardware and the kernel of that site say, asked once; `None` where they cannot be asked.
    pub fn host_layer(&self) -> Option<&HostLayer> {
        let asked = self.host.get_or_init(|| self.site.host_layer().ok());
        asked.as_ref()
    }

    /// What its KVM says, likewise.
    pub fn kvm_layer(&self) -> Option<&KvmLayer> {
        let asked = self.kvm.get_or_init(|| self.site.kvm_layer().ok());
        asked.as_ref()
    }

    /// The libvirt of lane `libvirt`.
    pub fn libvirt(&self) -> &Libvirt {
        &self.libvirt
    }

    /// The agent as a file.
    pub(super) fn rom(&self) -> &Path {
        &self.rom
    }

    /// The pool that bounds running guests. Guests are booted on its threads only: a guest dies with its thread.
    pub fn pool(&self) -> &rayon::ThreadPool {
        &self.pool
    }

    /// The switch that ends every wait.
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// Whether the run was cancelled.
    pub fn cancelled(&self) -> bool {
        self.cancel.thrown()
    }

    /// Boots the guest of `case`, once: who asks again gets the same answer.
    pub fn observe(&self, case: &Case) -> Arc<Observed> {
        let key = (
            case.qemu.path.clone(),
            case.lane,
            case.machine.clone(),
            case.cpu.clone(),
            case.smp.as_str().to_owned(),
            case.linux
                .as_ref()
                .map_or_else(String::new, |guest| guest.label()),
        );
        let cell = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(seen.entry(key).or_default())
        };
        Arc::clone(cell.get_or_init(|| {
            let mut options = self.options.clone();
            // Where nothing is filtered there is nothing to ask.
            options.view = !matches!(case.lane, Lane::Definition | Lane::Linux);
            Arc::new(self.boot(case, &options))
        }))
    }

    /// What `query-cpu-definitions` says that this QEMU cannot give on the case's machine type and accelerator, asked once: it
    /// tries out every model, and takes long.
    pub fn unavailable(&self, case: &Case) -> Arc<Unavailable> {
        let accelerator = if case.lane == Lane::Kvm { "kvm" } else { "tcg" };
        let key = (case.qemu.path.clone(), accelerator, case.machine.clone());
        let cell = {
            let mut known = self
                .unavailable
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry(key).or_default())
        };
        Arc::clone(cell.get_or_init(|| {
            let machine = format!("{},accel={accelerator}", case.machine);
            let commands = [command("query-cpu-definitions")];
            let answers = self.site_of(case).ask(
                &case.qemu.path,
                &machine,
                &commands,
                self.options.timeout,
                &self.cancel,
            );
            Arc::new(
                answers
                    .map(|answers| unavailable(&answers[0]))
                    .unwrap_or_default(),
            )
        }))
    }

    /// Boots the guest of `case` with other options, and remembers nothing.
    pub fn boot(&self, case: &Case, options: &Options) -> Observed {
        self.pool
            .install(|| self.boot_here(case, &self.rom, options))
    }

    /// Boots a guest with this CPUID table on the harness's own VMM, and remembers nothing.
    pub fn boot_table(&self, case: &Case, table: &CpuidTable, options: &Options) -> Observed {
        self.pool.install(|| self.boot_direct(case, table, options))
    }

    /// Migrates the guest of `case`.
    ///
    /// # Errors
    /// A QEMU cannot be started. All that happens later is told in [`Migrated`].
    pub fn migrate(&self, case: &Case, migration: &Migration) -> Result<Migrated, SiteError> {
        let destination = migration.destination(case);
        let (options, journey) = (&self.options, &migration.journey);
        let pair = [case, &destination];
        let site = self.site_of(case);
        self.pool
            .install(|| site.migrate(pair, &self.rom, options, journey, &self.cancel))
    }

    /// Lanes without KVM see the same everywhere, and run here, where nothing is emulated below them.
    fn site_of(&self, case: &Case) -> &dyn Site {
        match case.lane {
            Lane::Definition | Lane::Tcg | Lane::Linux | Lane::Libvirt => &Here,
            _ => &*self.site,
        }
    }

    fn boot_here(&self, case: &Case, rom: &Path, options: &Options) -> Observed {
        if case.lane == Lane::KvmDirect {
            let table = direct::table_for(self, case)?;
            return self.boot_direct(case, &table, options);
        }
        if case.lane == Lane::Libvirt {
            return super::libvirt::observe(self, case, options);
        }
        if case.linux.is_some() {
            let ready = self.kernels.of(case, &self.store.cache)?;
            let packed = super::linux::wants_5_levels(self, case)?;
            let options = &Options {
                timeout: patience(options),
                ..options.clone()
            };
            let booted = boot_linux(case, &ready, packed, options, &self.cancel);
            return self.observation(booted?, Vec::new(), Vec::new(), options);
        }
        let boot = self.site_of(case).boot(case, rom, options, &self.cancel);
        let mut boot = boot?;
        if self.lab.is_some() && case.lane == Lane::Kvm {
            boot.command = self.again(case);
        }
        self.observation(boot, Vec::new(), Vec::new(), options)
    }

    /// What runs a guest under QEMU in the lab, or under libvirt, again: its own command line would mean nothing outside.
    pub(super) fn again(&self, case: &Case) -> Vec<String> {
        let lane = if case.lane == Lane::Libvirt {
            case.lane
        } else {
            Lane::Lab
        };
        let words = [
            "cpuid-fidelity",
            "dump",
            "--lane",
            lane.name(),
            "--qemu",
            &case.qemu.path.to_string_lossy(),
            "--machine",
            &case.machine,
            "--cpu",
            &case.cpu,
            "--smp",
            case.smp.as_str(),
        ];
        let words = words.into_iter().map(str::to_owned);
        words.chain(self.kernel.iter().cloned()).collect()
    }

    fn boot_direct(&self, case: &Case, table: &CpuidTable, options: &Options) -> Observed {
        let mut direct = self.site.boot_direct(case, table, options, &self.cancel)?;
        direct.boot.command.extend(self.kernel.iter().cloned());
        self.observation(direct.boot, direct.given, direct.kept, options)
    }

    pub(super) fn observation(
        &self,
        boot: Boot,
        given: Vec<CpuidTable>,
        kept: Vec<CpuidTable>,
        options: &Options,
    ) -> Observed {
        let assembled = assemble(boot.slots.iter().map(|slot| slot.frames.as_slice()));
        let outcome = boot.outcome(assembled.error.as_ref(), options.timeout);
        let Err(failure) = outcome else {
            let lines = render(&assembled.dump, &self.store.table, &self.store.volatile);
            return Ok(Observation {
                dump: assembled.dump,
                lines,
                qemu: boot
                    .view
                    .as_ref()
                    .map(|view| QemuLayer::read(view, &boot.stderr)),
                elapsed: boot.elapsed,
                command: boot.command,
                given,
                kept,
                libvirt: None,
            });
        };
        Err(Broken {
            partial: assembled.dump,
            elapsed: boot.elapsed,
            command: boot.command,
            ..Broken::from(failure)
        })
    }
}

/// The agent as a file of the cache, named by its content: command lines that were printed keep working, and nothing is
/// left over but what the next run needs.
fn agent_rom(cache: &Path) -> anyhow::Result<PathBuf> {
    let name = format!(
        "agent-{:08x}.rom",
        fidelity_protocol::crc::crc32(&[AGENT_ROM])
    );
    let path = std::path::absolute(cache.join(name))?;
    if std::fs::read(&path).is_ok_and(|there| there == AGENT_ROM) {
        return Ok(path);
    }
    write_whole(&path, AGENT_ROM)
        .with_context(|| format!("failed to write the agent to {}", path.display()))?;
    Ok(path)
}

fn unavailable(definitions: &serde_json::Value) -> Unavailable {
    let names = |model: &serde_json::Value| {
        let features = model["unavailable-features"].as_array()?;
        let features = features
            .iter()
            .filter_map(|name| name.as_str().map(str::to_owned));
        Some((model["name"].as_str()?.to_owned(), features.collect()))
    };
    definitions
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(names)
        .collect()
}
