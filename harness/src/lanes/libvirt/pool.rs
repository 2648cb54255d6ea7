//! The private libvirts of a run, started when needed and used again.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::maps;
use crate::evidence::libvirt::cpu_map::CpuMap;
use crate::host::libvirt::Installation;
use crate::util::cache::private_folder;
use crate::util::cancel::Cancel;
use crate::vmm::libvirt::guest::LIBVIRT_TIMEOUT;
use crate::vmm::libvirt::session::{Session, SessionError};

/// One libvirt for each guest that runs at once, and its `cpu_map`.
#[derive(Debug)]
pub struct Libvirt {
    installation: Installation,
    cache: PathBuf,
    timeout: Duration,
    cancel: Cancel,
    idle: Mutex<Vec<Session>>,
    map: OnceLock<Result<Arc<CpuMap>, String>>,
    version: OnceLock<Result<String, String>>,
}

impl Libvirt {
    /// Nothing is started yet. What libvirt finds out about QEMU binaries is kept in the folder `cache`.
    pub fn new(
        installation: Installation,
        cache: PathBuf,
        timeout: Duration,
        cancel: Cancel,
    ) -> Libvirt {
        Libvirt {
            cache: cache_of(&installation, cache),
            installation,
            timeout,
            cancel,
            idle: Mutex::default(),
            map: OnceLock::new(),
            version: OnceLock::new(),
        }
    }

    /// Which one it is.
    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    /// Its `cpu_map`.
    ///
    /// # Errors
    /// It is not there, or broken.
    pub fn map(&self) -> Result<Arc<CpuMap>, String> {
        let read = || {
            let folder = self.installation.map_folder();
            let folder = folder.ok_or("libvirt's cpu_map is not installed")?;
            maps::read(&folder)
                .map(Arc::new)
                .map_err(|error| error.to_string())
        };
        self.map.get_or_init(read).clone()
    }

    /// `9.0.0`.
    ///
    /// # Errors
    /// There is no virsh.
    pub fn version(&self) -> Result<String, String> {
        let ask = || {
            let version = self.installation.virsh.version(&self.cancel);
            version.map_err(|error| error.to_string())
        };
        self.version.get_or_init(ask).clone()
    }

    /// Works with a libvirt of its own. One that died is not used again. To be called on the engine's pool: libvirt ends with the thread
    /// that started it.
    ///
    /// # Errors
    /// It cannot be started, or what `work` tells.
    pub fn with<T>(
        &self,
        work: impl FnOnce(&mut Session) -> Result<T, SessionError>,
    ) -> Result<T, SessionError> {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let mut session = match idle {
            Some(session) => session,
            None => {
                let deadline = self.timeout + LIBVIRT_TIMEOUT;
                // libvirt's files are for their owner alone.
                let cache = private_folder(&self.cache);
                let cache = cache.map_err(|error| SessionError::Start(error.to_string()))?;
                Session::start(&self.installation.virsh, &cache, deadline, &self.cancel)?
            }
        };
        let done = work(&mut session);
        if session.alive() {
            self.idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(session);
        }
        done
    }
}

/// Where this libvirt keeps what it finds out about QEMU binaries: each in a folder of its own, because it throws away what another version wrote
/// (virQEMUCapsIsValid).
fn cache_of(installation: &Installation, cache: PathBuf) -> PathBuf {
    let Some(folder) = installation.named() else {
        return cache;
    };
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let mut hasher = DefaultHasher::new();
    folder.hash(&mut hasher);
    cache.join(format!("{:016x}", hasher.finish()))
}
