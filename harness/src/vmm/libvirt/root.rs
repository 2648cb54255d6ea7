//! The folder in which a private libvirt keeps all that it writes.

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::util::open;
use crate::util::owner::is_ours;

/// Start of the names of these folders; nothing else is ever cleaned up.
const PREFIX: &str = "cpuid-fidelity-libvirt-";
/// File in it that is locked for as long as its owner lives.
const LOCK: &str = "owner";
/// The home of libvirt and its QEMUs, in it.
pub(super) const HOME: &str = "home";
/// Their temporary folder, in it.
pub(super) const TEMPORARY: &str = "tmp";

/// Most bytes of the folder's parent: the path of a UNIX socket has at most 107, the folder's own name 30, and libvirt adds 54 to it for the
/// ten-thousandth guest (`/lib/qemu/domain-9999-cpuid-fidelity-9999/monitor.sock`).
const LONGEST: usize = 23;
/// Where the folder is where the user's temporary folder cannot have it.
const SYSTEM: &str = "/tmp";

/// libvirt's configuration there. The driver only looks at this folder; what it would do with the host (security labels, control
/// groups, mount namespaces, file owners) has no bearing on the CPU, and is off: it wants rights and costs time.
const CONFIGURATION: &str = "\
security_driver = \"none\"
namespaces = []
cgroup_controllers = []
dynamic_ownership = 0
remember_owner = 0
stdio_handler = \"file\"
";

/// The folder, gone when dropped.
#[derive(Debug)]
pub(super) struct Root {
    path: PathBuf,
    _lock: std::fs::File,
}

impl Root {
    /// A new one. What libvirt finds out about QEMU binaries is kept in `cache`, which is shared.
    pub(super) fn new(cache: &Path) -> std::io::Result<Root> {
        let folder = place(&std::env::temp_dir());
        clean(&folder);
        let path = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(std::fs::Permissions::from_mode(0o700))
            .tempdir_in(folder)?
            .keep();
        // Locked before it has its name, so that nobody takes it for one that was left.
        let unnamed = path.join("new");
        let lock = std::fs::File::create(&unnamed)?;
        let root = Root { path, _lock: lock };
        flock(&root._lock, FlockOperation::NonBlockingLockExclusive)?;
        std::fs::rename(unnamed, root.path.join(LOCK))?;
        std::fs::create_dir_all(cache)?;
        std::os::unix::fs::symlink(std::path::absolute(cache)?, root.path.join("cache"))?;
        for folder in ["etc", "ram", HOME, TEMPORARY] {
            std::fs::create_dir(root.path.join(folder))?;
        }
        let text = format!(
            "{CONFIGURATION}memory_backing_dir = {}\n",
            configured(&root.path.join("ram"))?
        );
        std::fs::write(root.path.join("etc/qemu.conf"), text)?;
        Ok(root)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Where the folder shall be: in `preferred`, or where it would be too deep for sockets there, or cannot be written in libvirt's configuration,
/// in the system's folder.
fn place(preferred: &Path) -> PathBuf {
    let whole = std::path::absolute(preferred).unwrap_or_else(|_| preferred.to_owned());
    let fits = whole.as_os_str().len() <= LONGEST && configured(&whole).is_ok();
    if fits { whole } else { SYSTEM.into() }
}

/// A folder that libvirt's configuration cannot name.
#[derive(Debug, thiserror::Error)]
#[error(
    "libvirt cannot use {0}: a name without quotation marks and line ends, in UTF-8, is expected"
)]
struct Unnameable(PathBuf);

/// A path as a string of libvirt's configuration, which ends at the next quotation mark and has no escapes (virConfParseString).
fn configured(path: &Path) -> std::io::Result<String> {
    let text = path
        .to_str()
        .filter(|text| !text.contains(['"', '\n', '\r']));
    text.map(|text| format!("\"{text}\""))
        .ok_or_else(|| std::io::Error::other(Unnameable(path.to_owned())))
}

/// The private folder as libvirt's URI: every byte but the plainest is percent-encoded (RFC 3986, section 2).
pub(super) fn uri(root: &Path) -> String {
    let mut uri = String::from("qemu:///embed?root=");
    for byte in root.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

/// Removes what killed runs left: folders of ours whose owner's lock nobody holds any more. Their guests ended with the PID namespace.
fn clean(folder: &Path) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        // In a folder for everybody anything may have such a name.
        let about = entry.metadata();
        let ours = name.to_string_lossy().starts_with(PREFIX)
            && about.is_ok_and(|about| about.is_dir() && is_ours(about.uid()));
        let lock = ours.then(|| open::own(&entry.path().join(LOCK)));
        if let Some(Ok(lock)) = lock
            && flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok()
        {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn a_folder_with_any_name_is_percent_encoded() {
        let root = Path::new("/tmp/a \u{fc}/x&y?z#%");
        assert_eq!(
            uri(root),
            "qemu:///embed?root=/tmp/a%20%C3%BC/x%26y%3Fz%23%25"
        );
    }

    #[test]
    fn where_sockets_would_be_too_deep_the_systems_folder_is_taken() {
        assert_eq!(
            place(Path::new("/tmp/a \u{fc}")),
            Path::new("/tmp/a \u{fc}")
        );
        let deep = Path::new("/home/somebody/a/deep/folder");
        assert_eq!(place(deep), Path::new("/tmp"));
        assert_eq!(place(Path::new("/tmp/a\"b")), Path::new("/tmp"));
    }

    #[test]
    fn a_pipe_that_is_named_as_the_lock_holds_nobody_up_and_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let named = folder.path().join("cpuid-fidelity-libvirt-x");
        std::fs::create_dir(&named).expect("a folder");
        let pipe = named.join(LOCK);
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
        let (send, receive) = std::sync::mpsc::channel();
        let path = folder.path().to_owned();
        std::thread::spawn(move || send.send(clean(&path)));
        let timeout = std::time::Duration::from_secs(10);
        receive.recv_timeout(timeout).expect("nobody waits");
        assert!(pipe.exists());
    }

    #[test]
    fn a_link_to_another_folder_is_not_cleaned() {
        let folder = tempfile::tempdir().expect("a folder");
        let theirs = folder.path().join("theirs");
        std::fs::create_dir(&theirs).expect("a folder");
        std::fs::write(theirs.join(LOCK), "").expect("a lock");
        let link = folder.path().join("cpuid-fidelity-libvirt-link");
        std::os::unix::fs::symlink(&theirs, link).expect("a link");
        clean(folder.path());
        assert!(theirs.join(LOCK).exists());
    }

    #[test]
    fn only_what_a_dead_owner_left_is_cleaned() {
        let folder = tempfile::tempdir().expect("a folder");
        let make = |name: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir(&path).expect("a folder");
            std::fs::File::create(path.join(LOCK)).expect("a lock")
        };
        let dead = make("cpuid-fidelity-libvirt-dead");
        drop(dead);
        let living = make("cpuid-fidelity-libvirt-living");
        flock(&living, FlockOperation::NonBlockingLockExclusive).expect("a lock");
        drop(make("somebody-elses"));
        clean(folder.path());
        let there = |name: &str| folder.path().join(name).exists();
        assert!(!there("cpuid-fidelity-libvirt-dead"));
        assert!(there("cpuid-fidelity-libvirt-living") && there("somebody-elses"));
    }
}
