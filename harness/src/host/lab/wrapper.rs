//! What stands in front of a QEMU: a script that starts it with further arguments, and all that this script names, so that it
//! runs in the lab as it does here. What cannot be taken along is refused; nothing is left out.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::links::{self, Links};
use super::tokens::tokens;
use crate::util::open;
use crate::util::os_error::OsError;
use crate::util::path::in_path;

/// Files by canonical path, and the links through which they are named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wrapper {
    /// ELF files: the interpreters, and what the scripts start. Their libraries are not among them.
    pub programs: BTreeSet<PathBuf>,
    /// The scripts, and files that they name, as they are.
    pub files: BTreeSet<PathBuf>,
    /// Folders that they name; what is in them is not taken along.
    pub folders: BTreeSet<PathBuf>,
    /// Links through which all these are named.
    pub links: Links,
    /// Variables that the scripts expand.
    pub variables: BTreeSet<String>,
}

/// Why a wrapper cannot be taken into a lab.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrapperError {
    /// A script or a file that it names cannot be read.
    #[error("{path} cannot be taken into a lab: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: OsError,
    },
    /// Neither a program nor a script.
    #[error("{0} cannot be taken into a lab: it is no ELF file, and does not begin with “#!”")]
    NoProgram(PathBuf),
    /// The interpreter of the first line is not there.
    #[error(
        "{script} cannot be taken into a lab: its interpreter “{interpreter}” is not there; name one that is, as #!/bin/sh"
    )]
    NoInterpreter {
        /// The script.
        script: PathBuf,
        /// Its interpreter.
        interpreter: String,
    },
    /// An interpreter that needs more than its libraries.
    #[error(
        "{script} cannot be taken into a lab: it is a script for {interpreter}, which reads files of its own that nothing lists; write it for sh"
    )]
    NoShell {
        /// The script.
        script: PathBuf,
        /// Its interpreter.
        interpreter: String,
    },
    /// A path of the script at which nothing is.
    #[error("{script} cannot be taken into a lab: it names {name}, and nothing is there")]
    Missing {
        /// The script.
        script: PathBuf,
        /// The path.
        name: String,
    },
    /// A path that is another one in the lab, where the working folder is `/`.
    #[error(
        "{script} cannot be taken into a lab: it names {name}, which depends on the working folder; name the file by its absolute path"
    )]
    Relative {
        /// The script.
        script: PathBuf,
        /// The path.
        name: String,
    },
    /// A file that would not fit into the memory of the emulated host.
    #[error(
        "{path} cannot be taken into a lab: it has {size} bytes, and {LARGEST} is the most that is taken"
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Bytes.
        size: u64,
    },
}

/// Largest file that is taken along and is no ELF file, in bytes: what is taken lies in memory twice.
const LARGEST: u64 = 16 << 20;

/// Interpreters that run from their ELF file and its libraries alone, by name.
const SHELLS: [&str; 8] = [
    "sh", "ash", "bash", "busybox", "dash", "ksh", "mksh", "yash",
];

/// Folders that the lab has of its own: kernel, devices, and files that a script makes.
const OWN_FOLDERS: [&str; 4] = ["/dev", "/proc", "/sys", "/tmp"];

/// What every shell has of its own, though a program of that name may be there too (POSIX, Shell Command Language, 2.4, 2.14 and XCU 1.7).
const BUILT_IN: [&str; 44] = [
    "!", "[", "alias", "bg", "break", "case", "cd", "command", "continue", "do", "done", "echo",
    "elif", "else", "esac", "eval", "exec", "exit", "export", "false", "fg", "fi", "for", "if",
    "in", "jobs", "kill", "local", "printf", "pwd", "read", "readonly", "return", "set", "shift",
    "test", "then", "trap", "true", "ulimit", "umask", "unset", "wait", "while",
];

enum Kind {
    Elf,
    Script,
    Other,
}

