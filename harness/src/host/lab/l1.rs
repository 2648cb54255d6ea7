//! L1 while it runs: the emulator's process, the memory and the doorbell through which requests go, the console.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::io::{pread, pwrite};

use super::area::{HEAD, WireError};
use super::emulated::{EmulatedHost, Machine, Parts};
use super::error::{EndOfL1, LabError, LinkError};
use super::plan::Plan;
use super::wire::{ANSWER, Answer, DOORBELL, REQUEST, Request};
use crate::util::cancel::Cancel;
use crate::util::process::{Process, Woken};
use crate::util::shell::pasteable;
use crate::vmm::console::last_lines;
use crate::vmm::start::StartError;

/// What L1 may take to end when it is asked to.
const TIME_TO_END: Duration = Duration::from_secs(5);

/// A running L1. It dies with the thread that started it, and when it is dropped.
pub(super) struct L1 {
    process: Process,
    doorbell: File,
    shared: OwnedFd,
    shared_at: u64,
    console: OwnedFd,
    command: String,
    came_up: Duration,
    /// Whether it is stopped between requests.
    pauses: bool,
}

impl L1 {
    /// Starts one and waits until its /init is ready.
    ///
    /// # Errors
    /// It cannot be started, does not come up in time, has no KVM, or is known not to start there.
    pub(super) fn start(plan: &Plan, cancel: &Cancel) -> Result<L1, LabError> {
        if let Some(reason) = plan.host.stops(&plan.kernel.release) {
            return Err(LabError::Stops {
                kernel: plan.kernel.label(),
                reason,
            });
        }
        let started = Instant::now();
        let mut l1 = L1::spawn(plan, cancel)?;
        match l1.answer() {
            Ok(Answer::Up) => {
                l1.came_up = started.elapsed();
                if l1.pauses {
                    l1.process.pause();
                }
                Ok(l1)
            }
            Ok(Answer::Unusable(reason)) => Err(LabError::Unusable {
                kernel: plan.kernel.label(),
                reason,
            }),
            Ok(_) => Err(LabError::OtherAnswer),
            Err(error) => Err(LabError::NotUp {
                kernel: plan.kernel.label(),
                end: Box::new(l1.end_because(error, &*plan.host)),
            }),
        }
    }

    fn spawn(plan: &Plan, cancel: &Cancel) -> Result<L1, LabError> {
        let megabytes = plan.megabytes()?;
        let Machine {
            command,
            inherited,
            shared,
            shared_at,
            console,
            doorbell,
        } = plan.host.machine(Parts {
            kernel: &plan.kernel.image,
            initramfs: &plan.initramfs,
            command_line: &plan.command_line(),
            megabytes,
        })?;
        let arguments: Vec<String> = command
            .iter()
            .map(|argument| argument.to_string_lossy().into_owned())
            .collect();
        let ends = [&shared, &console].into_iter().chain(&inherited);
        let inherit: Vec<BorrowedFd<'_>> = ends.map(OwnedFd::as_fd).collect();
        let process = Process::start(
            &command,
            &inherit,
            plan.host.pace().outside(plan.timeout),
            cancel,
        )
        .map_err(|error| StartError::new(plan.host.program().display(), error))?;
        Ok(L1 {
            process,
            doorbell,
            shared,
            shared_at,
            console,
            command: pasteable(&arguments),
            came_up: Duration::ZERO,
            pauses: plan.host.spins(),
        })
    }

    /// From its start until it was ready.
    pub(super) fn came_up(&self) -> Duration {
        self.came_up
    }

    /// Sends a request and waits for its answer, at most `timeout`.
    ///
    /// # Errors
    /// There is no answer, or it is none. L1 is of no use then.
    pub(super) fn ask(
        &mut self,
        request: &Request,
        timeout: Duration,
    ) -> Result<Answer, LinkError> {
        if self.pauses {
            self.process.go_on();
        }
        self.process.extend(timeout);
        self.send(request)?;
        let answer = self.answer()?;
        if self.pauses {
            self.process.pause();
        }
        Ok(answer)
    }

    fn send(&mut self, request: &Request) -> Result<(), LinkError> {
        let bytes = REQUEST.pack(request)?;
        let mut at = 0;
        while at < bytes.len() {
            let place = self.shared_at + (REQUEST.at + at) as u64;
            let written = pwrite(&self.shared, &bytes[at..], place);
            at += written.map_err(|error| LinkError::Gone(error.into()))?;
        }
        let written = self.doorbell.write_all(&[DOORBELL]);
        written.map_err(|error| LinkError::Gone(error.into()))
    }

    fn answer(&mut self) -> Result<Answer, LinkError> {
        if self.process.wait_for(self.doorbell.as_fd()) == Woken::Over {
            return Err(LinkError::Silent);
        }
        let mut byte = [0];
        match self.doorbell.read(&mut byte) {
            Ok(1) if byte == [DOORBELL] => {}
            Ok(1) => return Err(LinkError::Doorbell),
            _ => {
                // Closed: it ends, or is of no use.
                self.process.hurry(TIME_TO_END);
                return Err(LinkError::Silent);
            }
        }
        let head = self.read(ANSWER.at, HEAD);
        let head = head.try_into().map_err(|_| WireError::NoHead)?;
        let text = self.read(ANSWER.at + HEAD, ANSWER.length(head)?);
        Ok(ANSWER.unpack(head, &text)?)
    }

    fn read(&self, at: usize, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        let mut done = 0;
        while done < length {
            let place = self.shared_at + (at + done) as u64;
            match pread(&self.shared, &mut bytes[done..], place) {
                Ok(count) if count > 0 => done += count,
                _ => break,
            }
        }
        bytes.truncate(done);
        bytes
    }

    /// Ends L1 where it has not ended, because its answer was `link`.
    pub(super) fn end_because(mut self, link: LinkError, host: &dyn EmulatedHost) -> EndOfL1 {
        if link != LinkError::Silent {
            // It runs, and what it answers is of no use.
            self.process.extend(Duration::ZERO);
        }
        let finished = self.process.finish();
        EndOfL1 {
            link,
            ending: finished.ending,
            elapsed: finished.elapsed,
            stderr: host.messages(&finished.stderr),
            console: last_lines(&self.console),
            command: self.command,
        }
    }

    /// Has L1 power off, and waits for that.
    pub(super) fn end(mut self, host: &dyn EmulatedHost) {
        if !host.powers_off() {
            // Dropped, it is killed: nothing in it is kept.
            return;
        }
        self.process.extend(TIME_TO_END);
        if self.send(&Request::End).is_ok() {
            self.process.finish();
        }
    }
}
