//! The host's side of a lab: L1 started, asked, ended.

use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::io::{pread, pwrite};
use serde_json::Value;

use super::emulated::Parts;
use super::plan::Plan;
use super::wire::{ANSWER, Answer, BELL, HEAD, Layers, REQUEST, Request, SIZE};
use crate::case::guest::Case;
use crate::case::migration::Journey;
use crate::host::HostLayer;
use crate::host::kvm::KvmLayer;
use crate::host::site::Site;
use crate::util::cancel::Cancel;
use crate::util::process::{Ending, Process, Woken};
use crate::util::shell::pasteable;
use crate::vmm::console::last_lines;
use crate::vmm::guest::{Boot, Options};
use crate::vmm::kvm::run::Direct;
use crate::vmm::kvm::table::CpuidTable;
use crate::vmm::migrate;
use crate::vmm::migrate::told::Migrated;

/// How often a lab that died is started again: a guest that takes L1 down costs its own case, not those of others.
const LIVES: usize = 4;

/// A request on its way.
struct Call {
    request: Request,
    patience: Duration,
    reply: Sender<Result<Answer, String>>,
}

/// A lab. L1 starts with the first request, and ends when this is dropped.
#[derive(Debug)]
pub struct Lab {
    calls: Mutex<Option<Sender<Call>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    layers: OnceLock<Result<Layers, String>>,
    plan: Plan,
    up: Arc<OnceLock<Duration>>,
}

/// What a request may take beside what it does itself: L1 is slow where this host is busy.
const SLACK: Duration = Duration::from_secs(30);

impl Lab {
    /// A lab that is not yet started.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn new(plan: Plan, cancel: Cancel) -> std::io::Result<Lab> {
        let (sender, calls) = channel();
        let up = Arc::new(OnceLock::new());
        // A process dies with the thread that started it, hence one of its own for L1.
        let (its_plan, its_up) = (plan.clone(), Arc::clone(&up));
        let thread = std::thread::Builder::new()
            .name("lab".to_owned())
            .spawn(move || serve(&its_plan, &calls, &cancel, &its_up))?;
        Ok(Lab {
            calls: Mutex::new(Some(sender)),
            thread: Mutex::new(Some(thread)),
            layers: OnceLock::new(),
            plan,
            up,
        })
    }

    /// What it is.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// From the start of L1 until it was ready; `None` before that.
    pub fn came_up(&self) -> Option<Duration> {
        self.up.get().copied()
    }

    /// The lower layers, asked once.
    ///
    /// # Errors
    /// L1 did not come up, or is gone.
    pub fn layers(&self) -> &Result<Layers, String> {
        self.layers
            .get_or_init(|| match self.call(Request::Layers, SLACK)? {
                Answer::Layers(layers) => Ok(*layers),
                other => Err(unexpected(&other)),
            })
    }

    fn call(&self, request: Request, patience: Duration) -> Result<Answer, String> {
        let (reply, answer) = channel();
        let call = Call {
            request,
            patience,
            reply,
        };
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = calls.as_ref().is_some_and(|calls| calls.send(call).is_ok());
        drop(calls);
        let gone = || "the lab has ended".to_owned();
        if !sent {
            return Err(gone());
        }
        answer.recv().unwrap_or_else(|_| Err(gone()))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        drop(calls.take());
        drop(calls);
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            let _ = thread.join();
        }
    }
}

fn unexpected(answer: &Answer) -> String {
    match answer {
        Answer::Unusable(reason) => reason.clone(),
        _ => "L1 answered something else than it was asked".to_owned(),
    }
}

impl Site for Lab {
    fn boot(&self, case: &Case, rom: &Path, options: &Options, _: &Cancel) -> Result<Boot, String> {
        let request = Request::Boot {
            case: case.into(),
            rom: rom.to_owned(),
            options: options.clone(),
        };
        match self.call(request, options.timeout + SLACK)? {
            Answer::Boot(booted) => booted.map(|booted| *booted),
            other => Err(unexpected(&other)),
        }
    }

    fn boot_direct(
        &self,
        case: &Case,
        table: &CpuidTable,
        options: &Options,
        _: &Cancel,
    ) -> Result<Direct, String> {
        let request = Request::Direct {
            case: case.into(),
            table: table.clone(),
            options: options.clone(),
        };
        match self.call(request, options.timeout + SLACK)? {
            Answer::Direct(booted) => booted.map(|booted| *booted),
            other => Err(unexpected(&other)),
        }
    }

    fn migrate(
        &self,
        pair: [&Case; 2],
        rom: &Path,
        options: &Options,
        journey: &Journey,
        _: &Cancel,
    ) -> Result<Migrated, String> {
        let request = Request::Migrate {
            pair: pair.map(Into::into),
            rom: rom.to_owned(),
            options: options.clone(),
            journey: journey.clone(),
        };
        match self.call(request, options.timeout * migrate::STAGES + SLACK)? {
            Answer::Migrated(migrated) => migrated.map(|migrated| *migrated),
            other => Err(unexpected(&other)),
        }
    }

