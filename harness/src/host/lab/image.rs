//! The initramfs of L1, made once for the same parts and kept in the cache.

use std::collections::BTreeSet;
use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::emulated::EmulatedHost;
use super::links::{self, Links};
use super::object::{ObjectError, read_object};
use super::program::{Program, ProgramError};
use super::wire::{MODULES, SETUP, Setup};
use crate::util::cache::{self, KEPT_PREFIX};
use crate::util::launch::Launches;
use crate::util::limits::PROGRAM;
use crate::util::open;
use crate::vmm::linux::elf::lean_module;
use crate::vmm::linux::initramfs::{EntryError, Initramfs};
use crate::vmm::linux::kernel::Kernel;
use crate::vmm::linux::modules::{ModuleError, Modules};

/// What goes into it.
#[derive(Clone, Debug)]
pub struct Image<'a> {
    /// The kernel it is for.
    pub kernel: &'a Kernel,
    /// The emulated host, which says which module is wanted.
    pub host: &'a dyn EmulatedHost,
    /// QEMUs to take along, by the path under which they will be started.
    pub qemus: &'a [(PathBuf, Program)],
    /// Other files to take along, at their own paths: what guests boot.
    pub files: &'a BTreeSet<PathBuf>,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The kernel has no KVM for the emulated processor.
    #[error("Linux {release} has no KVM that the emulated host could run: {what}")]
    NoKvm {
        /// The kernel.
        release: String,
        /// Which option is missing, or where it was looked for.
        what: String,
    },
    /// A module cannot be had.
    #[error(transparent)]
    Module(#[from] ModuleError),
    /// A program cannot be taken along.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// Two things want the same place.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// An ELF file cannot be taken along.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// A file cannot be read.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// What is left for /init cannot be written down.
    #[error("failed to write down the setup of L1: {0}")]
    Setup(serde_json::Error),
    /// The archive cannot be written.
    #[error("failed to write {path}: {error}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
}

/// Raised whenever the same parts give another archive.
const FORMAT: u32 = 3;

impl Image<'_> {
    /// The archive's file in the folder `cache`: one that is there, where no part has changed since.
    ///
    /// # Errors
    /// The kernel has no KVM, or a part cannot be had.
    pub fn file(&self, cache: &Path) -> Result<PathBuf, ImageError> {
        let modules = Modules::read(self.kernel)?;
        self.holds_kvm(&modules)?;
        let this = Program::this()?;
        let name = format!(
            "{KEPT_PREFIX}{}-{:016x}.cpio",
            self.kernel.release,
            self.key(&this)
        );
        let cache = std::path::absolute(cache).unwrap_or_else(|_| cache.to_owned());
        if let Some(path) = cache::find(&cache, &name) {
            return Ok(path);
        }
        let root = self.root(&modules, &this)?;
        let made = cache::make(&cache, &name, |file| write(&root, file));
        made.map_err(|error| ImageError::Write {
            path: cache.join(&name),
            error,
        })
    }

    /// Refuses a kernel without KVM for this processor, and says why it has none.
    fn holds_kvm(&self, modules: &Modules) -> Result<(), ImageError> {
        let module = self.host.module();
        if modules.has_file(module) || modules.is_built_in(module) {
            return Ok(());
        }
        let release = self.kernel.release.clone();
        let no = |what: String| Err(ImageError::NoKvm { release, what });
        let Some(options) = self.kernel.options() else {
            // Only the kernel itself knows what is built in.
            return match &self.kernel.modules {
                Some(folder) => no(format!(
                    "no module {module} in {}, and no configuration beside the image that would say why",
                    folder.display()
                )),
                None => Ok(()),
            };
        };
        let value = |name: &str| options.get(name).map(String::as_str);
        let wanted = self.host.options();
        if let Some(missing) = wanted.iter().find(|name| value(name).is_none()) {
            return no(format!("{missing} is not set in its configuration"));
        }
        match wanted.iter().find(|name| value(name) == Some("m")) {
            // Built in, and nothing lists what is.
            None => Ok(()),
            Some(option) => no(format!(
                "{option}=m, and {} has no {module}; name the folder of its modules with --modules",
                match &self.kernel.modules {
                    Some(folder) => folder.display().to_string(),
                    None => "the package or build tree".to_owned(),
                }
            )),
        }
    }

    /// What the archive depends on: its parts, each by path, size, time and inode.
    fn key(&self, this: &Program) -> u64 {
        let mut hasher = DefaultHasher::new();
        (FORMAT, &self.kernel.release, self.host.label()).hash(&mut hasher);
        self.host.module().hash(&mut hasher);
        let mut file = |path: &Path| {
            path.hash(&mut hasher);
            if let Ok(about) = fs::metadata(path) {
                (about.size(), about.ino(), about.mtime(), about.mtime_nsec()).hash(&mut hasher);
            }
        };
        file(Path::new("/proc/self/exe"));
        this.objects.iter().for_each(|path| file(path));
        if let Some(folder) = &self.kernel.modules {
            file(folder);
            for list in ["modules.dep", "modules.order", "modules.builtin"] {
                file(&folder.join(list));
            }
        }
        for (path, program) in self.qemus {
            file(path);
            let files = program.objects.iter().chain(&program.data);
            files.for_each(|path| file(path));
        }
        self.files.iter().for_each(|path| file(path));
        for (_, program) in self.qemus {
            (&program.launch.arguments, &program.launch.variables).hash(&mut hasher);
            (&program.folders, &program.links).hash(&mut hasher);
        }
        hasher.finish()
    }

    fn root(&self, modules: &Modules, this: &Program) -> Result<Initramfs, ImageError> {
        let mut root = Initramfs::new();
        // What the kernel opens as standard input, output and error of /init.
        root.device("/dev/console", 0o600, 5, 1)?;
        for folder in ["/proc", "/sys", "/tmp"] {
            root.folder(folder)?;
        }
        let (own, linking) = read_object(Path::new("/proc/self/exe"))?;
        root.file("/init", 0o755, own)?;
        let own_path = fs::read_link("/proc/self/exe").unwrap_or_default();
        add_loader(&mut root, &linking)?;
        for path in this.objects.iter().filter(|path| **path != own_path) {
            add_object(&mut root, path)?;
        }
        let mut launches = Launches::new();
        for (path, program) in self.qemus {
            add_program(&mut root, program)?;
            launches.insert(path.clone(), program.launch.clone());
        }
        for path in self.files {
            add_file(&mut root, path)?;
        }
        let loaded = if modules.has_file(self.host.module()) {
            modules.with_dependencies(&[self.host.module()])?
        } else {
            Vec::new()
        };
        let setup = Setup {
            modules: loaded.iter().map(|module| module.name.clone()).collect(),
            launches,
            transport: self.host.transport(),
        };
        for mut module in loaded {
            let path = format!("{MODULES}/{}.ko", module.name);
            if self.host.lean_modules() {
                lean_module(&mut module.bytes);
            }
            root.file(&path, 0o644, module.bytes)?;
        }
        let setup = serde_json::to_vec(&setup).map_err(ImageError::Setup)?;
        root.file(SETUP, 0o644, setup)?;
        Ok(root)
    }
}

