//! One guest that libvirt starts: booted with the agent, and all that libvirt says of it on the way.

use std::io::{ErrorKind, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fidelity_protocol::config::{Config, EXIT_FAULT, EXIT_OK};
use fidelity_protocol::slot;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::domain::{Domain, Wiring, xml};
use super::session::{Session, SessionError, quoted};
use crate::case::guest::Case;
use crate::util::deadline::Deadline;
use crate::util::limits::OUTPUT;
use crate::util::open;
use crate::util::process::Ending;
use crate::vmm::guest::{Boot, Options, exit_status, mailbox};
use crate::vmm::memory::{GuestMemory, LEAST, megabytes};
use crate::vmm::monitor::{Answer, Gone, Speaks};
use crate::vmm::view::RawView;

/// A guest that libvirt started, and what libvirt reports of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Started {
    /// The guest's end.
    pub boot: Boot,
    /// The domain's XML as libvirt tells it while the guest waits to run (`virsh dumpxml`): what became of it.
    pub live: String,
}

/// Boots the guest of `domain` with the ROM at `rom` and waits for its end. `case` and `options` say what the agent is asked for.
///
/// # Errors
/// libvirt refuses the domain, or is gone. What happens to the guest later is reported in [`Boot`].
pub fn boot(
    session: &mut Session,
    domain: &Domain,
    case: &Case,
    rom: &Path,
    options: &Options,
) -> Result<Started, SessionError> {
    let (mailbox, deadline) = (mailbox(case, options), options.timeout);
    let started = Instant::now();
    let mut guest = Guest::create(session, domain, rom, mailbox, deadline)?;
    let memory = guest.memory(mailbox)?;
    let live = guest.run("dumpxml")?;
    let view = RawView::ask(&mut guest).ok();
    // A guest may be through before libvirt has noted that it runs, and its end is then an error of `resume`.
    let resumed = guest.run("resume");
    if resumed.is_err() {
        let _ = guest.run("destroy");
    }
    let in_time = guest.ended()?;
    let slots = memory.slots();
    if let Err(error) = resumed
        && slots.is_empty()
    {
        return Err(error);
    }
    let ending = if in_time {
        ending(&slots)
    } else {
        Ending::TimedOut
    };
    let (command, stderr) = guest.log();
    Ok(Started {
        boot: Boot {
            command,
            ending,
            stderr,
            elapsed: started.elapsed(),
            view,
            slots,
            console: None,
        },
        live,
    })
}

/// QEMU's exit status stays with libvirt. The state that the boot processor left says the same.
fn ending(slots: &[crate::vmm::memory::Slot]) -> Ending {
    match slots.first().map(|slot| slot.header.state) {
        Some(slot::DONE) => Ending::Exited(exit_status(EXIT_OK)),
        Some(slot::FAULTED) => Ending::Exited(exit_status(EXIT_FAULT)),
        _ => Ending::Exited(1),
    }
}

/// What libvirt itself may take beyond the guest's own time: it looks at a QEMU binary that it has not seen before in seconds, not in milliseconds.
pub const LIBVIRT_TIMEOUT: Duration = Duration::from_secs(60);

/// A domain that is there.
struct Guest<'a> {
    session: &'a mut Session,
    name: String,
    listener: UnixListener,
    deadline: Duration,
}

impl<'a> Guest<'a> {
    fn create(
        session: &'a mut Session,
        domain: &Domain,
        rom: &Path,
        mailbox: Config,
        deadline: Duration,
    ) -> Result<Guest<'a>, SessionError> {
        session.domains += 1;
        let name = format!("{}-{}", domain.name, session.domains);
        let failed = |error: std::io::Error| SessionError::Start(error.to_string());
        let socket = session.file(&format!("{}.sock", session.domains));
        let listener = UnixListener::bind(&socket).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let wiring = Wiring {
            rom,
            megabytes: megabytes(&mailbox, LEAST),
            socket: &socket,
        };
        let domain = Domain {
            name: name.clone(),
            ..domain.clone()
        };
        let file = session.file(&format!("{}.xml", session.domains));
        std::fs::write(&file, xml(&domain, &wiring)).map_err(failed)?;
        let command = format!("create --paused {}", quoted(&file.to_string_lossy()));
        let created = session.run(&command, deadline + LIBVIRT_TIMEOUT);
        created.map_err(|error| without_file_name(error, &file))?;
        Ok(Guest {
            session,
            name,
            listener,
            deadline,
        })
    }

    fn run(&mut self, verb: &str) -> Result<String, SessionError> {
        self.session
            .run(&format!("{verb} {}", self.name), self.deadline)
    }

    /// The file that libvirt had QEMU make: `ram/libvirt/qemu/…-NAME/pc.ram`, or of the first NUMA cell `ram-node0`.
    fn memory(&self, mailbox: Config) -> Result<GuestMemory, SessionError> {
        let folder = self.session.file("ram/libvirt/qemu");
        let ending = format!("-{}", self.name);
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut paths = entries.map(|entry| entry.path());
        let mine = |path: &PathBuf| path.to_string_lossy().ends_with(&ending);
        let names = ["pc.ram", "ram-node0"];
        let path = paths.find(mine).and_then(|folder| {
            let mut files = names.iter().map(|name| folder.join(name));
            files.find(|file| file.exists())
        });
        let path =
            path.ok_or_else(|| SessionError::Start("the guest has no RAM file".to_owned()))?;
        GuestMemory::of_file(&path, mailbox)
            .map_err(|error| SessionError::Start(format!("{}: {error}", path.display())))
    }

    /// Waits until QEMU has closed its end of the socket, and ends it at the deadline; whether it ended by itself.
    fn ended(&mut self) -> Result<bool, SessionError> {
        let failed = |error: std::io::Error| SessionError::Start(error.to_string());
        let (mut stream, _) = self.listener.accept().map_err(failed)?;
        stream.set_nonblocking(true).map_err(failed)?;
        let deadline = Deadline::after(self.deadline);
        loop {
            let mut bytes = [0; 4096];
            match stream.read(&mut bytes) {
                Ok(0) => return Ok(true),
                Ok(_) => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return Ok(true),
            }
            match deadline.left() {
                Some(left) if self.session.readable(stream.as_fd(), left)? => {}
                _ => {
                    self.run("destroy")?;
                    return Ok(false);
                }
            }
        }
    }

    /// QEMU's command line as libvirt made it, and what QEMU wrote to its standard error.
    fn log(&self) -> (Vec<String>, String) {
        let file = self.session.file(&format!("log/qemu/{}.log", self.name));
        let log = open::beginning(file, OUTPUT as u64).unwrap_or_default();
        split_log(&String::from_utf8_lossy(&log))
    }
}

