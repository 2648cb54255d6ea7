//! What a user calls a QEMU, a libvirt or a kernel: a release, a folder or a path, the same in every option.

use std::path::{Path, PathBuf};

use crate::case::LabKernel;
use crate::config::Config;
use crate::host::libvirt::Installation;
use crate::lanes::kernels::kernels;
use crate::util::cancel::Cancel;
use crate::util::near::near;
use crate::util::order::natural;
use crate::util::path::in_path;

use super::compat::release;
use super::inventory::inventory;

/// The program in a folder of a QEMU.
const PROGRAM: &str = "qemu-system-x86_64";
/// Where that program is below a folder: of `scripts/fetch-qemu` or a build, of a source tree, of an installation.
const PLACES: [&str; 4] = ["", "build", "bin", "usr/bin"];

/// The program of a libvirt, and where it is below a folder: of `scripts/fetch-libvirt`, of an installation, of a source tree.
const VIRSH: &str = "virsh";
const VIRSHES: [&str; 4] = ["", "bin", "usr/bin", "build/tools"];
/// Where `scripts/fetch-libvirt` puts them, below the cache.
const FETCHED_LIBVIRTS: &str = "libvirts";

/// A name that stands for nothing here.
#[derive(Debug, thiserror::Error)]
pub enum NameError {
    /// It is no release that is here, and no path.
    #[error("no {what} “{name}” here: {}", list(.there, .near, .fetch))]
    Unknown {
        /// `QEMU`, `libvirt` or `kernel`.
        what: &'static str,
        /// What was named.
        name: String,
        /// The releases that are here, oldest first.
        there: Vec<String>,
        /// Those of them that are nearest.
        near: Vec<String>,
        /// The script that brings others.
        fetch: &'static str,
    },
    /// A folder without libvirt.
    #[error("{}: no virsh in this folder, nor in bin/, usr/bin/ or build/tools/ below it", .0.display())]
    NoVirsh(PathBuf),
    /// A path that is no file.
    #[error("no virsh at {}", .0.display())]
    NoFile(PathBuf),
    /// A folder without QEMU.
    #[error("{}: no {PROGRAM} in this folder, nor in build/, bin/ or usr/bin/ below it", .0.display())]
    NoProgram(PathBuf),
}

fn list(there: &[String], near: &[String], fetch: &str) -> String {
    let releases = if there.is_empty() {
        "there is none".to_owned()
    } else {
        format!("there are {}", there.join(", "))
    };
    let meant = if near.is_empty() || near.len() == there.len() {
        String::new()
    } else {
        format!("; near to it: {}", near.join(", "))
    };
    format!("{releases}{meant}; {fetch} brings others, and a path or a folder names one")
}

/// The binary of the QEMU that is called `name`: a path, a folder that has one, a program in PATH, or a release that is here, as 11.1,
/// 10.0.2 or qemu-11.1. A path that has a slash is taken as it is, so that the one who starts it reports what is wrong with it.
///
/// # Errors
/// There is no such release, or a folder has no QEMU.
pub fn qemu(config: &Config, name: &Path, cancel: &Cancel) -> Result<PathBuf, NameError> {
    if name.is_dir() {
        return program_in(name).ok_or_else(|| NameError::NoProgram(name.to_owned()));
    }
    if let Some(path) = slashless(name).and_then(in_path) {
        return Ok(path);
    }
    let Some(text) = bare(name) else {
        return Ok(name.to_owned());
    };
    let paths = config.qemu_paths();
    let wanted = text.strip_prefix("qemu-").unwrap_or(text);
    if let Some(path) = paths.iter().find(|path| folder_name(path) == Some(wanted)) {
        return Ok(path.clone());
    }
    let qemus = inventory(config, &paths, cancel).qemus;
    match release(&qemus, wanted) {
        Some(qemu) => Ok(qemu.path.clone()),
        None => Err(unknown(
            ("QEMU", "scripts/fetch-qemu"),
            text,
            qemus.iter().map(|qemu| qemu.offers.version.clone()),
        )),
    }
}

