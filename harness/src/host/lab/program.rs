//! What a program needs in order to run elsewhere: seen in a running process, for no other way tells it of every program: of
//! one that dlopens, of one behind a wrapper script, of one with a loader and libraries of its own. The wrapper goes along too,
//! with what it names ([`super::wrapper`]), and runs there: only it knows which arguments it adds.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::libraries::{LibrariesError, libraries};
use super::links::{self, Links};
use super::wrapper::{Wrapper, WrapperError};
use crate::util::cancel::Cancel;
use crate::util::launch::Launch;
use crate::util::limits::KERNEL_TEXT;
use crate::util::open;
use crate::vmm::firmware::Firmware;
use crate::vmm::monitor::Monitor;

/// Files, all by canonical path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// The ELF files: program, loader, libraries.
    pub objects: BTreeSet<PathBuf>,
    /// Other files, as they are.
    pub data: BTreeSet<PathBuf>,
    /// Folders that are there, empty but for the files above.
    pub folders: BTreeSet<PathBuf>,
    /// Symbolic links through which a wrapper names files.
    pub links: Links,
    /// How to start it, with what stands in front of it.
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
    /// The libraries of a program that a wrapper names cannot be found.
    #[error(transparent)]
    Libraries(#[from] LibrariesError),
    /// It is a program that starts another one.
    #[error(
        "{path} cannot be taken into a lab: it starts {executable}, and what an ELF file names cannot be read; write it as a shell script"
    )]
    Opaque {
        /// The program.
        path: PathBuf,
        /// What it starts.
        executable: PathBuf,
    },
    /// It is a wrapper that cannot be taken along.
    #[error(transparent)]
    Wrapper(#[from] WrapperError),
}

/// A QEMU that runs.
struct Seen {
    program: Program,
    /// The file that it is.
    executable: PathBuf,
    /// Its command line.
    command: Vec<String>,
}

/// Largest firmware file that is taken along: option ROMs are smaller, and a guest that starts in the agent needs no BIOS.
const LARGEST_FIRMWARE: u64 = 256 * 1024;

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

    /// The QEMU at `path`: starts it with a machine that never runs, and looks. What stands in front of it goes along.
    ///
    /// # Errors
    /// It does not start, /proc does not show it, or it is behind a wrapper that cannot be taken along.
    pub fn qemu(path: &Path, deadline: Duration, cancel: &Cancel) -> Result<Program, ProgramError> {
        let silent = |message: String| ProgramError::DoesNotStart {
            path: path.to_owned(),
            message,
        };
        let firmware = Firmware::agent().map_err(|error| silent(error.to_string()))?;
        let argument = firmware.argument();
        let own = OWN.split(' ').chain([argument.as_str()]);
        let own: Vec<OsString> = own.map(OsString::from).collect();
        // What a starter makes of its own path would mean nothing elsewhere if that were a relative one.
        let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let wrapper = Wrapper::read(&whole)?;
        let line: Vec<OsString> = [whole.clone().into_os_string()]
            .into_iter()
            .chain(own.clone())
            .collect();
        let mut monitor = Monitor::start(line, &[firmware.as_fd()], deadline, cancel)
            .map_err(|error| silent(error.to_string()))?;
        if monitor.greet().is_err() {
            let finished = monitor.finish();
            let said = finished.stderr.trim();
            let last = said.lines().next_back().unwrap_or("no message");
            return Err(silent(format!("{}: {last}", finished.ending)));
        }
        let seen = seen(monitor.id(), &own).map_err(|error| ProgramError::Unseen {
            path: path.to_owned(),
            error,
        })?;
        if stands_behind(&wrapper, &whole, &seen.executable)? {
            seen.behind(wrapper, &whole, deadline, cancel)
        } else {
            Ok(seen.program)
        }
    }
}

/// What a QEMU is started with that is looked at; a firmware follows, so that a build without any starts too.
const OWN: &str = "-nodefaults -no-user-config -display none -S -machine";

/// Whether a script at `path` stands in front of the QEMU that runs.
fn stands_behind(wrapper: &Wrapper, path: &Path, executable: &Path) -> Result<bool, ProgramError> {
    if !wrapper.files.is_empty() {
        return Ok(true);
    }
    if wrapper.programs.contains(executable) {
        return Ok(false);
    }
    Err(ProgramError::Opaque {
        path: path.to_owned(),
        executable: executable.to_owned(),
    })
}

/// What the loader of this host reads to find libraries: glibc's, musl's.
const LOADER_FILES: [&str; 2] = ["/etc/ld.so.cache", "/etc/ld-musl-x86_64.path"];

/// Folders in which the loader looks by itself; links, where /usr has it all.
const LOADER_FOLDERS: [&str; 3] = ["/lib", "/lib64", "/bin"];

/// Variables that decide which file a shell or a loader takes.
const PATH_VARIABLES: [&str; 2] = ["PATH", "LD_LIBRARY_PATH"];

