//! /init's side of the way to the host: the second serial port, and the memory that both share.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use super::area::{Area, HEAD};
use super::error::Unusable;
use super::init_error::InitError;
use super::ports::AtaDisk;
use super::transport::Transport;
use super::wire::{ANSWER, Answer, DEVICE, DOORBELL, REQUEST, Request, SIZE};
use crate::util::limits::KERNEL_TEXT;
use crate::util::open;
use crate::vmm::kvm::mapping::Mapping;

/// The memory that the host and /init share.
trait Shared {
    /// Copies bytes out.
    fn read(&mut self, at: usize, bytes: &mut [u8]) -> Result<(), InitError>;

    /// Copies bytes in.
    fn write(&mut self, at: usize, bytes: &[u8]) -> Result<(), InitError>;
}

impl Shared for Mapping {
    fn read(&mut self, at: usize, bytes: &mut [u8]) -> Result<(), InitError> {
        Mapping::read(self, at, bytes);
        Ok(())
    }

    fn write(&mut self, at: usize, bytes: &[u8]) -> Result<(), InitError> {
        Mapping::write(self, at, bytes);
        Ok(())
    }
}

impl Shared for AtaDisk {
    fn read(&mut self, at: usize, bytes: &mut [u8]) -> Result<(), InitError> {
        AtaDisk::read(self, at, bytes)
    }

    fn write(&mut self, at: usize, bytes: &[u8]) -> Result<(), InitError> {
        AtaDisk::write(self, at, bytes)
    }
}

/// The way to the host.
pub(super) struct Link {
    doorbell: File,
    memory: Box<dyn Shared>,
}

impl Link {
    pub(super) fn open(transport: Transport) -> Result<Link, InitError> {
        let port = "/dev/ttyS1";
        let doorbell = both_ways(Path::new(port)).map_err(InitError::file(port))?;
        raw(&doorbell).map_err(|error| InitError::file(port)(error.into()))?;
        let memory: Box<dyn Shared> = match transport {
            Transport::Ivshmem => Box::new(ivshmem()?),
            Transport::AtaDisk { sector } => {
                Box::new(AtaDisk::open(sector).map_err(InitError::Ports)?)
            }
        };
        Ok(Link { doorbell, memory })
    }

    pub(super) fn send(&mut self, answer: &Answer) -> Result<(), InitError> {
        let bytes = match ANSWER.pack(answer) {
            Ok(bytes) => bytes,
            Err(error) => ANSWER.pack(&Answer::Unusable(Unusable::Answer(error)))?,
        };
        self.memory.write(ANSWER.at, &bytes)?;
        self.doorbell
            .write_all(&[DOORBELL])
            .map_err(InitError::Ring)
    }

    pub(super) fn receive(&mut self) -> Result<Request, InitError> {
        let mut byte = [0];
        self.doorbell
            .read_exact(&mut byte)
            .map_err(InitError::Wait)?;
        let Area { at, .. } = REQUEST;
        let mut head = [0; HEAD];
        self.memory.read(at, &mut head)?;
        let mut message = vec![0; HEAD + REQUEST.length(head)?];
        self.memory.read(at, &mut message)?;
        Ok(REQUEST.unpack(head, &message[HEAD..])?)
    }
}

fn both_ways(path: &Path) -> std::io::Result<File> {
    File::options().read(true).write(true).open(path)
}

/// No echo, no lines, no signals: bytes.
fn raw(port: impl AsFd) -> rustix::io::Result<()> {
    let mut settings = tcgetattr(&port)?;
    settings.make_raw();
    tcsetattr(&port, OptionalActions::Now, &settings)
}

/// The memory of the ivshmem device.
fn ivshmem() -> Result<Mapping, InitError> {
    let resource = ivshmem_device()?.join("resource2");
    let memory = both_ways(&resource).and_then(|file| Mapping::new(&file, SIZE));
    memory.map_err(InitError::file(resource.display()))
}

/// The sysfs folder of the ivshmem device.
fn ivshmem_device() -> Result<PathBuf, InitError> {
    let devices = Path::new("/sys/bus/pci/devices");
    let entries = fs::read_dir(devices).map_err(InitError::NoPci)?;
    let is = |folder: &Path, name: &str, value: &str| {
        open::text(folder.join(name), KERNEL_TEXT).is_ok_and(|text| text.trim() == value)
    };
    let mut folders = entries.flatten().map(|entry| entry.path());
    let found =
        folders.find(|folder| is(folder, "vendor", DEVICE.0) && is(folder, "device", DEVICE.1));
    let found = found.ok_or(InitError::NoSharedMemory)?;
    // Nobody else enables it: it has no driver.
    fs::write(found.join("enable"), "1").map_err(InitError::file(found.display()))?;
    Ok(found)
}