/// The libvirt that is called `name`: the path of its virsh, a folder that has one, `virsh` in PATH, or a release that was fetched or is
/// installed, as 9.0, 12 or libvirt-11.3.0.
///
/// # Errors
/// There is no such release, or no virsh at the path or in the folder.
pub fn libvirt(config: &Config, name: &Path, cancel: &Cancel) -> Result<Installation, NameError> {
    if name.is_dir() {
        let found = first_file(VIRSHES.map(|place| name.join(place).join(VIRSH)));
        let found = found.ok_or_else(|| NameError::NoVirsh(name.to_owned()));
        return found.map(Installation::at);
    }
    let Some(text) = slashless(name) else {
        return if name.is_file() {
            Ok(Installation::at(name.to_owned()))
        } else {
            Err(NameError::NoFile(name.to_owned()))
        };
    };
    if let Some(path) = in_path(text) {
        return Ok(Installation::at(path));
    }
    let wanted = text.strip_prefix("libvirt-").unwrap_or(text);
    let there = libvirts(config, cancel);
    let named = |version: &str| {
        let rest = version.strip_prefix(wanted);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    // The newest of those that the name fits.
    match there.iter().rev().find(|(version, _)| named(version)) {
        Some((_, libvirt)) => Ok(libvirt.clone()),
        None => {
            let versions = there.into_iter().map(|(version, _)| version);
            Err(unknown(
                ("libvirt", "scripts/fetch-libvirt"),
                text,
                versions,
            ))
        }
    }
}

/// The libvirts that were fetched, and the installed one where its version was not fetched, by version, oldest first.
pub fn libvirts(config: &Config, cancel: &Cancel) -> Vec<(String, Installation)> {
    let folders = std::fs::read_dir(config.cache.join(FETCHED_LIBVIRTS));
    let folders = folders.into_iter().flatten().flatten();
    let mut programs: Vec<PathBuf> = folders
        .filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
        .map(|entry| entry.path().join(VIRSH))
        .filter(|program| program.is_file())
        .collect();
    programs.sort();
    let installed = in_path(VIRSH).map(|_| Installation::of_path());
    let all = programs.into_iter().map(Installation::at).chain(installed);
    let mut there: Vec<(String, Installation)> = Vec::new();
    for libvirt in all {
        if let Ok(version) = libvirt.virsh.version(cancel)
            && !there.iter().any(|(known, _)| *known == version)
        {
            there.push((version, libvirt));
        }
    }
    there.sort_by_key(|(version, _)| natural(version));
    there
}

/// The kernel that is called `name`: one of the configuration by its release, as 6.12 or linux-6.12, or the folder or image at a path.
/// `None` where it is a path, and so none of the configuration.
///
/// # Errors
/// There is no such release.
pub fn kernel(config: &Config, name: &Path) -> Result<Option<LabKernel>, NameError> {
    let Some(text) = bare(name) else {
        return Ok(None);
    };
    let (there, _) = kernels(config);
    let wanted = text.strip_prefix("linux-").unwrap_or(text);
    let fits = |kernel: &&LabKernel| {
        kernel.label.strip_prefix("linux-") == Some(wanted)
            || kernel.release == wanted
            || kernel.path.file_name().and_then(|name| name.to_str()) == Some(wanted)
    };
    match there.iter().find(fits) {
        Some(kernel) => Ok(Some(kernel.clone())),
        None => Err(unknown(
            ("kernel", "scripts/fetch-kernel"),
            text,
            there.iter().map(|kernel| {
                let label = &kernel.label;
                label.strip_prefix("linux-").unwrap_or(label).to_owned()
            }),
        )),
    }
}

/// A name that is no path: nothing has it here, and it has no slash.
fn bare(name: &Path) -> Option<&str> {
    slashless(name).filter(|_| !name.exists())
}

fn slashless(name: &Path) -> Option<&str> {
    name.to_str().filter(|text| !text.contains('/'))
}

fn unknown(
    (what, fetch): (&'static str, &'static str),
    name: &str,
    there: impl Iterator<Item = String>,
) -> NameError {
    let there: Vec<String> = there.collect();
    let nearest = near(name, there.iter().map(String::as_str));
    NameError::Unknown {
        what,
        name: name.to_owned(),
        near: nearest.into_iter().map(str::to_owned).collect(),
        there,
        fetch,
    }
}

fn program_in(folder: &Path) -> Option<PathBuf> {
    first_file(PLACES.map(|place| folder.join(place).join(PROGRAM)))
}

fn first_file(candidates: [PathBuf; 4]) -> Option<PathBuf> {
    candidates.into_iter().find(|candidate| candidate.is_file())
}

/// The name of the folder that a binary is in: scripts/fetch-qemu calls it by the release.
fn folder_name(path: &Path) -> Option<&str> {
    path.parent()?.file_name()?.to_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration(folder: &Path, text: &str) -> Config {
        let path = folder.join("fidelity.toml");
        std::fs::write(&path, text).expect("a file");
        Config::read(&path).expect("a configuration")
    }

    fn fetched(folder: &Path, releases: &[&str]) -> Config {
        for release in releases {
            let place = folder.join("qemu").join(release);
            std::fs::create_dir_all(&place).expect("a folder");
            std::fs::write(place.join(PROGRAM), "").expect("a file");
        }
        configuration(
            folder,
            "qemu = [\"qemu/*/qemu-system-x86_64\"]\nkernel = []\n",
        )
    }

    fn named(config: &Config, name: &str) -> Result<PathBuf, String> {
        let cancel = Cancel::new().expect("a switch");
        qemu(config, Path::new(name), &cancel).map_err(|error| error.to_string())
    }

    #[test]
    fn a_release_is_the_folder_that_was_fetched() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = fetched(folder.path(), &["10.0", "10.0.2"]);
        let wanted = |release: &str| Ok(folder.path().join("qemu").join(release).join(PROGRAM));
        assert_eq!(named(&config, "10.0"), wanted("10.0"));
        assert_eq!(named(&config, "qemu-10.0.2"), wanted("10.0.2"));
    }

    #[test]
    fn a_folder_is_the_binary_in_it_or_in_its_build() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = fetched(folder.path(), &["10.0/build"]);
        let tree = folder.path().join("qemu/10.0");
        let found = named(&config, &tree.display().to_string());
        assert_eq!(found, Ok(tree.join("build").join(PROGRAM)));
        let empty = named(&config, &folder.path().display().to_string());
        assert!(
            empty
                .expect_err("an error")
                .contains("no qemu-system-x86_64 in this folder")
        );
    }

    /// A cache with these libvirts, which print their version.
    fn with_libvirts(folder: &Path, versions: &[(&str, &str)]) -> Config {
        use std::os::unix::fs::PermissionsExt as _;
        for (name, version) in versions {
            let place = folder.join("cache/libvirts").join(name);
            std::fs::create_dir_all(&place).expect("a folder");
            let program = place.join(VIRSH);
            std::fs::write(&program, format!("#!/bin/sh\necho {version}\n")).expect("a script");
            let mode = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(program, mode).expect("a mode");
        }
        configuration(folder, "qemu = []\nkernel = []\ncache = \"cache\"\n")
    }

    #[test]
    fn a_libvirt_is_named_as_a_qemu_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let versions = [("8.1", "8.1.0"), ("99", "99.8.0"), ("99.3", "99.3.0")];
        let config = with_libvirts(folder.path(), &versions);
        let cancel = Cancel::new().expect("a switch");
        let named = |name: &Path| {
            let found = libvirt(&config, name, &cancel).map_err(|error| error.to_string());
            found.map(|libvirt| libvirt.virsh.program)
        };
        let place = |name: &str| folder.path().join("cache/libvirts").join(name);
        for (name, found) in [
            ("8.1", "8.1"),
            ("libvirt-99.3", "99.3"),
            ("99", "99"),
            ("99.8.0", "99"),
        ] {
            assert_eq!(
                named(Path::new(name)),
                Ok(place(found).join(VIRSH)),
                "{name}"
            );
        }
        assert_eq!(named(&place("8.1")), Ok(place("8.1").join(VIRSH)));
        assert_eq!(
            named(&place("8.1").join(VIRSH)),
            Ok(place("8.1").join(VIRSH))
        );
        let error = named(&folder.path().join("cache")).expect_err("an error");
        assert!(
            error.ends_with(
                "cache: no virsh in this folder, nor in bin/, usr/bin/ or build/tools/ below it"
            ),
            "{error}"
        );
        let error = named(Path::new("/no/virsh")).expect_err("an error");
        assert_eq!(error, "no virsh at /no/virsh");
        let error = named(Path::new("8.8")).expect_err("an error");
        assert!(
            error.starts_with("no libvirt “8.8” here: there are 8.1.0, "),
            "{error}"
        );
        assert!(
            error.ends_with(
                "; scripts/fetch-libvirt brings others, and a path or a folder names one"
            ),
            "{error}"
        );
    }

    #[test]
    fn a_path_is_taken_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = fetched(folder.path(), &[]);
        assert_eq!(named(&config, "/no/such"), Ok(PathBuf::from("/no/such")));
    }

    #[test]
    fn a_release_that_is_not_here_names_those_that_are() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = fetched(folder.path(), &[]);
        let message = named(&config, "9.9").expect_err("an error");
        assert!(
            message.contains("no QEMU “9.9” here: there is none"),
            "{message}"
        );
        let message = kernel(&config, Path::new("6.99")).expect_err("an error");
        assert!(
            message.to_string().contains("scripts/fetch-kernel"),
            "{message}"
        );
        let listed = list(
            &["7.2.22".to_owned(), "11.1.3".to_owned()],
            &["11.1.3".to_owned()],
            "scripts/fetch-qemu",
        );
        assert_eq!(
            listed,
            "there are 7.2.22, 11.1.3; near to it: 11.1.3; scripts/fetch-qemu brings others, and a path or a folder names one"
        );
    }
}
