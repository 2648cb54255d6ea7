//! The `virsh` of a libvirt: which one, and how it is started apart from the host's own libvirt.

use std::ffi::OsString;
use std::io::{ErrorKind, Read as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::SessionError;
use super::root;
use crate::util::cancel::Cancel;
use crate::util::limits::LIBVIRT_ANSWER;
use crate::util::process::Process;

/// A virsh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Virsh {
    /// The program; one without a slash is that of PATH.
    pub program: PathBuf,
    /// Whether it answers at once wherever its output goes, as those that scripts/fetch-libvirt brings do. Another one needs `stdbuf`, whose
    /// library each QEMU then inherits.
    pub answers_at_once: bool,
}

impl Virsh {
    /// That of PATH.
    pub fn of_path() -> Virsh {
        Virsh {
            program: "virsh".into(),
            answers_at_once: false,
        }
    }

    /// The command line that starts it with the folder `root`.
    ///
    /// In a user namespace, because libvirt wants a user `libvirt-qemu` where it runs as root (virQEMUDriverConfigNew), and in a PID namespace,
    /// in which a shell is init: it reaps the QEMUs that libvirt puts into the background, for whose end libvirt waits.
    pub(super) fn in_namespaces(&self, root: &Path) -> Vec<OsString> {
        let namespaces = "unshare --user --map-user=1000 --map-group=1000 --pid --fork --kill-child --mount-proc";
        let arguments = namespaces.split(' ').chain(["sh", "-c", SCRIPT, "sh"]);
        let mut line: Vec<OsString> = arguments.map(OsString::from).collect();
        line.push(root.as_os_str().to_owned());
        line.extend(
            [
                root::uri(root),
                root::HOME.to_owned(),
                root::TEMPORARY.to_owned(),
            ]
            .map(OsString::from),
        );
        if !self.answers_at_once {
            line.extend(["stdbuf", "-o0"].map(OsString::from));
        }
        line.push(self.program.clone().into());
        line
    }

    /// What `virsh --version` says.
    ///
    /// # Errors
    /// There is no virsh, or it does not print its version.
    pub fn version(&self, cancel: &Cancel) -> Result<String, SessionError> {
        let name = self.program.display();
        let failed = |error: std::io::Error| SessionError::Start(format!("{name}: {error}"));
        let (stream, theirs) = UnixStream::pair().map_err(failed)?;
        let line = [self.program.clone().into(), OsString::from("--version")];
        let deadline = Duration::from_secs(20);
        let process =
            Process::start_on_socket(&line, theirs.into(), deadline, cancel).map_err(failed)?;
        process.finish();
        let output = written(stream).map_err(failed)?;
        let version = output.trim();
        if version.split('.').all(|part| part.parse::<u32>().is_ok()) {
            Ok(version.to_owned())
        } else {
            Err(SessionError::Start(format!(
                "{name} --version says “{version}”"
            )))
        }
    }
}

/// What runs in the namespaces: of the folder, its URI, the names of the home and the temporary folder in it, and virsh. Whatever virsh, libvirt or
/// QEMU keep for a user is kept there, and no setting of the user's own virsh holds. The log's name is relative because libvirt splits the
/// variable at spaces (virLogParseOutputs).
const SCRIPT: &str = r#"cd "$1" || exit
unset LIBVIRT_DEFAULT_URI LIBVIRT_DEBUG LIBVIRT_LOG_FILTERS VIRSH_DEFAULT_CONNECT_URI VIRSH_DEBUG VIRSH_LOG_FILE
unset XDG_CACHE_HOME XDG_CONFIG_HOME XDG_DATA_HOME XDG_STATE_HOME
export TERM=dumb LIBVIRT_LOG_OUTPUTS=3:file:libvirt.log HOME="$1/$3" TMPDIR="$1/$4" XDG_RUNTIME_DIR="$1/$4"
uri=$2; shift 4
"$@" -q -c "$uri"; exit $?"#;

/// What was written to a socket so far; somebody may have it open who never ends.
fn written(stream: UnixStream) -> std::io::Result<String> {
    stream.set_nonblocking(true)?;
    let mut bytes = Vec::new();
    let read = std::io::copy(&mut stream.take(LIBVIRT_ANSWER as u64), &mut bytes);
    match read {
        Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
        _ => Ok(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn what_was_written_is_read_while_somebody_else_keeps_the_socket_open() {
        let (stream, mut theirs) = UnixStream::pair().expect("sockets");
        theirs.write_all(b"9.0.0\n").expect("written");
        assert_eq!(written(stream).expect("text"), "9.0.0\n");
    }

    #[test]
    fn only_a_virsh_that_buffers_its_answers_gets_a_library_for_it() {
        let line = |virsh: &Virsh| {
            let line = virsh.in_namespaces(Path::new("/tmp/x"));
            let end = line[line.len() - 3..].iter();
            let end: Vec<_> = end.map(|part| part.to_string_lossy()).collect();
            end.join(" ")
        };
        assert_eq!(line(&Virsh::of_path()), "stdbuf -o0 virsh");
        let fetched = Virsh {
            program: "/srv/9.0/virsh".into(),
            answers_at_once: true,
        };
        assert_eq!(line(&fetched), "home tmp /srv/9.0/virsh");
    }
}