fn write(root: &Initramfs, file: &mut fs::File) -> std::io::Result<()> {
    let mut writer = BufWriter::with_capacity(1 << 20, file);
    root.write_to(&mut writer)?;
    writer.flush()
}

/// All files of a program, at their own paths.
fn add_program(root: &mut Initramfs, program: &Program) -> Result<(), ImageError> {
    for folder in &program.folders {
        root.folder(&folder.display().to_string())?;
    }
    for object in &program.objects {
        add_object(root, object)?;
    }
    for file in &program.data {
        add_file(root, file)?;
    }
    add_links(root, &program.links)
}

/// A file as it is, at its own path.
fn add_file(root: &mut Initramfs, path: &Path) -> Result<(), ImageError> {
    let failed = |error| ImageError::File {
        path: path.to_owned(),
        error,
    };
    let mode = fs::metadata(path).map_err(failed)?.mode() & 0o111;
    let bytes = open::bytes(path, PROGRAM).map_err(failed)?;
    root.file(&path.display().to_string(), 0o644 | mode, bytes)?;
    Ok(())
}

/// The links that are not there yet: libraries have links by their names already, to the same files.
fn add_links(root: &mut Initramfs, links: &Links) -> Result<(), ImageError> {
    for (link, target) in links {
        let link = link.display().to_string();
        if !root.has(&link) {
            root.link(&link, &target.display().to_string())?;
        }
    }
    Ok(())
}

/// An ELF file at its own path, and links from the names under which it is looked for.
fn add_object(root: &mut Initramfs, path: &Path) -> Result<(), ImageError> {
    let shown = path.display().to_string();
    if root.has(&shown) {
        return Ok(());
    }
    let (bytes, linking) = read_object(path)?;
    root.file(&shown, 0o755, bytes)?;
    add_loader(root, &linking)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if let Some(soname) = &linking.soname
        && *soname != name
    {
        let folder = path.parent().unwrap_or(Path::new("/")).display();
        root.link(&format!("{folder}/{soname}"), &name)?;
    }
    Ok(())
}

/// The loader under the name that a program has in it.
fn add_loader(
    root: &mut Initramfs,
    linking: &crate::vmm::linux::elf::Linking,
) -> Result<(), ImageError> {
    let Some(loader) = &linking.interpreter else {
        return Ok(());
    };
    let mut links = Links::new();
    let real = links::resolve(Path::new(loader), &mut links).map_err(|error| ImageError::File {
        path: PathBuf::from(loader),
        error,
    })?;
    add_links(root, &links)?;
    let shown = real.display().to_string();
    if !root.has(&shown) {
        let (bytes, _) = read_object(&real)?;
        root.file(&shown, 0o755, bytes)?;
    }
    Ok(())
}
