//! What a program needs in order to run elsewhere: seen in a running process, for no other way tells it of every program: of
//! one that dlopens, of one behind a wrapper script, of one with a loader and libraries of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::util::cancel::Cancel;
use crate::util::launch::Launch;
use crate::util::os_error::OsError;
use crate::vmm::linux::elf::{ElfError, Linking, linking, loaded_part};
use crate::vmm::monitor::Monitor;

/// Files, all by canonical path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// The ELF files: program, loader, libraries.
    pub objects: BTreeSet<PathBuf>,
    /// Other files, as they are.
    pub data: BTreeSet<PathBuf>,
    /// How to start it without what stands in front of it.
    pub launch: Launch,
}

/// Why a program cannot be taken elsewhere.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// It does not run here either: a library is missing, or it is no QEMU. The message is its own.
    #[error("{path} does not start, so what it needs cannot be found: {message}")]
    DoesNotStart {
        /// The program.
        path: PathBuf,
        /// The last lines of its standard error.
        message: String,
    },
    /// /proc does not show it.
    #[error("failed to see what {path} uses: {error}")]
    Unseen {
        /// The program.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
}

/// Largest firmware file that is taken along: option ROMs are smaller, and a guest that starts in the agent needs no BIOS.
const LARGEST_FIRMWARE: u64 = 64 * 1024;

impl Program {
    /// This program.
    ///
    /// # Errors
    /// /proc does not show it.
    pub fn this() -> Result<Program, ProgramError> {
        let path = PathBuf::from("/proc/self/exe");
        let objects = mapped(Path::new("/proc/self"))
            .map_err(|error| ProgramError::Unseen { path, error })?;
        Ok(Program {
            objects,
            ..Program::default()
        })
    }

    /// The QEMU at `path`: starts it with a machine that never runs, and looks.
    ///
    /// # Errors
    /// It does not start, or /proc does not show it.
    pub fn qemu(path: &Path, deadline: Duration, cancel: &Cancel) -> Result<Program, ProgramError> {
        let own: Vec<OsString> = ["-nodefaults", "-no-user-config", "-display", "none", "-S"]
            .map(OsString::from)
            .into();
        // What a starter makes of its own path would mean nothing elsewhere if that were a relative one.
        let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let line: Vec<OsString> = [whole.into_os_string()]
            .into_iter()
            .chain(own.clone())
            .collect();
        let silent = |message: String| ProgramError::DoesNotStart {
            path: path.to_owned(),
            message,
        };
        let mut monitor = Monitor::start(line, &[], deadline, cancel)
            .map_err(|error| silent(error.to_string()))?;
        if monitor.greet().is_err() {
            let finished = monitor.finish();
            let said = finished.stderr.trim();
            let last = said.lines().next_back().unwrap_or("no message");
            return Err(silent(format!("{}: {last}", finished.ending)));
        }
        let seen = seen(monitor.id(), &own);
        seen.map_err(|error| ProgramError::Unseen {
            path: path.to_owned(),
            error,
        })
    }
}

/// The process of the group `leader` that has the arguments `own`, and is not a script's interpreter in front of it.
fn seen(leader: u32, own: &[OsString]) -> std::io::Result<Program> {
    let mut candidates: Vec<PathBuf> = group(leader);
    // A shell that did not exec has the same arguments behind it; QEMU is its child, and younger.
    candidates.reverse();
    let mut none = std::io::Error::other("no process of its group shows its command line");
    for process in candidates {
        match of_process(&process, own) {
            Ok(Some(program)) => return Ok(program),
            Ok(None) => {}
            Err(error) => none = error,
        }
    }
    Err(none)
}

/// The processes of a group, by number.
fn group(leader: u32) -> Vec<PathBuf> {
    let mut numbers: Vec<u32> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|number: &u32| {
            // pid (name) state ppid pgrp …: the name may hold anything but is followed by the last parenthesis.
            let stat = fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
            let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
            rest.split(' ').nth(2).and_then(|group| group.parse().ok()) == Some(leader)
        })
        .collect();
    numbers.sort_unstable();
    numbers
        .into_iter()
        .map(|number| PathBuf::from(format!("/proc/{number}")))
        .collect()
}

