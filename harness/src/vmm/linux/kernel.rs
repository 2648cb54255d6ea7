//! Finding a kernel: its image, its release, its modules, its configuration.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::util::open;
use crate::util::path::component;

/// A kernel that can be booted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Kernel {
    /// What `uname -r` will say; the image itself tells it.
    pub release: String,
    /// The bzImage.
    pub image: PathBuf,
    /// The folder of its modules (`…/lib/modules/RELEASE`, or a build tree); `None` where there is none.
    pub modules: Option<PathBuf>,
    /// Its `.config`; `None` where there is none.
    pub config: Option<PathBuf>,
}

/// Why there is no kernel.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// A path that is not there, or cannot be read.
    #[error("failed to read {path}: {error}")]
    Read {
        /// The path.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The file is no image that QEMU's `-kernel` boots.
    #[error("{0} is no bzImage: the signature “HdrS” at 202H is missing")]
    NotAnImage(PathBuf),
    /// The image's release would not be a plain name.
    #[error(
        "{image} says that its release is {release:?}: letters, digits and . _ + - ~ are expected, as in 6.12.117+deb13-amd64"
    )]
    Release {
        /// The image.
        image: PathBuf,
        /// What it says.
        release: String,
    },
    /// A folder without an image.
    #[error(
        "no kernel image in {0}: neither boot/vmlinuz-* nor lib/modules/*/vmlinuz (an unpacked package), nor arch/x86/boot/bzImage (a build tree)"
    )]
    NoImage(PathBuf),
    /// A folder with several images.
    #[error("{} kernel images in {folder}: name one, and its modules with --modules: {}", images.len(), listed(images))]
    Several {
        /// The folder.
        folder: PathBuf,
        /// The images.
        images: Vec<PathBuf>,
    },
    /// The folder of modules belongs to another kernel.
    #[error("modules of another version: {folder} has those of {}, the kernel is {release}", found.join(", "))]
    OtherModules {
        /// The folder that was named.
        folder: PathBuf,
        /// Releases it has modules of.
        found: Vec<String>,
        /// The kernel's release.
        release: String,
    },
    /// There are no modules where they were said to be.
    #[error(
        "no kernel modules in {0}: neither is it a folder of lib/modules, nor does it hold one"
    )]
    NoModules(PathBuf),
}

fn listed(paths: &[PathBuf]) -> String {
    let paths: Vec<_> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    paths.join(", ")
}

/// Where folders of modules are, below a root.
const MODULE_FOLDERS: [&str; 2] = ["lib/modules", "usr/lib/modules"];

impl Kernel {
    /// The kernel at `path`: an image, an unpacked package (several, into the same folder, where a distribution splits them),
    /// or a build tree.
    ///
    /// `modules` is where its modules are: the folder `lib/modules/RELEASE`, or one that it is below of, as
    /// `INSTALL_MOD_PATH` of `make modules_install` was. Without it they are looked for beside the image.
    ///
    /// # Errors
    /// There is no image, or more than one; it is no bzImage; the modules are not there, or another kernel's.
    pub fn find(path: &Path, modules: Option<&Path>) -> Result<Kernel, KernelError> {
        let read = |error| KernelError::Read {
            path: path.to_owned(),
            error,
        };
        let about = std::fs::metadata(path).map_err(read)?;
        let (image, root) = if about.is_dir() {
            (the_image(path)?, path.to_owned())
        } else {
            (path.to_owned(), root_of(path))
        };
        let release = release(&image)?;
        let modules = match modules {
            Some(named) => Some(named_modules(named, &release)?),
            None => beside(&root, &release),
        };
        let config = configurations(&root, &image, &release).find(|path| path.is_file());
        Ok(Kernel {
            release,
            image,
            modules,
            config,
        })
    }

    /// `(6, 12)` of `6.12.117+deb13-cloud-amd64`.
    pub fn version(&self) -> Option<(u32, u32)> {
        version(&self.release)
    }

    /// `linux-6.12`, or `linux-RELEASE` where the release starts with no two numbers.
    pub fn label(&self) -> String {
        match self.version() {
            Some((major, minor)) => format!("linux-{major}.{minor}"),
            None => format!("linux-{}", self.release),
        }
    }

    /// The options of its configuration that are set, by name, as `CONFIG_KVM` → `m`; `None` where there is none to read.
    pub fn options(&self) -> Option<BTreeMap<String, String>> {
        let text = open::text(self.config.as_ref()?).ok()?;
        let set = text.lines().filter_map(|line| {
            let (name, value) = line.split_once('=')?;
            name.starts_with("CONFIG_")
                .then(|| (name.to_owned(), value.trim_matches('"').to_owned()))
        });
        Some(set.collect())
    }
}

/// Major and minor number of a release.
pub fn version(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(|letter: char| !letter.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// The one image of a folder.
fn the_image(folder: &Path) -> Result<PathBuf, KernelError> {
    let built = folder.join("arch/x86/boot/bzImage");
    if built.is_file() {
        return Ok(built);
    }
    let in_boot = entries(&folder.join("boot")).into_iter().filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name == "vmlinuz" || name.starts_with("vmlinuz-")
    });
    // Fedora, Arch and Debian's split packages have it there.
    let with_modules = MODULE_FOLDERS
        .iter()
        .flat_map(|below| entries(&folder.join(below)))
        .map(|release| release.join("vmlinuz"))
        .filter(|path| path.is_file());
    let mut images: Vec<PathBuf> = in_boot.chain(with_modules).collect();
    // One of them may be a link to another, or a copy of it under another name.
    images.sort_by_cached_key(|path| path.canonicalize().unwrap_or_else(|_| path.clone()));
    images.dedup_by_key(|path| {
        path.canonicalize()
            .unwrap_or_else(|_| path.clone())
            .to_owned()
    });
    images.dedup_by_key(|path| release(path).ok());
    match images.len() {
        0 => Err(KernelError::NoImage(folder.to_owned())),
        1 => Ok(images.remove(0)),
        _ => Err(KernelError::Several {
            folder: folder.to_owned(),
            images,
        }),
    }
}

