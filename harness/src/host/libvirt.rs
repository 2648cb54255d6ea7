//! Whether this host has a libvirt whose QEMU driver can be run privately, found out from files alone.

use crate::util::limits::KERNEL_TEXT;
use crate::util::open;
use std::path::{Path, PathBuf};

/// Why it has not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LibvirtError {
    /// A program is missing.
    #[error("no {0} in PATH: libvirt is not installed (scripts/setup brings it)")]
    Program(&'static str),
    /// virsh is there, and not the driver.
    #[error("libvirt's QEMU driver ({DRIVER}) is not installed (scripts/setup brings it)")]
    Driver,
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
/// virsh with the driver in it, in namespaces, with its output unbuffered.
const PROGRAMS: [&str; 3] = ["virsh", "unshare", "stdbuf"];
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

/// Whether a private libvirt can be run.
///
/// # Errors
/// What is missing.
pub fn usable() -> Result<(), LibvirtError> {
    let missing = PROGRAMS.into_iter().find(|name| !in_path(name));
    if let Some(name) = missing {
        return Err(LibvirtError::Program(name));
    }
    let named = std::env::var_os("LIBVIRT_DRIVER_DIR").map(PathBuf::from);
    let mut folders = named.into_iter().chain(DRIVER_FOLDERS.map(PathBuf::from));
    if !folders.any(|folder| folder.join(DRIVER).exists()) {
        return Err(LibvirtError::Driver);
    }
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

/// The folder of the installed `cpu_map`.
pub fn map_folder() -> Option<&'static Path> {
    MAPS.map(Path::new)
        .into_iter()
        .find(|folder| folder.join("index.xml").exists())
}

fn in_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
