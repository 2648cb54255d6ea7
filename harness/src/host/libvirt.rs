//! The libvirts of this host, and whether the QEMU driver of one can be run privately, found out from files alone.

use std::path::{Path, PathBuf};

use crate::util::limits::KERNEL_TEXT;
use crate::util::open;
use crate::util::path::{folder_of, in_path};
use crate::vmm::libvirt::Virsh;

/// Why it has not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LibvirtError {
    /// A program is missing.
    #[error("no {0} in PATH: libvirt is not installed (scripts/setup brings it)")]
    Program(&'static str),
    /// virsh is there, and not the driver.
    #[error("libvirt's QEMU driver ({DRIVER}) is not installed (scripts/setup brings it)")]
    Driver,
    /// A libvirt that was named has no QEMU driver beside its virsh.
    #[error("{}: no {DRIVER} of this libvirt: of a build tree name build/tools/virsh, of an installation bin/virsh", .0.display())]
    NoDriver(PathBuf),
    /// The kernel lets nobody make user namespaces.
    #[error("libvirt cannot be run apart from the host's own: user namespaces are off ({0})")]
    Namespaces(&'static str),
}

const DRIVER: &str = "libvirt_driver_qemu.so";
/// Where distributions have it; `LIBVIRT_DRIVER_DIR` is libvirt's own variable for another place.
const DRIVER_FOLDERS: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/libvirt/connection-driver",
    "/usr/lib64/libvirt/connection-driver",
    "/usr/lib/libvirt/connection-driver",
    "/usr/local/lib/libvirt/connection-driver",
];
/// Where distributions have libvirt's files of CPUs.
const MAPS: [&str; 2] = [
    "/usr/share/libvirt/cpu_map",
    "/usr/local/share/libvirt/cpu_map",
];
/// Where the driver is from the folder of a virsh that was named: fetched by `scripts/fetch-libvirt`, installed, or built.
const DRIVERS_BESIDE: [&str; 5] = [
    "driver",
    "../lib/x86_64-linux-gnu/libvirt/connection-driver",
    "../lib64/libvirt/connection-driver",
    "../lib/libvirt/connection-driver",
    "../src",
];
/// Where libvirt's files of CPUs are from there, likewise.
const MAPS_BESIDE: [&str; 3] = ["cpu_map", "../share/libvirt/cpu_map", "../../src/cpu_map"];
/// In namespaces, with its output unbuffered.
const PROGRAMS: [&str; 2] = ["unshare", "stdbuf"];
/// Switches of the kernel's, and the value that lets nobody but root make user namespaces.
const SWITCHES: [(&str, &str, bool); 3] = [
    ("/proc/sys/user/max_user_namespaces", "0", true),
    ("/proc/sys/kernel/unprivileged_userns_clone", "0", false),
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        false,
    ),
];

/// A libvirt: the installed one, or one that was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// What starts it.
    pub virsh: Virsh,
}

impl Installation {
    /// What the distribution installed.
    pub fn of_path() -> Installation {
        Installation {
            virsh: Virsh::of_path(),
        }
    }

    /// The one whose virsh is at this path.
    pub fn at(program: PathBuf) -> Installation {
        // What scripts/fetch-libvirt takes along for it.
        let answers_at_once = folder_of(&program).join("lib/libstdbuf.so").is_file();
        Installation {
            virsh: Virsh {
                program,
                answers_at_once,
            },
        }
    }

    /// The folder of a libvirt that was named.
    pub fn named(&self) -> Option<&Path> {
        let program = &self.virsh.program;
        program
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
    }

    /// Whether it can be run privately.
    ///
    /// # Errors
    /// What is missing.
    pub fn usable(&self) -> Result<(), LibvirtError> {
        let virsh = self.named().is_none().then_some("virsh");
        let missing = virsh.into_iter().chain(PROGRAMS);
        if let Some(name) = missing.into_iter().find(|name| in_path(name).is_none()) {
            return Err(LibvirtError::Program(name));
        }
        self.driver()?;
        let root = rustix::process::geteuid().is_root();
        let off = SWITCHES.into_iter().find(|(file, value, for_root)| {
            let set = open::text(file, KERNEL_TEXT).is_ok_and(|text| text.trim() == *value);
            set && (*for_root || !root)
        });
        match off {
            Some((file, _, _)) => Err(LibvirtError::Namespaces(file)),
            None => Ok(()),
        }
    }

    fn driver(&self) -> Result<(), LibvirtError> {
        let there = |folder: PathBuf| folder.join(DRIVER).exists();
        if let Some(folder) = self.named() {
            let mut beside = DRIVERS_BESIDE.iter().map(|place| folder.join(place));
            return beside
                .any(there)
                .then_some(())
                .ok_or_else(|| LibvirtError::NoDriver(self.virsh.program.clone()));
        }
        let named = std::env::var_os("LIBVIRT_DRIVER_DIR").map(PathBuf::from);
        let mut folders = named.into_iter().chain(DRIVER_FOLDERS.map(PathBuf::from));
        folders.any(there).then_some(()).ok_or(LibvirtError::Driver)
    }

    /// The folder of its `cpu_map`.
    pub fn map_folder(&self) -> Option<PathBuf> {
        let mut folders: Vec<PathBuf> = match self.named() {
            Some(folder) => MAPS_BESIDE.iter().map(|place| folder.join(place)).collect(),
            None => MAPS.map(PathBuf::from).into(),
        };
        folders.retain(|folder| folder.join("index.xml").exists());
        folders.into_iter().next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &Path) {
        std::fs::create_dir_all(folder_of(path)).expect("a folder");
        std::fs::write(path, "").expect("a file");
    }

    #[test]
    fn a_fetched_an_installed_and_a_built_libvirt_have_their_parts_beside_virsh() {
        for (virsh, driver, map) in [
            ("virsh", "driver", "cpu_map"),
            (
                "bin/virsh",
                "lib/x86_64-linux-gnu/libvirt/connection-driver",
                "share/libvirt/cpu_map",
            ),
            ("build/tools/virsh", "build/src", "src/cpu_map"),
        ] {
            let folder = tempfile::tempdir().expect("a folder");
            let virsh = folder.path().join(virsh);
            file(&virsh);
            let libvirt = Installation::at(virsh.clone());
            let error = libvirt.driver().expect_err("no driver");
            assert_eq!(error, LibvirtError::NoDriver(virsh));
            file(&folder.path().join(driver).join(DRIVER));
            assert_eq!(libvirt.driver(), Ok(()));
            assert_eq!(libvirt.map_folder(), None);
            file(&folder.path().join(map).join("index.xml"));
            let found = libvirt.map_folder().expect("a map");
            let wanted = folder.path().join(map).canonicalize();
            assert_eq!(
                found.canonicalize().expect("a path"),
                wanted.expect("a path")
            );
        }
    }
}
