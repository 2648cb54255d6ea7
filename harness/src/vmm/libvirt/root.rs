//! The folder in which a private libvirt keeps all that it writes.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// Start of the names of these folders; nothing else is ever cleaned up.
const PREFIX: &str = "cpuid-fidelity-libvirt-";
/// File in it that is locked for as long as its owner lives.
const LOCK: &str = "owner";

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
        // Short: the path of a UNIX socket has at most 107 bytes, and libvirt adds 60 to it.
        let folder = std::env::temp_dir();
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
        for folder in ["etc", "ram"] {
            std::fs::create_dir(root.path.join(folder))?;
        }
        let mut file = std::fs::File::create(root.path.join("etc/qemu.conf"))?;
        let ram = root.path.join("ram");
        writeln!(
            file,
            "{CONFIGURATION}memory_backing_dir = \"{}\"",
            ram.display()
        )?;
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

/// Removes what killed runs left: folders of ours whose owner's lock nobody holds any more. Their guests ended with the PID namespace.
fn clean(folder: &Path) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let ours = name.to_string_lossy().starts_with(PREFIX);
        let lock = ours.then(|| std::fs::File::open(entry.path().join(LOCK)));
        if let Some(Ok(lock)) = lock
            && flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok()
        {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
