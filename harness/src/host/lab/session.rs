//! The host's side of a lab: L1 started when it is first needed, asked one request after the other, ended with the lab.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use super::error::LabError;
use super::l1::L1;
use super::plan::Plan;
use super::wire::{Answer, Layers, Request};
use crate::case::guest::Case;
use crate::case::migration::Journey;
use crate::host::HostLayer;
use crate::host::kvm::KvmLayer;
use crate::host::site::{Site, SiteError};
use crate::util::cancel::Cancel;
use crate::vmm::guest::{Boot, Options};
use crate::vmm::kvm::run::Direct;
use crate::vmm::kvm::table::CpuidTable;
use crate::vmm::linux::LinuxFiles;
use crate::vmm::migrate::outcome::Migrated;
use crate::vmm::migrate::{self, Saved};

/// How often a lab that died is started again: a guest that takes L1 down costs its own case, not those of others.
const STARTS: usize = 4;

/// A request on its way.
struct Call {
    request: Request,
    timeout: Duration,
    reply: Sender<Result<Answer, LabError>>,
}

/// A lab. L1 starts with the first request, and ends when this is dropped.
#[derive(Debug)]
pub struct Lab {
    calls: Mutex<Option<Sender<Call>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    layers: OnceLock<Result<Layers, LabError>>,
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
    pub fn layers(&self) -> &Result<Layers, LabError> {
        self.layers
            .get_or_init(|| match self.call(Request::Layers, Duration::ZERO)? {
                Answer::Layers(layers) => Ok(*layers),
                _ => Err(LabError::OtherAnswer),
            })
    }

    /// The same by the clock of L1.
    fn inside(&self, options: &Options) -> Options {
        Options {
            timeout: self.plan.host.pace().inside(options.timeout),
            ..options.clone()
        }
    }

    /// Has L1 answer a request, within what it would take under TCG.
    fn call(&self, request: Request, timeout: Duration) -> Result<Answer, LabError> {
        let (reply, answer) = channel();
        let call = Call {
            request,
            timeout: self.plan.host.pace().outside(timeout + SLACK),
            reply,
        };
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = calls.as_ref().is_some_and(|calls| calls.send(call).is_ok());
        drop(calls);
        if !sent {
            return Err(LabError::Ended);
        }
        answer.recv().unwrap_or(Err(LabError::Ended))
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

impl Site for Lab {
    fn boot(
        &self,
        case: &Case,
        rom: &Path,
        options: &Options,
        _: &Cancel,
    ) -> Result<Boot, SiteError> {
        let request = Request::Boot {
            case: case.into(),
            rom: rom.to_owned(),
            options: self.inside(options),
        };
        match self.call(request, options.timeout)? {
            Answer::Boot(booted) => booted.map(|booted| *booted),
            _ => Err(LabError::OtherAnswer.into()),
        }
    }

    fn boot_direct(
        &self,
        case: &Case,
        table: &CpuidTable,
        options: &Options,
        _: &Cancel,
    ) -> Result<Direct, SiteError> {
        let request = Request::Direct {
            case: case.into(),
            table: table.clone(),
            options: self.inside(options),
        };
        match self.call(request, options.timeout)? {
            Answer::Direct(booted) => booted.map(|booted| *booted),
            _ => Err(LabError::OtherAnswer.into()),
        }
    }

    fn boot_linux(
        &self,
        case: &Case,
        files: &LinuxFiles,
        options: &Options,
        _: &Cancel,
    ) -> Result<Boot, SiteError> {
        let request = Request::Linux {
            case: case.into(),
            files: files.clone(),
            options: self.inside(options),
        };
        match self.call(request, options.timeout)? {
            Answer::Boot(booted) => booted.map(|booted| *booted),
            _ => Err(LabError::OtherAnswer.into()),
        }
    }

    fn migrate(
        &self,
        pair: [&Case; 2],
        rom: &Path,
        options: &Options,
        journey: &Journey,
        _: &Cancel,
    ) -> Result<Migrated, SiteError> {
        let request = Request::Migrate {
            pair: pair.map(Into::into),
            rom: rom.to_owned(),
            options: self.inside(options),
            journey: journey.clone(),
        };
        match self.call(request, options.timeout * migrate::STAGES)? {
            Answer::Migrated(migrated) => migrated.map(|migrated| *migrated),
            _ => Err(LabError::OtherAnswer.into()),
        }
    }

    fn save(
        &self,
        case: &Case,
        rom: &Path,
        options: &Options,
        _: &Cancel,
    ) -> Result<Saved, SiteError> {
        let request = Request::Save {
            case: case.into(),
            rom: rom.to_owned(),
            options: self.inside(options),
        };
        match self.call(request, options.timeout * migrate::STAGES)? {
            Answer::Saved(saved) => saved.map(|saved| *saved),
            _ => Err(LabError::OtherAnswer.into()),
        }
    }

    fn restore(
        &self,
        case: &Case,
        saved: &Saved,
        rom: &Path,
        options: &Options,
        _: &Cancel,
    ) -> Result<Migrated, SiteError> {
        let request = Request::Restore {
            case: case.into(),
            saved: Box::new(saved.stream_alone()),
            rom: rom.to_owned(),
            options: self.inside(options),
        };
        match self.call(request, options.timeout * migrate::STAGES)? {
            Answer::Migrated(migrated) => migrated.map(|migrated| *migrated),
            _ => Err(LabError::OtherAnswer.into()),
        }
    }

    fn ask(
        &self,
        qemu: &Path,
        machine: &str,
        commands: &[Value],
        deadline: Duration,
        _: &Cancel,
    ) -> Result<Vec<Value>, SiteError> {
        let request = Request::Ask {
            qemu: qemu.to_owned(),
            machine: machine.to_owned(),
            commands: commands.to_vec(),
            deadline: self.plan.host.pace().inside(deadline),
        };
        match self.call(request, deadline)? {
            Answer::Asked(answers) => answers,
            _ => Err(LabError::OtherAnswer.into()),
        }
    }

    fn host_layer(&self) -> Result<HostLayer, SiteError> {
        let layers = self.layers().as_ref().map_err(Clone::clone)?;
        Ok(layers.host.clone())
    }

    fn kvm_layer(&self) -> Result<KvmLayer, SiteError> {
        let layers = self.layers().as_ref().map_err(Clone::clone)?;
        layers.kvm.clone().map_err(SiteError::from)
    }
}

/// The thread of a lab: one request after the other, L1 started where there is none.
fn serve(plan: &Plan, calls: &Receiver<Call>, cancel: &Cancel, up: &OnceLock<Duration>) {
    let mut server = Server {
        plan,
        cancel,
        up,
        running: None,
        starts_left: STARTS,
        given_up: None,
    };
    while let Ok(call) = calls.recv() {
        let _ = call.reply.send(server.answer(&call));
    }
    if let Some(l1) = server.running {
        l1.end(&*plan.host);
    }
}

struct Server<'a> {
    plan: &'a Plan,
    cancel: &'a Cancel,
    up: &'a OnceLock<Duration>,
    running: Option<L1>,
    starts_left: usize,
    /// Why no L1 is started any more.
    given_up: Option<LabError>,
}

impl Server<'_> {
    fn answer(&mut self, call: &Call) -> Result<Answer, LabError> {
        let mut l1 = self.started()?;
        match l1.ask(&call.request, call.timeout) {
            Ok(answer) => {
                self.running = Some(l1);
                Ok(answer)
            }
            Err(error) => {
                let error = LabError::Died(Box::new(l1.end_because(error, &*self.plan.host)));
                if self.starts_left == 0 || self.cancel.thrown() {
                    self.given_up = Some(error.clone());
                }
                Err(error)
            }
        }
    }

