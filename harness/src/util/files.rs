//! Files that are there whole or not at all.

use std::io::Write as _;
use std::path::Path;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asking_leaves_an_old_file_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("new/result.json");
        assert!(writable(&path).is_ok() && !path.exists());
        write_whole(&path, b"old").expect("a file");
        writable(&path).expect("a file that can be written");
        assert_eq!(std::fs::read(&path).expect("the file"), b"old");
    }

    #[test]
    fn a_folder_is_no_file() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(writable(folder.path()).is_err());
        std::fs::write(folder.path().join("file"), b"").expect("a file");
        assert!(writable(&folder.path().join("file/result.json")).is_err());
    }
}