    fn ask(
        &self,
        qemu: &Path,
        machine: &str,
        commands: &[Value],
        deadline: Duration,
        _: &Cancel,
    ) -> Result<Vec<Value>, String> {
        let request = Request::Ask {
            qemu: qemu.to_owned(),
            machine: machine.to_owned(),
            commands: commands.to_vec(),
            deadline,
        };
        match self.call(request, deadline + SLACK)? {
            Answer::Asked(answers) => answers,
            other => Err(unexpected(&other)),
        }
    }

    fn host_layer(&self) -> Result<HostLayer, String> {
        let layers = self.layers().as_ref();
        layers
            .map(|layers| layers.host.clone())
            .map_err(Clone::clone)
    }

    fn kvm_layer(&self) -> Result<KvmLayer, String> {
        let layers = self.layers().as_ref().map_err(Clone::clone)?;
        layers.kvm.clone()
    }
}

/// The thread of a lab: one request after the other, L1 started where there is none.
fn serve(plan: &Plan, calls: &Receiver<Call>, cancel: &Cancel, up: &OnceLock<Duration>) {
    let mut running: Option<Running> = None;
    let mut lives = LIVES;
    let mut dead = None;
    while let Ok(call) = calls.recv() {
        if running.is_none() && dead.is_none() {
            lives -= 1;
            match Running::start(plan, cancel) {
                Ok(started) => {
                    let _ = up.set(started.came_up);
                    running = Some(started);
                }
                // It would not come up the next time either.
                Err(reason) => dead = Some(reason),
            }
        }
        let answer = match (&mut running, &dead) {
            (_, Some(reason)) => Err(reason.clone()),
            (None, None) => Err("the lab has ended".to_owned()),
            (Some(lab), None) => lab.ask(&call.request, call.patience),
        };
        if let Err(reason) = &answer
            && dead.is_none()
            && let Some(lab) = running.take()
        {
            let told = lab.autopsy(reason);
            if lives == 0 || cancel.thrown() {
                dead = Some(told.clone());
            }
            let _ = call.reply.send(Err(told));
            continue;
        }
        let _ = call.reply.send(answer);
    }
    if let Some(lab) = running {
        lab.end();
    }
}

/// L1.
struct Running {
    process: Process,
    bell: UnixStream,
    shared: OwnedFd,
    console: OwnedFd,
    command: String,
    came_up: Duration,
}

impl Running {
    fn start(plan: &Plan, cancel: &Cancel) -> Result<Running, String> {
        let started = Instant::now();
        let megabytes = plan.megabytes()?;
        let told = |error: std::io::Error| format!("failed to start the lab: {error}");
        let memory = |name: &str, size: u64| -> std::io::Result<OwnedFd> {
            let file = memfd_create(name, MemfdFlags::CLOEXEC)?;
            ftruncate(&file, size)?;
            Ok(file)
        };
        let shared = memory("lab-shared", SIZE as u64).map_err(told)?;
        let console = memory("lab-console", 0).map_err(told)?;
        let (bell, theirs) = UnixStream::pair().map_err(told)?;
        let path = |file: &OwnedFd| format!("/proc/self/fd/{}", file.as_raw_fd());
        let line = plan.host.command(Parts {
            kernel: &plan.kernel.image,
            initramfs: &plan.initramfs,
            command_line: &plan.command_line(),
            megabytes,
            shared: &path(&shared),
            console: &path(&console),
            bell: theirs.as_raw_fd(),
        });
        let words: Vec<String> = line
            .iter()
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        let inherit = [shared.as_fd(), console.as_fd(), theirs.as_fd()];
        let process = Process::start(&line, &inherit, plan.patience, cancel).map_err(|error| {
            format!("failed to start {}: {error}", plan.host.program().display())
        })?;
        drop(theirs);
        let mut running = Running {
            process,
            bell,
            shared,
            console,
            command: pasteable(&words),
            came_up: Duration::ZERO,
        };
        match running.answer() {
            Ok(Answer::Up) => {
                running.came_up = started.elapsed();
                Ok(running)
            }
            Ok(other) => Err(format!("{}: {}", plan.kernel.label(), unexpected(&other))),
            Err(reason) => {
                let reason = running.autopsy(&reason);
                Err(format!("{} did not come up: {reason}", plan.kernel.label()))
            }
        }
    }

    fn ask(&mut self, request: &Request, patience: Duration) -> Result<Answer, String> {
        self.process.extend(patience);
        self.tell(request)?;
        self.answer()
    }