    /// The running L1, or a new one.
    fn started(&mut self) -> Result<L1, LabError> {
        if let Some(error) = &self.given_up {
            return Err(error.clone());
        }
        if let Some(l1) = self.running.take() {
            return Ok(l1);
        }
        self.starts_left -= 1;
        // One that does not come up would not come up the next time either.
        let l1 = L1::start(self.plan, self.cancel)
            .inspect_err(|error| self.given_up = Some(error.clone()))?;
        let _ = self.up.set(l1.came_up());
        Ok(l1)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::host::lab::emulated::{EmulatedHost, Machine, Parts, memory};
    use crate::host::lab::transport::Transport;
    use crate::util::process::Ending;
    use crate::vmm::linux::kernel::Kernel;

    /// A machine that starts and never answers.
    #[derive(Debug)]
    struct Silent(PathBuf);

    impl EmulatedHost for Silent {
        fn label(&self) -> &'static str {
            "none"
        }

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

        fn transport(&self) -> Transport {
            Transport::Ivshmem
        }

        fn machine(&self, _: Parts<'_>) -> Result<Machine, LabError> {
            let (doorbell, theirs) = std::os::unix::net::UnixStream::pair().expect("sockets");
            Ok(Machine {
                command: vec![self.0.clone().into(), "1000".into()],
                inherited: vec![theirs.into()],
                shared: memory("shared", 0).expect("memory"),
                shared_at: 0,
                console: memory("console", 0).expect("memory"),
                doorbell: std::fs::File::from(std::os::fd::OwnedFd::from(doorbell)),
            })
        }
    }

    fn error_of(program: &str) -> SiteError {
        let plan = Plan {
            host: Arc::new(Silent(program.into())),
            kernel: Kernel {
                release: "6.12.1".to_owned(),
                image: "vmlinuz".into(),
                modules: None,
                config: None,
            },
            parameters: Vec::new(),
            initramfs: "/dev/null".into(),
            megabytes: None,
            guests: 0,
            timeout: Duration::from_millis(100),
        };
        let lab = Lab::new(plan, Cancel::new().expect("an eventfd")).expect("a thread");
        let error = lab.host_layer().expect_err("no layers");
        // The second question does not start it again.
        assert_eq!(lab.kvm_layer().expect_err("no layers"), error);
        error
    }

    #[test]
    fn a_host_that_never_comes_up_is_given_up() {
        let error = error_of("/bin/sleep");
        assert!(
            matches!(&error, SiteError::Lab(LabError::NotUp { end, .. }) if end.ending == Ending::TimedOut)
        );
        assert_eq!(
            error.to_string(),
            "linux-6.12 did not come up: no answer after 0 s; console:\n  (nothing); /bin/sleep 1000"
        );
    }

    #[test]
    fn an_emulator_that_is_not_there_is_named() {
        let error = error_of("/no/qemu");
        assert!(matches!(error, SiteError::Lab(LabError::Start(_))));
        let message = error.to_string();
        assert!(
            message.starts_with("failed to start /no/qemu: "),
            "{message}"
        );
    }
}