impl Seen {
    /// This QEMU with the wrapper that started it, at `path`, and that starts it in the lab.
    fn behind(
        self,
        mut wrapper: Wrapper,
        path: &Path,
        deadline: Duration,
        cancel: &Cancel,
    ) -> Result<Program, ProgramError> {
        let mut program = self.program;
        for tool in &wrapper.programs {
            if program.objects.contains(tool) {
                continue;
            }
            for library in libraries(tool, deadline, cancel)? {
                let found = links::resolve(&library, &mut wrapper.links);
                let found = found.map_err(|error| ProgramError::Unseen {
                    path: library.clone(),
                    error,
                })?;
                program.objects.insert(for_any_processor(&found));
            }
        }
        // Where nothing is, nothing leads: QEMU may name files that it would make.
        let named = self.command.iter().map(Path::new);
        let named = named.chain(LOADER_FOLDERS.map(Path::new));
        for name in named.filter(|name| name.is_absolute()) {
            let _ = links::resolve(name, &mut wrapper.links);
        }
        for file in LOADER_FILES.map(Path::new) {
            program.data.extend(file.canonicalize());
        }
        program.objects.append(&mut wrapper.programs);
        program.data.append(&mut wrapper.files);
        program.folders = wrapper.folders;
        program.links = wrapper.links;
        let variables = wrapper.variables.iter().map(String::as_str);
        program.launch = Launch {
            arguments: vec![path.display().to_string()],
            variables: own_variables(variables.chain(PATH_VARIABLES)),
        };
        Ok(program)
    }
}

/// Those of these variables that this process has.
fn own_variables<'a>(names: impl Iterator<Item = &'a str>) -> BTreeMap<String, String> {
    let value = |name: &str| Some((name.to_owned(), std::env::var(name).ok()?));
    names.filter_map(value).collect()
}

/// The process of the group `leader` that has the arguments `own`, and is not a script's interpreter in front of it.
fn seen(leader: u32, own: &[OsString]) -> std::io::Result<Seen> {
    let mut candidates: Vec<PathBuf> = group(leader);
    // A shell that did not exec has the same arguments behind it; QEMU is its child, and younger.
    candidates.reverse();
    let mut none = std::io::Error::other("no process of its group shows its command line");
    for process in candidates {
        match of_process(&process, own) {
            Ok(Some(seen)) => return Ok(seen),
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
            let stat = open::text(format!("/proc/{number}/stat"), KERNEL_TEXT).unwrap_or_default();
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

fn of_process(process: &Path, own: &[OsString]) -> std::io::Result<Option<Seen>> {
    let command = nul_separated(&open::bytes(process.join("cmdline"), KERNEL_TEXT)?);
    let own: Vec<String> = own
        .iter()
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    if !command
        .windows(own.len())
        .any(|window| window == own.as_slice())
    {
        return Ok(None);
    }
    let executable = fs::read_link(process.join("exe"))?;
    let objects = mapped(process)?;
    let folders: BTreeSet<String> = objects
        .iter()
        .filter_map(|object| Some(object.parent()?.display().to_string()))
        .collect();
    // Libraries that ld.so.cache or ld.so.conf led to; what the program's own loader was given comes first anyhow.
    let folders: Vec<String> = folders.into_iter().collect();
    let search = ("LD_LIBRARY_PATH".to_owned(), folders.join(":"));
    let program = Program {
        data: firmware(&command, &objects),
        objects,
        // The program by its real path: argv[0] may be a bare name, or anything.
        launch: Launch {
            arguments: vec![executable.display().to_string()],
            variables: [search].into(),
        },
        ..Program::default()
    };
    Ok(Some(Seen {
        program,
        executable,
        command,
    }))
}

/// Reads NUL-terminated texts (proc(5), `cmdline` and `environ`).
fn nul_separated(bytes: &[u8]) -> Vec<String> {
    let text = bytes.strip_suffix(&[0]).unwrap_or(bytes);
    text.split(|byte| *byte == 0)
        .map(|text| String::from_utf8_lossy(text).into_owned())
        .collect()
}

/// The ELF files that a process has mapped.
fn mapped(process: &Path) -> std::io::Result<BTreeSet<PathBuf>> {
    let maps = open::text(process.join("maps"), KERNEL_TEXT)?;
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
    let read = open::regular(path).and_then(|mut file| file.read_exact(&mut magic));
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
    fn a_program_that_starts_another_one_is_refused() {
        let shell = Path::new("/bin/sh");
        let wrapper = Wrapper::read(shell).expect("a program");
        let real = shell.canonicalize().expect("a path");
        assert!(!stands_behind(&wrapper, shell, &real).expect("a QEMU"));
        let error = stands_behind(&wrapper, shell, Path::new("/opt/qemu")).expect_err("an error");
        assert_eq!(
            error.to_string(),
            "/bin/sh cannot be taken into a lab: it starts /opt/qemu, and what an ELF file names cannot be read; write it as a shell script"
        );
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
