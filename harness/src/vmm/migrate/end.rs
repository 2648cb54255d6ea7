//! One of the two QEMUs of a migration, with the agent's two lines to the host: the debug port out, COM1 in.

use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use fidelity_protocol::config::{COMMAND_DUMP, COMMAND_QUIT, Config, READY};
use serde_json::json;

use crate::case::guest::Case;
use crate::util::cancel::Cancel;
use crate::util::process::{Finished, Woken};
use crate::vmm::command::{DEBUG_PORT, Wiring, command};
use crate::vmm::memory::{GuestMemory, Slot, megabytes};
use crate::vmm::monitor::{Answer, Gone, Monitor, command_with};

/// MiB of RAM at least. Every page is looked at on both sides, and looking at one of a memory file allocates it: with 32 MiB
/// migration takes five times as long (measured).
const MEGABYTES: u64 = 8;

/// A running QEMU with an agent that waits, or is going to.
#[derive(Debug)]
pub struct Machine {
    /// QMP.
    pub monitor: Monitor,
    /// Its guest's RAM.
    pub memory: GuestMemory,
    debug: UnixStream,
    serial: UnixStream,
    timeout: Duration,
}

/// What a machine is started with.
pub struct Parts<'a> {
    /// The guest.
    pub case: &'a Case,
    /// The agent.
    pub rom: &'a Path,
    /// Its instructions: they give the size of RAM, and stand in it unless the guest is to come from elsewhere.
    pub config: Config,
    /// Wait for a guest from elsewhere instead of starting one.
    pub incoming: bool,
    /// Files to keep open under the same numbers.
    pub inherit: &'a [BorrowedFd<'a>],
    /// How long each thing that it is asked to do may take.
    pub timeout: Duration,
}

impl Machine {
    /// Starts it. [`Machine::greet`] shows what comes of that.
    ///
    /// # Errors
    /// The program cannot be started, or the kernel refuses RAM or sockets.
    pub fn start(parts: &Parts<'_>, cancel: &Cancel) -> std::io::Result<Machine> {
        let memory = GuestMemory::blank(parts.config, megabytes(&parts.config, MEGABYTES))?;
        if !parts.incoming {
            memory.fill_mailbox()?;
        }
        let (debug, its_debug) = UnixStream::pair()?;
        let (serial, its_serial) = UnixStream::pair()?;
        let extra = arguments(parts.incoming, &its_debug, &its_serial);
        let path = memory.path();
        let wiring = Wiring {
            rom: parts.rom,
            megabytes: memory.megabytes(),
            memory: Some(&path),
            extra: &extra,
        };
        let line = command(parts.case, &wiring);
        let own = [memory.as_fd(), its_debug.as_fd(), its_serial.as_fd()];
        let files: Vec<_> = own
            .into_iter()
            .chain(parts.inherit.iter().copied())
            .collect();
        let monitor = Monitor::start(line, &files, parts.timeout, cancel)?;
        Ok(Machine {
            monitor,
            memory,
            debug,
            serial,
            timeout: parts.timeout,
        })
    }

    /// Waits until it answers, and asks it for events of a migration.
    ///
    /// # Errors
    /// It is gone: most often because it refused its command line.
    pub fn greet(&mut self) -> Result<Answer, Gone> {
        self.monitor.greet()?;
        let capability = json!([{ "capability": "events", "state": true }]);
        let arguments = json!({ "capabilities": capability });
        self.execute("migrate-set-capabilities", arguments)
    }

    /// Gives a QMP command.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn execute(&mut self, name: &str, arguments: serde_json::Value) -> Result<Answer, Gone> {
        self.monitor.execute(&command_with(name, arguments))
    }

    /// Gives it as much time as it had at its start.
    pub fn extend(&mut self) {
        self.monitor.extend(self.timeout);
    }

    /// Waits until the agent says that its dump is complete; what each vCPU left.
    ///
    /// # Errors
    /// QEMU ended, or its time did.
    pub fn dumped(&mut self) -> Result<Vec<Slot>, Gone> {
        loop {
            if self.monitor.wait_for(self.debug.as_fd()) == Woken::Over {
                return Err(Gone);
            }
            let mut byte = [0];
            match self.debug.read(&mut byte) {
                Ok(1) if byte == [READY] => return Ok(self.memory.slots()),
                Ok(1) => {}
                _ => return Err(self.monitor.disconnected()),
            }
        }
    }

    /// Has the agent dump again, and waits for it.
    ///
    /// # Errors
    /// QEMU ended, or its time did.
    pub fn dump_again(&mut self) -> Result<Vec<Slot>, Gone> {
        self.extend();
        match self.serial.write_all(&[COMMAND_DUMP]) {
            Ok(()) => self.dumped(),
            Err(_) => Err(self.monitor.disconnected()),
        }
    }

    /// Has the agent end the guest, and QEMU with it.
    pub fn quit(mut self) -> Finished {
        self.extend();
        // Where it is gone already its end shows more than this could.
        let _ = self.serial.write_all(&[COMMAND_QUIT]);
        self.monitor.finish()
    }

    /// Waits for an end that is on its way.
    pub fn finish(mut self) -> Finished {
        self.extend();
        self.monitor.finish()
    }

    /// Ends it now.
    pub fn kill(mut self) -> Finished {
        self.monitor.extend(Duration::ZERO);
        self.monitor.finish()
    }
}

fn arguments(incoming: bool, debug: &UnixStream, serial: &UnixStream) -> Vec<String> {
    let socket = |id: &str, socket: &UnixStream| {
        let fd = socket.as_raw_fd();
        ["-chardev".to_owned(), format!("socket,id={id},fd={fd}")]
    };
    let mut arguments = [socket("debug", debug), socket("com1", serial)].concat();
    let port = format!("isa-debugcon,iobase={DEBUG_PORT:#x},chardev=debug");
    arguments.extend(["-device", &port, "-serial", "chardev:com1"].map(str::to_owned));
    if incoming {
        arguments.extend(["-incoming", "defer"].map(str::to_owned));
    }
    arguments
}