fn of_process(process: &Path, own: &[OsString]) -> std::io::Result<Option<Program>> {
    let command = nul_separated(&fs::read(process.join("cmdline"))?);
    let own: Vec<String> = own
        .iter()
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    let Some(at) = command
        .windows(own.len())
        .position(|window| window == own.as_slice())
    else {
        return Ok(None);
    };
    let program = fs::read_link(process.join("exe"))?;
    let objects = mapped(process)?;
    // The program itself by its real path: argv[0] may be a bare name, or anything.
    let mut launch_arguments = vec![program.display().to_string()];
    launch_arguments.extend(command[1..at].iter().map(|argument| canonical(argument)));
    let mut variables = changed_variables(&nul_separated(&fs::read(process.join("environ"))?));
    let folders: BTreeSet<String> = objects
        .iter()
        .filter_map(|object| Some(object.parent()?.display().to_string()))
        .collect();
    // Libraries that ld.so.cache or ld.so.conf led to; what the program's own loader was given comes first anyhow.
    let known = variables.remove("LD_LIBRARY_PATH").into_iter();
    let search: Vec<String> = known.chain(folders).collect();
    variables.insert("LD_LIBRARY_PATH".to_owned(), search.join(":"));
    let data = firmware(&command[1..at], &objects);
    let launch = Launch {
        arguments: launch_arguments,
        variables,
    };
    Ok(Some(Program {
        objects,
        data,
        launch,
    }))
}

/// Reads NUL-terminated texts (proc(5), `cmdline` and `environ`).
fn nul_separated(bytes: &[u8]) -> Vec<String> {
    let text = bytes.strip_suffix(&[0]).unwrap_or(bytes);
    text.split(|byte| *byte == 0)
        .map(|text| String::from_utf8_lossy(text).into_owned())
        .collect()
}

/// An argument, or the colon-separated paths in it, with every path that exists made canonical: links are not taken along.
fn canonical(argument: &str) -> String {
    let canonical_part = |part: &str| {
        if part.starts_with('/') {
            fs::canonicalize(part)
                .map_or_else(|_| part.to_owned(), |path| path.display().to_string())
        } else {
            part.to_owned()
        }
    };
    argument
        .split(':')
        .map(canonical_part)
        .collect::<Vec<_>>()
        .join(":")
}

/// What the process has in its environment and this one has not.
fn changed_variables(environment: &[String]) -> BTreeMap<String, String> {
    let pairs = environment.iter().filter_map(|pair| pair.split_once('='));
    let new = pairs.filter(|(name, value)| {
        let shells = ["_", "PWD", "OLDPWD", "SHLVL"];
        !shells.contains(name) && std::env::var(name).ok().as_deref() != Some(*value)
    });
    new.map(|(name, value)| (name.to_owned(), canonical(value)))
        .collect()
}

/// The ELF files that a process has mapped.
fn mapped(process: &Path) -> std::io::Result<BTreeSet<PathBuf>> {
    let maps = fs::read_to_string(process.join("maps"))?;
    let paths: BTreeSet<&str> = maps
        .lines()
        .filter_map(|line| line.find('/').map(|at| &line[at..]))
        .collect();
    let mut objects = BTreeSet::new();
    for path in paths {
        // What was replaced while it ran is no longer to be had but through /proc.
        let path = match path.strip_suffix(" (deleted)") {
            Some(_) => continue,
            None => Path::new(path),
        };
        if is_object(path) {
            objects.insert(for_any_processor(path));
        }
    }
    Ok(objects)
}

fn is_object(path: &Path) -> bool {
    use std::io::Read as _;
    let mut magic = [0; 4];
    let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    read.is_ok() && magic == *b"\x7fELF"
}

