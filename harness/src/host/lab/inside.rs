//! /init of L1: this program, started by the kernel under test.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, mount};
use rustix::system::{RebootCommand, reboot};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use super::area::{Area, HEAD, WireError};
use super::error::{LabError, Unusable};
use super::wire::{
    ANSWER, Answer, DEVICE, DOORBELL, Layers, MODULES, REQUEST, Request, SETUP, SIZE, Setup,
};
use crate::host::HostLayer;
use crate::host::kvm::KvmLayer;
use crate::host::site::{Here, Site as _, SiteError};
use crate::util::cancel::Cancel;
use crate::util::launch;
use crate::util::os_error::OsError;
use crate::util::terminal::note;
use crate::vmm::AGENT_ROM;
use crate::vmm::kvm::mapping::Mapping;

/// Where this is the lab's /init: does its work and never comes back. Every binary that may be taken into a lab calls it first.
pub fn init_if_inside() {
    if std::process::id() != 1 || !Path::new(SETUP).exists() {
        return;
    }
    if let Err(error) = serve() {
        // The console; the kernel then panics, for its init is gone, and the host reads both.
        note(&format!("lab: {error}"));
    }
    std::process::exit(1);
}

/// Why /init could not do its work: shown on the console.
#[derive(Debug, thiserror::Error)]
enum InitError {
    #[error("failed to mount {place}: {error}")]
    Mount {
        place: &'static str,
        error: rustix::io::Errno,
    },
    #[error("{path}: {error}")]
    File { path: String, error: std::io::Error },
    #[error("{SETUP}: {0}")]
    Setup(serde_json::Error),
    #[error("no PCI in L1: {0}")]
    NoPci(std::io::Error),
    #[error("L1 sees no ivshmem device")]
    NoSharedMemory,
    #[error("failed to make an eventfd: {0}")]
    Cancel(std::io::Error),
    #[error("failed to write to the doorbell: {0}")]
    Ring(std::io::Error),
    #[error("failed to wait for the host: {0}")]
    Wait(std::io::Error),
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("failed to end")]
    End,
}

impl InitError {
    fn file(path: impl std::fmt::Display) -> impl FnOnce(std::io::Error) -> InitError {
        let path = path.to_string();
        move |error| InitError::File { path, error }
    }
}

fn serve() -> Result<(), InitError> {
    let none = None::<&CStr>;
    for (kind, place) in [("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev")] {
        mount(kind, place, kind, MountFlags::empty(), none)
            .map_err(|error| InitError::Mount { place, error })?;
    }
    let setup = fs::read(SETUP).map_err(InitError::file(SETUP))?;
    let setup: Setup = serde_json::from_slice(&setup).map_err(InitError::Setup)?;
    launch::install(setup.launches.clone());
    let mut link = Link::open()?;
    let failed = load(&setup.modules);
    let cancel = Cancel::new().map_err(InitError::Cancel)?;
    let first = if Path::new("/dev/kvm").exists() {
        Answer::Up
    } else {
        Answer::Unusable(Unusable::NoKvm {
            modules: setup.modules,
            failed: failed.clone(),
        })
    };
    link.send(&first)?;
    loop {
        let answer = match link.receive()? {
            Request::End => {
                let _ = reboot(RebootCommand::Restart);
                return Err(InitError::End);
            }
            request => answer(request, &failed, &cancel),
        };
        link.send(&answer)?;
    }
}

fn answer(request: Request, failed: &BTreeMap<String, OsError>, cancel: &Cancel) -> Answer {
    match request {
        Request::Layers | Request::End => Answer::Layers(Box::new(Layers {
            host: HostLayer::of_this_host(),
            kvm: KvmLayer::of_this_host(),
            failed: failed.clone(),
        })),
        Request::Boot { case, rom, options } => {
            let case = case.into_case();
            let booted = place_rom(&rom).and_then(|()| Here.boot(&case, &rom, &options, cancel));
            Answer::Boot(booted.map(Box::new))
        }
        Request::Direct {
            case,
            table,
            options,
        } => {
            let booted = Here.boot_direct(&case.into_case(), &table, &options, cancel);
            Answer::Direct(booted.map(Box::new))
        }
        Request::Migrate {
            pair,
            rom,
            options,
            journey,
        } => {
            let [from, to] = pair.map(|case| case.into_case());
            let migrated = place_rom(&rom)
                .and_then(|()| Here.migrate([&from, &to], &rom, &options, &journey, cancel));
            Answer::Migrated(migrated.map(Box::new))
        }
        Request::Ask {
            qemu,
            machine,
            commands,
            deadline,
        } => Answer::Asked(Here.ask(&qemu, &machine, &commands, deadline, cancel)),
    }
}