/// A refusal without the name of our own file, which means nothing to anybody.
fn without_file_name(error: SessionError, file: &Path) -> SessionError {
    match error {
        SessionError::Refused(text) => {
            let ours = format!("Failed to create domain from {}: ", file.display());
            SessionError::Refused(text.replace(&ours, ""))
        }
        other => other,
    }
}

impl Speaks for Guest<'_> {
    fn execute(&mut self, command: &Value) -> Result<Answer, Gone> {
        let command = format!(
            "qemu-monitor-command {} {}",
            self.name,
            quoted(&command.to_string())
        );
        let answer = self.session.run(&command, self.deadline);
        let answer = answer.map_err(|_| Gone)?;
        let mut answer: Value = serde_json::from_str(&answer).map_err(|_| Gone)?;
        match answer.get_mut("return") {
            Some(value) => Ok(Ok(value.take())),
            None => Ok(Err(answer["error"]["desc"]
                .as_str()
                .unwrap_or("no reason given")
                .to_owned())),
        }
    }
}

/// A domain's log: a header, variables and the command line with a backslash at the end of each line but the last, then what QEMU
/// says (qemuProcessLaunch).
fn split_log(log: &str) -> (Vec<String>, String) {
    let mut lines = log.lines();
    let mut command = Vec::new();
    for line in lines.by_ref() {
        let (text, more) = match line.strip_suffix(" \\") {
            Some(text) => (text, true),
            None => (line, false),
        };
        if text.contains("starting up libvirt version") {
            continue;
        }
        let variable = text.split_once('=').is_some_and(|(name, _)| {
            name.chars()
                .all(|letter| letter.is_ascii_uppercase() || letter == '_')
        });
        if !variable || !command.is_empty() {
            command.extend(shlex::split(text).unwrap_or_default());
        }
        if !more {
            break;
        }
    }
    let stderr =
        lines.filter(|line| !line.contains("is tainted") && !line.contains("shutting down"));
    // `2026-11-25T11:23:08.972869Z qemu-system-x86_64: …` (-msg timestamp=on)
    let stderr = stderr.map(|line| match line.split_once("Z ") {
        Some((time, rest)) if time.contains('T') && !time.contains(' ') => rest,
        _ => line,
    });
    (command, stderr.collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_gives_the_command_line_and_qemus_messages() {
        let log = "2026-11-25 11:23:08.936+0000: starting up libvirt version: 9.0.0, package: x\nLC_ALL=C \\\nPATH=/bin \\\n\
                   /opt/qemu \\\n-name guest=a,debug-threads=on \\\n-object '{\"a\":\"b c\"}' \\\n-cpu EPYC,avx=off\n\
                   2026-11-25 11:23:08.936+0000: Domain id=1 is tainted: custom-argv\n\
                   2026-11-25T11:23:08.972869Z qemu: warning: x\n\
                   2026-11-25 11:23:09.1+0000: shutting down, reason=crashed\n";
        let (command, stderr) = split_log(log);
        assert_eq!(
            command,
            [
                "/opt/qemu",
                "-name",
                "guest=a,debug-threads=on",
                "-object",
                "{\"a\":\"b c\"}",
                "-cpu",
                "EPYC,avx=off"
            ]
        );
        assert_eq!(stderr, "qemu: warning: x");
    }
}