/// A library that was chosen because this processor is a new one (…/glibc-hwcaps/x86-64-v4/…) as the one for every processor, where
/// there is one: the emulated processor is older.
fn for_any_processor(path: &Path) -> PathBuf {
    let folders: Vec<_> = path.components().collect();
    let at = folders
        .iter()
        .position(|part| part.as_os_str() == "glibc-hwcaps");
    let plain = at.and_then(|at| {
        let above: PathBuf = folders[..at].iter().collect();
        Some(above.join(path.file_name()?))
    });
    match plain.and_then(|plain| plain.canonicalize().ok()) {
        Some(plain) => plain,
        None => path.to_owned(),
    }
}

/// The small firmware files of the folders in which this QEMU looks: of `-L`, and of where distributions and builds have them.
fn firmware(arguments: &[String], objects: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
    let named = arguments
        .windows(2)
        .filter(|pair| pair[0] == "-L")
        .map(|pair| PathBuf::from(&pair[1]));
    let own = objects
        .iter()
        .filter(|object| {
            object
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("qemu-system"))
        })
        .filter_map(|object| object.parent());
    let beside = own.flat_map(|folder| {
        [
            "../share/qemu",
            "pc-bios",
            "qemu-bundle/usr/local/share/qemu",
        ]
        .map(|below| folder.join(below))
    });
    let folders: BTreeSet<PathBuf> = named
        .chain(beside)
        .filter_map(|folder| folder.canonicalize().ok())
        .collect();
    let files = folders
        .iter()
        .flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten());
    let small = files.filter(|file| {
        let is_rom = file.path().extension().is_some_and(|name| name == "bin");
        is_rom
            && fs::metadata(file.path())
                .is_ok_and(|about| about.is_file() && about.len() <= LARGEST_FIRMWARE)
    });
    small.map(|file| file.path()).collect()
}

/// Why an ELF file cannot be taken along.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// It cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: OsError,
    },
    /// It is no ELF file, or a broken one.
    #[error("{path}: {source}")]
    Elf {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ElfError,
    },
}

/// An ELF file without its debug information, and how it is linked: the names under which it is looked for, its loader, its libraries.
///
/// # Errors
/// The file cannot be read, or is no ELF file.
pub fn read_object(path: &Path) -> Result<(Vec<u8>, Linking), ObjectError> {
    let bytes = fs::read(path).map_err(|error| ObjectError::Read {
        path: path.to_owned(),
        source: error.into(),
    })?;
    let elf = |source| ObjectError::Elf {
        path: path.to_owned(),
        source,
    };
    let linking = linking(&bytes).map_err(elf)?;
    let kept = loaded_part(&bytes).map_err(elf)?;
    Ok((kept, linking))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_program_needs_its_libraries() {
        let program = Program::this().expect("a program");
        let has = |name: &str| {
            program.objects.iter().any(|path| {
                path.file_name()
                    .is_some_and(|file| file.to_string_lossy().starts_with(name))
            })
        };
        assert!(has("libc.so"), "{program:?}");
        assert!(has("ld-linux"), "{program:?}");
    }

    #[test]
    fn a_qemu_without_its_libraries_is_reported_with_its_own_message() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("qemu");
        let script = "#!/bin/sh\necho 'qemu: error while loading shared libraries: libslirp.so.0: cannot open' >&2\nexit 127\n";
        fs::write(&path, script).expect("a file");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&path, mode).expect("a mode");
        let cancel = Cancel::new().expect("an eventfd");
        let error = Program::qemu(&path, Duration::from_secs(20), &cancel).expect_err("an error");
        let message = error.to_string();
        assert!(
            message.ends_with("what it needs cannot be found: exited with status 127: qemu: error while loading shared libraries: libslirp.so.0: cannot open"),
            "{message}"
        );
    }

    #[test]
    fn arguments_of_a_command_line_are_separated_by_nul() {
        assert_eq!(nul_separated(b"a\0b c\0\0"), ["a", "b c", ""]);
    }
}