/// The agent where the host has it, so that command lines are the same.
fn place_rom(path: &Path) -> Result<(), SiteError> {
    if path.exists() {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    let placed = fs::create_dir_all(folder).and_then(|()| fs::write(path, AGENT_ROM));
    placed.map_err(|error| {
        SiteError::Lab(LabError::Agent {
            path: path.to_owned(),
            source: error.into(),
        })
    })
}

/// Loads the modules with the parameters that the kernel's command line has for them, as modprobe does; what could not be loaded.
fn load(names: &[String]) -> BTreeMap<String, OsError> {
    let line = fs::read_to_string("/proc/cmdline").unwrap_or_default();
    let mut failed = BTreeMap::new();
    for name in names {
        let own = CString::new(parameters(&line, name)).unwrap_or_default();
        let bytes = fs::read(format!("{MODULES}/{name}.ko")).unwrap_or_default();
        if let Err(error) = rustix::system::init_module(&bytes, &own) {
            failed.insert(name.clone(), error.into());
        }
    }
    failed
}

/// `nested=0 npt=1` of a command line with `kvm_amd.nested=0 kvm-amd.npt=1`: hyphens are underscores in a module's name.
fn parameters(line: &str, module: &str) -> String {
    let own = line.split_whitespace().filter_map(|setting| {
        let (name, parameter) = setting.split_once('.')?;
        (name.replace('-', "_") == module).then_some(parameter)
    });
    own.collect::<Vec<_>>().join(" ")
}

/// The second serial port and the shared memory.
struct Link {
    doorbell: fs::File,
    memory: Mapping,
}

impl Link {
    fn open() -> Result<Link, InitError> {
        let port = "/dev/ttyS1";
        let open = |path: &Path| fs::File::options().read(true).write(true).open(path);
        let doorbell = open(Path::new(port)).map_err(InitError::file(port))?;
        raw(&doorbell).map_err(|error| InitError::file(port)(error.into()))?;
        let resource = shared_memory()?.join("resource2");
        let memory = open(&resource).and_then(|file| Mapping::new(&file, SIZE));
        let memory = memory.map_err(InitError::file(resource.display()))?;
        Ok(Link { doorbell, memory })
    }

    fn send(&mut self, answer: &Answer) -> Result<(), InitError> {
        let bytes = match ANSWER.pack(answer) {
            Ok(bytes) => bytes,
            Err(error) => ANSWER.pack(&Answer::Unusable(Unusable::Answer(error)))?,
        };
        self.memory.write(ANSWER.at, &bytes);
        self.doorbell
            .write_all(&[DOORBELL])
            .map_err(InitError::Ring)
    }

    fn receive(&mut self) -> Result<Request, InitError> {
        let mut byte = [0];
        self.doorbell
            .read_exact(&mut byte)
            .map_err(InitError::Wait)?;
        let Area { at, .. } = REQUEST;
        let mut head = [0; HEAD];
        self.memory.read(at, &mut head);
        let mut text = vec![0; REQUEST.length(head)?];
        self.memory.read(at + HEAD, &mut text);
        Ok(REQUEST.unpack(head, &text)?)
    }
}

/// No echo, no lines, no signals: bytes.
fn raw(port: impl AsFd) -> rustix::io::Result<()> {
    let mut settings = tcgetattr(&port)?;
    settings.make_raw();
    tcsetattr(&port, OptionalActions::Now, &settings)
}

/// The sysfs folder of the ivshmem device.
fn shared_memory() -> Result<PathBuf, InitError> {
    let devices = Path::new("/sys/bus/pci/devices");
    let entries = fs::read_dir(devices).map_err(InitError::NoPci)?;
    let is = |folder: &Path, name: &str, value: &str| {
        fs::read_to_string(folder.join(name)).is_ok_and(|text| text.trim() == value)
    };
    let mut folders = entries.flatten().map(|entry| entry.path());
    let found =
        folders.find(|folder| is(folder, "vendor", DEVICE.0) && is(folder, "device", DEVICE.1));
    let found = found.ok_or(InitError::NoSharedMemory)?;
    // Nobody else enables it: it has no driver.
    fs::write(found.join("enable"), "1").map_err(InitError::file(found.display()))?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::parameters;

    #[test]
    fn a_module_gets_its_own_parameters() {
        let line = "panic=-1 kvm-amd.nested=0 kvm.ignore_msrs=1 kvm_amd.npt=1\n";
        assert_eq!(parameters(line, "kvm_amd"), "nested=0 npt=1");
        assert_eq!(parameters(line, "kvm"), "ignore_msrs=1");
        assert_eq!(parameters(line, "irqbypass"), "");
    }
}
