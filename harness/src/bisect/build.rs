//! A QEMU or a kernel of the commit that is checked out.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::host::tool;
use crate::util::cancel::Cancel;
use crate::util::process::Ending;

/// How a commit is built where no command is given: scripts of this project, run by `sh` with `$SRC` and `$BUILD`.
const QEMU: &str = include_str!("../../../scripts/bisect/build-qemu");
const KERNEL: &str = include_str!("../../../scripts/bisect/build-kernel");

/// How a commit is built, and where its product is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// A command for `sh -c`; `None` for the project's own script.
    pub command: Option<String>,
    /// The QEMU, the kernel image, or the folder of a kernel: below the working tree, or below the folder of builds where the
    /// project's own script makes it.
    pub product: PathBuf,
    /// The kernel's modules, likewise.
    pub modules: Option<PathBuf>,
}

/// What became of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Built {
    /// It is there.
    Here(PathBuf),
    /// The commit does not build; the last lines say why.
    Failed(String),
}

/// Why nothing was built, whatever the commit is.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// No shell, or its folder cannot be made.
    #[error("failed to start the build: {0}")]
    Start(std::io::Error),
    /// No other commit would build either.
    #[error("no space left to build in: {0}")]
    Space(String),
    /// The build ended with status 0, and its product is not there.
    #[error("the build left no {0}; --binary or --image says where it is")]
    Nothing(PathBuf),
    /// The run was cancelled.
    #[error("interrupted")]
    Cancelled,
}

/// Most lines of a build that are kept to say why it failed.
const LAST: usize = 12;

/// What the tools of a build print when a disk is full: strerror(ENOSPC), strerror(EDQUOT).
const FULL: [&str; 2] = ["No space left on device", "Disk quota exceeded"];

impl Build {
    /// Builds what is checked out in `source`. The project's own scripts build in `folder`, incrementally, and where that fails
    /// once more from scratch: an old commit's build system may choke on what a newer one left.
    ///
    /// # Errors
    /// It cannot be built at all, whatever the commit is.
    pub fn make(
        &self,
        kernel: bool,
        source: &Path,
        folder: &Path,
        cancel: &Cancel,
        on_line: &mut dyn FnMut(&str),
    ) -> Result<Built, BuildError> {
        let product = self.place(&self.product, source, folder);
        let script = match (&self.command, kernel) {
            (Some(command), _) => command.as_str(),
            (None, true) => KERNEL,
            (None, false) => QEMU,
        };
        let fresh = !folder.exists();
        let mut failed = shell(script, source, folder, cancel, on_line)?;
        if failed.is_some() && self.command.is_none() && !fresh {
            std::fs::remove_dir_all(folder).map_err(BuildError::Start)?;
            failed = shell(script, source, folder, cancel, on_line)?;
        }
        match failed {
            Some(why) => Ok(Built::Failed(why)),
            None if product.exists() => Ok(Built::Here(product)),
            None => Err(BuildError::Nothing(product)),
        }
    }

    /// Where the modules are.
    pub fn modules(&self, source: &Path, folder: &Path) -> Option<PathBuf> {
        let modules = self.modules.as_ref()?;
        Some(self.place(modules, source, folder))
    }

    fn place(&self, path: &Path, source: &Path, folder: &Path) -> PathBuf {
        match self.command {
            Some(_) => source.join(path),
            None => folder.join(path),
        }
    }
}

/// Runs a script; why it failed.
fn shell(
    script: &str,
    source: &Path,
    folder: &Path,
    cancel: &Cancel,
    on_line: &mut dyn FnMut(&str),
) -> Result<Option<String>, BuildError> {
    std::fs::create_dir_all(folder).map_err(BuildError::Start)?;
    let variables: [(&str, &OsStr); 2] =
        [("SRC", source.as_os_str()), ("BUILD", folder.as_os_str())];
    let mut last: Vec<String> = Vec::new();
    let mut full = None;
    let mut record = |line: &str| {
        on_line(line);
        if FULL.iter().any(|message| line.contains(message)) {
            full = Some(line.to_owned());
        }
        if !line.trim().is_empty() {
            last.push(line.to_owned());
        }
        if last.len() > LAST {
            last.remove(0);
        }
    };
    let arguments = ["-c", script];
    let ending = tool::run(
        Path::new("/bin/sh"),
        &arguments,
        source,
        &variables,
        cancel,
        &mut record,
    );
    let status = match ending.map_err(BuildError::Start)? {
        Ending::Exited(0) => return Ok(None),
        Ending::Cancelled => return Err(BuildError::Cancelled),
        Ending::Exited(status) => format!("status {status}"),
        Ending::Signalled(signal) => format!("signal {signal}"),
        other => format!("no status: it {other}"),
    };
    match full {
        Some(line) => Err(BuildError::Space(line)),
        None => Ok(Some(if last.is_empty() {
            format!("the build ended with {status}")
        } else {
            last.join("\n")
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(command: &str) -> Result<Built, BuildError> {
        let folder = tempfile::tempdir().expect("a folder");
        let build = Build {
            command: Some(command.to_owned()),
            product: "qemu".into(),
            modules: None,
        };
        let cancel = Cancel::new().expect("an eventfd");
        let source = folder.path();
        build.make(false, source, &source.join("build"), &cancel, &mut |_| {})
    }

    #[test]
    fn a_build_is_given_its_folders() {
        let built =
            made("cp /bin/true \"$SRC/qemu\" && [ -d \"$BUILD\" ] && [ \"$PWD\" = \"$SRC\" ]");
        assert!(matches!(built, Ok(Built::Here(path)) if path.ends_with("qemu")));
    }

    #[test]
    fn a_build_that_fails_leaves_its_last_lines() {
        let built = made("seq 30; echo 'cpu.c:7: error: no such thing' >&2; exit 2");
        let Ok(Built::Failed(why)) = built else {
            panic!("{built:?}")
        };
        assert!(
            why.starts_with("20\n21\n") && why.ends_with("cpu.c:7: error: no such thing"),
            "{why}"
        );
        let built = made("exit 2");
        assert!(matches!(built, Ok(Built::Failed(why)) if why == "the build ended with status 2"));
    }

    #[test]
    fn a_full_disk_is_no_fault_of_the_commit() {
        let error = made("echo 'ld: final link failed: No space left on device'; exit 1");
        assert_eq!(
            error.expect_err("full").to_string(),
            "no space left to build in: ld: final link failed: No space left on device"
        );
    }

    #[test]
    fn a_build_that_leaves_nothing_is_an_error() {
        let error = made("true").expect_err("nothing").to_string();
        assert!(
            error.ends_with("/qemu; --binary or --image says where it is"),
            "{error}"
        );
    }
}