impl Wrapper {
    /// What the program at `path` names, if it is a script, with what that names. An ELF file names nothing that could be read.
    ///
    /// # Errors
    /// Something cannot be taken into a lab.
    pub fn read(path: &Path) -> Result<Wrapper, WrapperError> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let mut wrapper = Wrapper::default();
        let real = wrapper.resolve(&path)?;
        match kind(&real)? {
            Kind::Elf => _ = wrapper.programs.insert(real),
            Kind::Script => wrapper.script(real)?,
            Kind::Other => return Err(WrapperError::NoProgram(path)),
        }
        Ok(wrapper)
    }

    fn resolve(&mut self, path: &Path) -> Result<PathBuf, WrapperError> {
        links::resolve(path, &mut self.links).map_err(|error| unread(path, error))
    }

    fn script(&mut self, path: PathBuf) -> Result<(), WrapperError> {
        if !self.files.insert(path.clone()) {
            return Ok(());
        }
        let bytes = limited(&path)?;
        let text = String::from_utf8_lossy(&bytes);
        let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
        self.interpreter(&path, first.trim_start_matches("#!"))?;
        let found = tokens(rest);
        for name in &found.fixed {
            self.named(&path, name, found.commands.contains(name))?;
        }
        self.variables.extend(found.variables);
        Ok(())
    }

    /// The interpreter of `#!/bin/sh -e` or `#!/usr/bin/env bash` (execve(2)).
    fn interpreter(&mut self, script: &Path, line: &str) -> Result<(), WrapperError> {
        let mut parts = line.split_whitespace();
        let interpreter = parts.next().unwrap_or("");
        let none = |interpreter: &str| WrapperError::NoInterpreter {
            script: script.to_owned(),
            interpreter: interpreter.to_owned(),
        };
        if !Path::new(interpreter).is_absolute() || !Path::new(interpreter).is_file() {
            return Err(none(interpreter));
        }
        let mut name = interpreter.rsplit('/').next().unwrap_or(interpreter);
        let mut started = vec![PathBuf::from(interpreter)];
        if name == "env" {
            name = parts.next().unwrap_or("");
            started.push(in_path(name).ok_or_else(|| none(name))?);
        }
        if !SHELLS.contains(&name) {
            return Err(WrapperError::NoShell {
                script: script.to_owned(),
                interpreter: name.to_owned(),
            });
        }
        started
            .iter()
            .try_for_each(|program| self.file(script, program))
    }

    /// What the token `name` of a script stands for: a path, a program in PATH, or nothing that is a file. An argument that
    /// happens to be a program's name (`echo 'cannot open'`) may be one that is started, so it is taken where that is cheap.
    fn named(&mut self, script: &Path, name: &str, is_command: bool) -> Result<(), WrapperError> {
        let path = Path::new(name);
        if path.is_absolute() {
            return self.file(script, path);
        }
        if name.contains('/') {
            let is_relative = name.starts_with("./") || name.starts_with("../") || path.exists();
            return if is_relative {
                Err(WrapperError::Relative {
                    script: script.to_owned(),
                    name: name.to_owned(),
                })
            } else {
                Ok(())
            };
        }
        match in_path(name).filter(|_| !BUILT_IN.contains(&name)) {
            Some(found) if is_command || matches!(kind(&found)?, Kind::Elf) => {
                self.file(script, &found)
            }
            _ => Ok(()),
        }
    }

    fn file(&mut self, script: &Path, path: &Path) -> Result<(), WrapperError> {
        let Ok(about) = fs::metadata(path) else {
            return self.absent(script, path);
        };
        if about.is_dir() {
            let real = self.resolve(path)?;
            self.folders.insert(real);
        } else if about.is_file() {
            let real = self.resolve(path)?;
            match kind(&real)? {
                Kind::Elf => _ = self.programs.insert(real),
                Kind::Script => self.script(real)?,
                Kind::Other => {
                    limited(&real)?;
                    self.files.insert(real);
                }
            }
        }
        // Else a device or the like, which the lab has of its own or not at all.
        Ok(())
    }

    fn absent(&self, script: &Path, path: &Path) -> Result<(), WrapperError> {
        if OWN_FOLDERS.iter().any(|folder| path.starts_with(folder)) {
            return Ok(());
        }
        Err(WrapperError::Missing {
            script: script.to_owned(),
            name: path.display().to_string(),
        })
    }
}

fn unread(path: &Path, error: std::io::Error) -> WrapperError {
    WrapperError::Read {
        path: path.to_owned(),
        error: error.into(),
    }
}

fn kind(path: &Path) -> Result<Kind, WrapperError> {
    let mut magic = [0; 4];
    let mut file = open::regular(path).map_err(|error| unread(path, error))?;
    let read = file.read(&mut magic).map_err(|error| unread(path, error))?;
    Ok(match &magic[..read] {
        b"\x7fELF" => Kind::Elf,
        [b'#', b'!', ..] => Kind::Script,
        _ => Kind::Other,
    })
}

/// The bytes of a file that is not too large to be taken.
fn limited(path: &Path) -> Result<Vec<u8>, WrapperError> {
    let about = fs::metadata(path).map_err(|error| unread(path, error))?;
    if about.len() > LARGEST {
        return Err(WrapperError::TooLarge {
            path: path.to_owned(),
            size: about.len(),
        });
    }
    open::bytes(path).map_err(|error| unread(path, error))
}

#[cfg(test)]
#[path = "wrapper_tests.rs"]
mod tests;