    fn tell(&mut self, request: &Request) -> Result<(), String> {
        use std::io::Write as _;
        let bytes = REQUEST.pack(request)?;
        let mut at = 0;
        while at < bytes.len() {
            let place = (REQUEST.at + at) as u64;
            at += pwrite(&self.shared, &bytes[at..], place).map_err(|error| error.to_string())?;
        }
        self.bell
            .write_all(&[BELL])
            .map_err(|error| format!("L1 is gone: {error}"))
    }

    fn answer(&mut self) -> Result<Answer, String> {
        use std::io::Read as _;
        if self.process.wait_for(self.bell.as_fd()) == Woken::Over {
            return Err(String::new());
        }
        let mut byte = [0];
        match self.bell.read(&mut byte) {
            Ok(1) if byte == [BELL] => {}
            Ok(1) => return Err("L1 rang another bell than its own".to_owned()),
            _ => return Err(String::new()),
        }
        let head = self.read(ANSWER.at, HEAD);
        let head = head
            .try_into()
            .map_err(|_| "the shared memory is gone".to_owned())?;
        let text = self.read(ANSWER.at + HEAD, ANSWER.length(head)?);
        ANSWER.unpack(head, &text)
    }

    fn read(&self, at: usize, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        let mut done = 0;
        while done < length {
            match pread(&self.shared, &mut bytes[done..], (at + done) as u64) {
                Ok(count) if count > 0 => done += count,
                _ => break,
            }
        }
        bytes.truncate(done);
        bytes
    }

    /// Ends L1 where it has not ended, and says what became of it: how it ended, what the emulator said, the console's last lines.
    fn autopsy(self, reason: &str) -> String {
        let Running {
            mut process,
            console,
            command,
            ..
        } = self;
        if !reason.is_empty() {
            // It lives, and what it said is of no use.
            process.extend(Duration::ZERO);
        }
        let finished = process.finish();
        let mut parts = Vec::new();
        if !reason.is_empty() {
            parts.push(reason.to_owned());
        }
        parts.push(match finished.ending {
            Ending::TimedOut if reason.is_empty() => {
                format!("no answer after {:.0} s", finished.elapsed.as_secs_f64())
            }
            Ending::TimedOut => "ended".to_owned(),
            Ending::Cancelled => "cancelled".to_owned(),
            Ending::Exited(0) => "L1 panicked or rebooted".to_owned(),
            Ending::Exited(status) => format!("the emulator exited with status {status}"),
            Ending::Signalled(signal) => format!("the emulator was killed by signal {signal}"),
            Ending::Stopped => "the emulator gave up".to_owned(),
        });
        let said = finished.stderr.trim();
        if !said.is_empty() {
            parts.push(format!("stderr: {said}"));
        }
        parts.push(format!("console:\n{}", last_lines(&console)));
        parts.push(command);
        parts.join("; ")
    }

    fn end(mut self) {
        self.process.extend(Duration::from_secs(5));
        if self.tell(&Request::End).is_ok() {
            self.process.finish();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::path::PathBuf;

    use super::*;
    use crate::host::lab::emulated::EmulatedHost;
    use crate::vmm::linux::kernel::Kernel;

    /// A machine that starts and never says a word.
    #[derive(Debug)]
    struct Silent(PathBuf);

    impl EmulatedHost for Silent {
        fn name(&self) -> &'static str {
            "nothing"
        }

        fn module(&self) -> &'static str {
            "kvm_amd"
        }

        fn options(&self) -> &'static [&'static str] {
            &[]
        }

        fn program(&self) -> &Path {
            &self.0
        }

        fn command(&self, _: Parts<'_>) -> Vec<OsString> {
            vec![self.0.clone().into(), "1000".into()]
        }
    }

    fn told_by(program: &str) -> String {
        let plan = Plan {
            host: Arc::new(Silent(program.into())),
            kernel: Kernel {
                release: "6.12.1".to_owned(),
                image: "vmlinuz".into(),
                modules: None,
                config: None,
            },
            words: Vec::new(),
            initramfs: "/dev/null".into(),
            megabytes: None,
            patience: Duration::from_millis(100),
        };
        let lab = Lab::new(plan, Cancel::new().expect("an eventfd")).expect("a thread");
        let told = lab.host_layer().expect_err("nothing to tell");
        // The second question does not start it again.
        assert_eq!(lab.kvm_layer().expect_err("nothing to tell"), told);
        told
    }

    #[test]
    fn a_host_that_never_comes_up_is_given_up() {
        let told = told_by("/bin/sleep");
        assert!(
            told.starts_with("linux-6.12 did not come up: no answer after 0 s; console:\n  (nothing); /bin/sleep 1000"),
            "{told}"
        );
    }

    #[test]
    fn an_emulator_that_is_not_there_is_told() {
        let told = told_by("/no/qemu");
        assert!(told.starts_with("failed to start /no/qemu: "), "{told}");
    }
}
