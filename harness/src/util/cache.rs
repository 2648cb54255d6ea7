//! A folder of files that can be had again: shared by users, read-only, or one's own.
//!
//! A file that is there is read, whoever made it. A new one is made where that is allowed, else in a folder of one's own.

use std::fs::{DirBuilder, File, Metadata};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{Error, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{Access, access};
use rustix::process::geteuid;

use super::files::{being_made, forget, forget_unfinished};
use super::{open, owner};

/// What the names of files start with that are kept in a cache and may be removed again.
pub const KEPT_PREFIX: &str = "cpuid-fidelity-";

/// How long such a file is kept that nobody uses.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// The file `name` of the cache `folder`, or of one's own in its place, where it is there and can be read; that it is in use is marked by
/// its time.
pub fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let shared = folder.join(name);
    if is_read(&shared) {
        return Some(shared);
    }
    let mut own = own_folders(folder).filter(|own| is_private(own));
    own.find_map(|own| Some(own.join(name)).filter(|path| is_read(path)))
}

fn is_read(path: &Path) -> bool {
    let Ok(file) = open::regular(path) else {
        return false;
    };
    // Only its owner may set a file's time; for others it is as old as its owner's last use.
    let _ = file.set_modified(SystemTime::now());
    true
}

/// Makes the file `name` of the cache `folder`, or of one's own where that cannot be written to: whole, or not at all. What carries
/// [`KEPT_PREFIX`] there and nobody has used for long is removed. Two programs that make the same file at once both succeed.
///
/// # Errors
/// No such folder can be written to, or no space is left.
pub fn make(
    folder: &Path,
    name: &str,
    write: impl FnOnce(&mut File) -> std::io::Result<()>,
) -> std::io::Result<PathBuf> {
    let folder = writable_folder(folder)?;
    let path = folder.join(name);
    let mut file = being_made(&folder, 0o644)?;
    write(file.as_file_mut())?;
    file.persist(&path).map_err(|error| error.error)?;
    forget_unused(&folder);
    Ok(path)
}

/// Removes what this program made in `folder` and nobody has used for long, and what it was killed over.
fn forget_unused(folder: &Path) {
    forget(folder, KEPT_PREFIX, KEPT);
    forget_unfinished(folder);
}

/// `folder`, made where it is not there, if it can be written to; else one's own in its place.
///
/// # Errors
/// None can be made or written to.
pub fn writable_folder(folder: &Path) -> std::io::Result<PathBuf> {
    usable_folder(folder, |_| true)
}

/// The same for a folder in which another program keeps files that only their owner may read: it must be ours.
///
/// # Errors
/// None can be made or written to.
pub fn private_folder(folder: &Path) -> std::io::Result<PathBuf> {
    usable_folder(folder, |folder| {
        folder.metadata().is_ok_and(|about| is_ours(&about))
    })
}

fn usable_folder(folder: &Path, good: fn(&Path) -> bool) -> std::io::Result<PathBuf> {
    match made(folder) {
        Ok(()) if good(folder) => return Ok(folder.to_owned()),
        Err(error) if !is_forbidden(&error) => return Err(error),
        _ => {}
    }
    let mut own = own_folders(folder);
    own.find(|own| make_private(own)).ok_or_else(|| {
        let message = format!(
            "neither {} nor a cache folder of one's own can be written to",
            folder.display()
        );
        Error::new(ErrorKind::PermissionDenied, message)
    })
}

fn made(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    Ok(access(folder, Access::WRITE_OK | Access::EXEC_OK)?)
}

fn is_forbidden(error: &Error) -> bool {
    let kinds = [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem];
    kinds.contains(&error.kind())
}

/// One's own folders in the place of the cache `folder`, the best first: below that of the XDG base directory specification, and in the
/// temporary folder, for users without a home folder.
fn own_folders(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let mut hasher = DefaultHasher::new();
    let whole = std::path::absolute(folder);
    whole.as_deref().unwrap_or(folder).hash(&mut hasher);
    let name = format!("instead-{:016x}", hasher.finish());
    let project = directories::ProjectDirs::from("", "", "cpuid-fidelity");
    let of_user = project.map(|project| project.cache_dir().to_owned());
    let temporary = format!("cpuid-fidelity-{}", geteuid().as_raw());
    let bases = of_user
        .into_iter()
        .chain([std::env::temp_dir().join(temporary)]);
    bases.map(move |base| base.join(&name))
}

fn make_private(own: &Path) -> bool {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(own);
    made.is_ok() && is_private(own)
}

/// Whether nobody else can have put anything into one's own folder: in the temporary one, anybody can make a folder of that name.
fn is_private(own: &Path) -> bool {
    let private = |folder: &Path| {
        let about = folder.symlink_metadata();
        about.is_ok_and(|about| about.is_dir() && about.mode() & 0o022 == 0 && is_ours(&about))
    };
    private(own) && own.parent().is_some_and(private)
}

fn is_ours(about: &Metadata) -> bool {
    owner::is_ours(about.uid())
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