/// The folder that an image's package or build tree is in: what stands before boot/, lib/modules/ or arch/.
fn root_of(image: &Path) -> PathBuf {
    let whole = std::path::absolute(image).unwrap_or_else(|_| image.to_owned());
    let folder = whole.parent().unwrap_or(Path::new("/")).to_owned();
    let stems = ["arch/x86/boot", "arch/x86_64/boot", "boot"];
    for stem in stems {
        if folder.ends_with(stem) {
            let above = folder.ancestors().nth(Path::new(stem).components().count());
            return above.unwrap_or(Path::new("/")).to_owned();
        }
    }
    // …/usr/lib/modules/RELEASE/vmlinuz
    match folder.ancestors().nth(1) {
        Some(above) if above.ends_with("usr/lib/modules") => ancestor(above, 3),
        Some(above) if above.ends_with("lib/modules") => ancestor(above, 2),
        _ => folder,
    }
}

fn ancestor(path: &Path, up: usize) -> PathBuf {
    path.ancestors()
        .nth(up)
        .unwrap_or(Path::new("/"))
        .to_owned()
}

/// The folder of modules that was named.
fn named_modules(named: &Path, release: &str) -> Result<PathBuf, KernelError> {
    std::fs::read_dir(named).map_err(|error| KernelError::Read {
        path: named.to_owned(),
        error,
    })?;
    if let Some(found) = beside(named, release).or_else(|| folder(named.join(release))) {
        return Ok(found);
    }
    if is_modules(named) {
        return Ok(named.to_owned());
    }
    let below = MODULE_FOLDERS
        .iter()
        .map(|below| named.join(below))
        .chain([named.to_owned()]);
    let mut found: Vec<String> = below
        .flat_map(|folder| entries(&folder))
        .filter(|path| is_modules(path))
        .map(|path| {
            path.file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    found.sort();
    if found.is_empty() {
        Err(KernelError::NoModules(named.to_owned()))
    } else {
        Err(KernelError::OtherModules {
            folder: named.to_owned(),
            found,
            release: release.to_owned(),
        })
    }
}

/// The release's modules below a root, or those that were built in it.
fn beside(root: &Path, release: &str) -> Option<PathBuf> {
    let installed = MODULE_FOLDERS
        .iter()
        .find_map(|below| folder(root.join(below).join(release)));
    // A build tree has them where they were made, and modules.order lists them.
    let built = || {
        let tree = root.join("arch/x86/boot/bzImage").is_file() && is_modules(root);
        tree.then(|| root.to_owned())
    };
    installed.or_else(built)
}

fn folder(path: PathBuf) -> Option<PathBuf> {
    path.is_dir().then_some(path)
}

/// Whether a folder has one of the lists that kbuild and depmod leave beside modules.
fn is_modules(folder: &Path) -> bool {
    let lists = ["modules.order", "modules.builtin", "modules.dep"];
    lists.iter().any(|name| folder.join(name).is_file())
}

fn configurations<'a>(
    root: &'a Path,
    image: &'a Path,
    release: &'a str,
) -> impl Iterator<Item = PathBuf> + 'a {
    let beside = image.parent().unwrap_or(Path::new("/"));
    let with_modules = MODULE_FOLDERS
        .iter()
        .map(move |below| root.join(below).join(release).join("config"));
    [
        root.join(".config"),
        beside.join(format!("config-{release}")),
        beside.join("config"),
        root.join("boot").join(format!("config-{release}")),
    ]
    .into_iter()
    .chain(with_modules)
}

/// The release that a bzImage tells: the word that `kernel_version` of its header points to
/// (Documentation/arch/x86/boot.rst).
fn release(image: &Path) -> Result<String, KernelError> {
    const SIGNATURE: usize = 0x202;
    const POINTER: usize = 0x20E;
    let bytes = head(image).map_err(|error| KernelError::Read {
        path: image.to_owned(),
        error,
    })?;
    let not = || KernelError::NotAnImage(image.to_owned());
    if bytes.get(SIGNATURE..SIGNATURE + 4) != Some(b"HdrS") {
        return Err(not());
    }
    let pointer = bytes.get(POINTER..POINTER + 2).ok_or_else(not)?;
    let at = usize::from(u16::from_le_bytes([pointer[0], pointer[1]])) + 0x200;
    let text = bytes.get(at..).ok_or_else(not)?;
    let word = text
        .split(|byte| *byte == 0 || byte.is_ascii_whitespace())
        .next()
        .unwrap_or_default();
    let release = String::from_utf8_lossy(word).into_owned();
    if release.is_empty() {
        return Err(not());
    }
    match component(&release) {
        Some(plain) => Ok(plain.to_owned()),
        None => Err(KernelError::Release {
            image: image.to_owned(),
            release,
        }),
    }
}

/// The part of an image that holds its real-mode code.
fn head(image: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    open::regular(image)?
        .take(0x2_0000)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What is in a folder, sorted; nothing where it cannot be read.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

#[cfg(test)]
#[path = "kernel_tests.rs"]
mod tests;
