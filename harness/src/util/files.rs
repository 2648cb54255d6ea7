//! Files that are there whole or not at all.

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use tempfile::NamedTempFile;

/// Writes `bytes` beside `path` and then renames, so that an interrupted run leaves the old file or none. Missing folders
/// are made.
///
/// # Errors
/// The folder cannot be written to.
pub fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = beside(path)?;
    file.write_all(bytes)?;
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    file.as_file().set_permissions(permissions)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Whether [`write_whole`] will be able to write `path`, which is left as it is.
///
/// # Errors
/// It is a folder, or its folder cannot be written to.
pub fn writable(path: &Path) -> std::io::Result<()> {
    if path.is_dir() {
        return Err(std::io::ErrorKind::IsADirectory.into());
    }
    beside(path).map(drop)
}

fn beside(path: &Path) -> std::io::Result<NamedTempFile> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    tempfile::Builder::new()
        .prefix(".cpuid-fidelity-")
        .tempfile_in(folder)
}

/// What the names of files start with that are kept in a cache and may be removed again.
pub const KEPT_PREFIX: &str = "cpuid-fidelity-";

/// How long such a file is kept that nobody uses.
pub const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// Whether the file is there; that it is in use is marked by its time.
pub fn in_use(path: &Path) -> bool {
    let file = std::fs::File::options().append(true).open(path);
    file.is_ok_and(|file| file.set_modified(SystemTime::now()).is_ok())
}

/// A file beside `path`, to be renamed to it; one that is left behind is removed by [`forget_unused`].
///
/// # Errors
/// The folder cannot be written to.
pub fn being_made(folder: &Path) -> std::io::Result<NamedTempFile> {
    std::fs::create_dir_all(folder)?;
    tempfile::Builder::new()
        .prefix(KEPT_PREFIX)
        .tempfile_in(folder)
}

/// Removes what this program made in `folder` ([`KEPT_PREFIX`]) and nobody has used for long. No other file is touched, no folder and no
/// link; what cannot be removed stays.
pub fn forget_unused(folder: &Path) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let ours = entry.file_name().to_string_lossy().starts_with(KEPT_PREFIX);
        let about = entry.metadata().ok().filter(std::fs::Metadata::is_file);
        let modified = about.and_then(|about| about.modified().ok());
        let old = modified.is_some_and(|at| at.elapsed().unwrap_or_default() > KEPT);
        if ours && old {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_made_here_and_is_old_is_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let old = |name: &str| {
            let path = folder.path().join(name);
            let file = std::fs::File::create(&path).expect("a file");
            file.set_modified(SystemTime::now() - 2 * KEPT)
                .expect("a time");
            path
        };
        let theirs = ["Makefile", "COPYING", ".config", "x.cpio"].map(old);
        let ours = ["cpuid-fidelity-6.12-01.cpio", "cpuid-fidelity-Ab12Cd"].map(old);
        let link = folder.path().join("cpuid-fidelity-link");
        std::os::unix::fs::symlink(&theirs[0], &link).expect("a link");
        let used = old("cpuid-fidelity-used");
        assert!(in_use(&used));
        forget_unused(folder.path());
        assert!(theirs.iter().all(|path| path.exists()) && link.exists() && used.exists());
        assert!(ours.iter().all(|path| !path.exists()));
    }

    #[test]
    fn asking_leaves_an_old_file_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("new/result.json");
        assert!(writable(&path).is_ok() && !path.exists());
        write_whole(&path, b"old").expect("a file");
        writable(&path).expect("a file that can be written");
        assert_eq!(
            crate::util::open::bytes(&path, 9).expect("the file"),
            b"old"
        );
    }

    #[test]
    fn a_folder_is_no_file() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(writable(folder.path()).is_err());
        std::fs::write(folder.path().join("file"), b"").expect("a file");
        assert!(writable(&folder.path().join("file/result.json")).is_err());
    }
}
