//! Emulated hosts, each started when it is first needed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crate::case::host::EmulatedHostId;
use crate::case::{EmulatedHost, Qemu, Subject, Trial};
use crate::host::lab::program::Program;
use crate::host::lab::{self, Image, Lab, Plan};
use crate::util::cancel::Cancel;
use crate::vmm::linux::{Kernel, LinuxFiles, unpacked};

/// How long L1 may take to come up, at the least: on a busy machine it takes ten times what it takes on an idle one.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// MiB that a Linux guest takes on its host, with the QEMU that runs it.
const LINUX_GUEST: u64 = 448;

/// Labs by their emulated host.
pub struct Labs {
    cache: PathBuf,
    timeout: Duration,
    cancel: Cancel,
    known: Mutex<BTreeMap<EmulatedHostId, Arc<Entry>>>,
}

#[derive(Default)]
struct Entry {
    /// QEMUs to take along, by their path.
    qemus: Mutex<BTreeMap<PathBuf, Arc<Qemu>>>,
    /// Files to take along: what Linux guests boot.
    files: Mutex<BTreeSet<PathBuf>>,
    opened: OnceLock<Result<Arc<Lab>, String>>,
}

impl Labs {
    /// No lab is started yet. What is made for one is kept in the folder `cache`; `timeout` is what a guest may take.
    pub fn new(cache: PathBuf, timeout: Duration, cancel: Cancel) -> Labs {
        Labs {
            cache,
            timeout,
            cancel,
            known: Mutex::default(),
        }
    }

    fn entry(&self, host: &EmulatedHost) -> Arc<Entry> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(host.id()).or_default())
    }

    /// Has the QEMU taken along to the host, where that is not yet started.
    pub fn take_along(&self, host: &EmulatedHost, qemu: &Arc<Qemu>) {
        if qemu.path.as_os_str().is_empty() {
            return;
        }
        let entry = self.entry(host);
        let mut qemus = entry.qemus.lock().unwrap_or_else(PoisonError::into_inner);
        qemus.insert(qemu.path.clone(), Arc::clone(qemu));
    }

    /// Has what a Linux guest boots taken along, likewise.
    pub fn take_files_along(&self, host: &EmulatedHost, files: &LinuxFiles) {
        let entry = self.entry(host);
        let mut known = entry.files.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend([files.image.clone(), files.initramfs.clone()]);
    }

    /// Has every QEMU that these trials start on emulated hosts taken along.
    pub fn prepare<'a>(&self, trials: impl IntoIterator<Item = &'a Trial>) {
        for trial in trials {
            for case in &trial.cases {
                let Some(host) = &case.host else { continue };
                if case.run_as.starter == crate::case::Starter::Qemu {
                    self.take_along(host, &case.qemu);
                }
                match &trial.subject {
                    Subject::Migration(migration) => self.take_along(host, &migration.to),
                    Subject::Releases(pair) => self.take_along(host, &pair.old),
                    Subject::Whole | Subject::Layers | Subject::Machine => {}
                }
            }
        }
    }

    /// The lab of the host, made with the first call.
    ///
    /// # Errors
    /// It cannot be made; the same reason each time.
    pub fn open(&self, host: &EmulatedHost) -> Result<Arc<Lab>, String> {
        let entry = self.entry(host);
        let open = || {
            let qemus = entry.qemus.lock().unwrap_or_else(PoisonError::into_inner);
            let qemus: Vec<Arc<Qemu>> = qemus.values().cloned().collect();
            let files = entry.files.lock().unwrap_or_else(PoisonError::into_inner);
            self.make(host, &qemus, &files).map(Arc::new)
        };
        entry.opened.get_or_init(open).clone()
    }

    /// The kernel as the machine starts it.
    fn started(&self, machine: &dyn lab::EmulatedHost, kernel: Kernel) -> Result<Kernel, String> {
        if !machine.starts_unpacked() {
            return Ok(kernel);
        }
        let cache = std::path::absolute(&self.cache).unwrap_or_else(|_| self.cache.clone());
        let (image, _) = unpacked(&kernel, &cache).map_err(|error| error.to_string())?;
        Ok(Kernel { image, ..kernel })
    }

    fn make(
        &self,
        host: &EmulatedHost,
        qemus: &[Arc<Qemu>],
        files: &BTreeSet<PathBuf>,
    ) -> Result<Lab, String> {
        let kernel = Kernel::find(&host.kernel.path, host.kernel.modules.as_deref());
        let kernel = kernel.map_err(|error| error.to_string())?;
        let machine = lab::emulator(&host.emulation)
            .ok_or_else(|| format!("no emulator “{}” for a lab", host.emulation.emulator))?;
        let timeout = self.timeout;
        let program = |qemu: &Arc<Qemu>| {
            let program = Program::qemu(&qemu.path, timeout, &self.cancel);
            program.map(|program| (qemu.path.clone(), program))
        };
        let programs: Result<Vec<_>, _> = qemus.iter().map(program).collect();
        let programs = programs.map_err(|error| error.to_string())?;
        let image = Image {
            kernel: &kernel,
            host: &*machine,
            qemus: &programs,
            files,
        };
        let initramfs = image.file(&self.cache);
        let initramfs = initramfs.map_err(|error| error.to_string())?;
        let kernel = self.started(&*machine, kernel)?;
        let plan = Plan {
            host: machine,
            kernel,
            parameters: host.kernel.parameters.clone(),
            initramfs,
            megabytes: host.megabytes,
            guests: if files.is_empty() { 0 } else { LINUX_GUEST },
            timeout: START_TIMEOUT.max(timeout),
        };
        Lab::new(plan, self.cancel.clone())
            .map_err(|error| format!("failed to start a thread for the lab: {error}"))
    }
}
