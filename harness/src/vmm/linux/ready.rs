//! What a Linux guest is booted with, made once and kept in the cache: the kernel out of its bzImage, and an initramfs.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::initramfs::{EntryError, Initramfs};
use super::kernel::Kernel;
use super::modules::{ModuleError, Modules};
use super::names::Names;
use super::vmlinux::{VmlinuxError, is_64_bit, unpacked_image, vmlinux};
use crate::util::cache::{self, KEPT_PREFIX};
use crate::util::limits::KERNEL;
use crate::util::open;
use crate::util::os_error::OsError;
use crate::vmm::LINUX_INIT;

/// The driver through which /init reads MSRs.
const MSR: &str = "msr";

/// Why a kernel cannot be booted as a guest.
#[derive(Debug, thiserror::Error)]
pub enum ReadyError {
    /// It would not start our /init.
    #[error("{0}: CONFIG_BLK_DEV_INITRD is not set, so this kernel starts no /init of ours")]
    NoInitramfs(PathBuf),
    /// Its image cannot be read.
    #[error("{image}: {source}")]
    Image {
        /// The image.
        image: PathBuf,
        /// Why.
        source: OsError,
    },
    /// Its image holds no kernel for this.
    #[error("{image}: {source}")]
    Vmlinux {
        /// The image.
        image: PathBuf,
        /// What is wrong.
        source: VmlinuxError,
    },
    /// Its image has no names of flags.
    #[error("{0}: no table of flags in it")]
    NoNames(PathBuf),
    /// Two things want the same place in the initramfs.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// The cache cannot be written.
    #[error("failed to write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: OsError,
    },
}

impl ReadyError {
    fn image(image: &Path) -> impl FnOnce(std::io::Error) -> ReadyError {
        let image = image.to_owned();
        move |error| ReadyError::Image {
            image,
            source: error.into(),
        }
    }

    fn vmlinux(image: &Path) -> impl FnOnce(VmlinuxError) -> ReadyError {
        let image = image.to_owned();
        move |source| ReadyError::Vmlinux { image, source }
    }
}

/// A kernel that can be booted at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// `uname -r`.
    pub release: String,
    /// What QEMU's `-kernel` takes: the ELF file, or the bzImage where there is none to be had.
    pub image: PathBuf,
    /// The bzImage, which switches to 5-level paging where the processor has it; a start at the PVH entry does not.
    pub packed: PathBuf,
    /// The initramfs.
    pub initramfs: PathBuf,
    /// Why the bzImage is booted as it is.
    pub as_it_is: Option<VmlinuxError>,
    /// Why the guest cannot read MSRs.
    pub no_msrs: Option<String>,
}

impl Ready {
    /// Makes what is not yet in the folder `cache`.
    ///
    /// # Errors
    /// The kernel cannot be read, has 32 bits or no initramfs support, or the cache cannot be written.
    pub fn make(kernel: &Kernel, cache: &Path) -> Result<Ready, ReadyError> {
        let cache = std::path::absolute(cache).unwrap_or_else(|_| cache.to_owned());
        if has_no_initramfs(kernel) {
            return Err(ReadyError::NoInitramfs(kernel.image.clone()));
        }
        let (image, as_it_is) = unpacked(kernel, &cache)?;
        let (root, no_msrs) = root(kernel)?;
        let bytes = root.to_bytes();
        let check = fidelity_protocol::crc::crc32(&[&bytes]);
        let name = format!("{KEPT_PREFIX}{}-{check:08x}.cpio", kernel.release);
        let initramfs = match cache::find(&cache, &name) {
            Some(path) => path,
            None => made(&cache, &name, &bytes)?,
        };
        Ok(Ready {
            release: kernel.release.clone(),
            image,
            packed: kernel.image.clone(),
            initramfs,
            as_it_is,
            no_msrs: no_msrs.map(|error| error.to_string()),
        })
    }
}

impl Ready {
    /// The kernel's own names of flags.
    ///
    /// # Errors
    /// Its image cannot be read or unpacked, or has no such tables.
    pub fn names(&self) -> Result<Names, ReadyError> {
        let image = open::bytes(&self.image, KERNEL).map_err(ReadyError::image(&self.packed))?;
        let elf = if self.image == self.packed {
            unpacked_image(&image).map_err(ReadyError::vmlinux(&self.packed))?
        } else {
            image
        };
        Names::read(&elf).ok_or_else(|| ReadyError::NoNames(self.packed.clone()))
    }
}

/// Where the configuration says so; without one a guest that panics does.
fn has_no_initramfs(kernel: &Kernel) -> bool {
    let options = kernel.options();
    options.is_some_and(|options| !options.contains_key("CONFIG_BLK_DEV_INITRD"))
}

/// The file to boot: the ELF file in the folder `cache`, or the bzImage and why it is booted as it is. What is kept is named by what it
/// was made from, as path, size, time and inode tell it.
///
/// # Errors
/// The kernel cannot be read or has 32 bits, or the cache cannot be written.
pub fn unpacked(
    kernel: &Kernel,
    cache: &Path,
) -> Result<(PathBuf, Option<VmlinuxError>), ReadyError> {
    let unread = || ReadyError::image(&kernel.image);
    let about = fs::metadata(&kernel.image).map_err(unread())?;
    let whole = fs::canonicalize(&kernel.image).map_err(unread())?;
    let mut hasher = DefaultHasher::new();
    let changed = (about.mtime(), about.mtime_nsec());
    (whole, about.size(), about.ino(), changed).hash(&mut hasher);
    let name = format!(
        "{KEPT_PREFIX}vmlinux-{}-{:016x}",
        kernel.release,
        hasher.finish()
    );
    if let Some(path) = cache::find(cache, &name) {
        return Ok((path, None));
    }
    let bytes = open::bytes(&kernel.image, KERNEL).map_err(unread())?;
    match vmlinux(&bytes) {
        Ok(elf) => Ok((made(cache, &name, &elf)?, None)),
        Err(error @ VmlinuxError::Bits32) => Err(ReadyError::vmlinux(&kernel.image)(error)),
        // It unpacks itself, only slower.
        Err(error) => is_64_bit(&bytes)
            .map(|()| (kernel.image.clone(), Some(error)))
            .map_err(ReadyError::vmlinux(&kernel.image)),
    }
}

/// /init, and the msr driver where the kernel has one as a module.
fn root(kernel: &Kernel) -> Result<(Initramfs, Option<ModuleError>), EntryError> {
    let mut root = Initramfs::new();
    root.device("/dev/console", 0o600, 5, 1)?;
    for folder in ["/proc", "/sys", "/modules"] {
        root.folder(folder)?;
    }
    root.file("/init", 0o755, LINUX_INIT.to_vec())?;
    let modules = match Modules::read(kernel) {
        Ok(modules) => modules.with_dependencies(&[MSR]),
        Err(error) => Err(error),
    };
    let modules = match modules {
        Ok(modules) => modules,
        // The report is the same without, but for its MSRs.
        Err(error) => return Ok((root, Some(error))),
    };
    for (number, module) in modules.into_iter().enumerate() {
        let path = format!("/modules/{number:02}-{}.ko", module.name);
        root.file(&path, 0o644, module.bytes)?;
    }
    Ok((root, None))
}

/// The file `name` of the cache, whole or not at all.
fn made(cache: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf, ReadyError> {
    let made = cache::make(cache, name, |file| file.write_all(bytes));
    made.map_err(|error| ReadyError::Write {
        path: cache.join(name),
        source: error.into(),
    })
}
