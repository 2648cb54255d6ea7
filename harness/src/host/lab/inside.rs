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

use super::wire::{ANSWER, Answer, Area, BELL, DEVICE, HEAD, Layers, MODULES, REQUEST, Request};
use super::wire::{SETUP, SIZE, Setup};
use crate::host::site::{Here, Site as _};
use crate::util::cancel::Cancel;
use crate::util::launch;
use crate::vmm::AGENT_ROM;
use crate::vmm::kvm::mapping::Mapping;

/// Where this is the lab's /init: does its work and never comes back. Every binary that may be taken into a lab calls it first.
pub fn init_if_inside() {
    if std::process::id() != 1 || !Path::new(SETUP).exists() {
        return;
    }
    if let Err(reason) = serve() {
        // The console; the kernel then panics, for its init is gone, and the host reads both.
        eprintln!("lab: {reason}");
    }
    std::process::exit(1);
}

fn serve() -> Result<(), String> {
    let none = None::<&CStr>;
    for (kind, place) in [("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev")] {
        mount(kind, place, kind, MountFlags::empty(), none)
            .map_err(|error| format!("failed to mount {place}: {error}"))?;
    }
    let setup = fs::read(SETUP).map_err(|error| format!("{SETUP}: {error}"))?;
    let setup: Setup =
        serde_json::from_slice(&setup).map_err(|error| format!("{SETUP}: {error}"))?;
    launch::install(setup.launches.clone());
    let mut link = Link::open()?;
    let failed = load(&setup.modules);
    let cancel = Cancel::new().map_err(|error| error.to_string())?;
    let up = match Path::new("/dev/kvm").exists() {
        true => Answer::Up,
        false => Answer::Unusable(no_kvm(&setup, &failed)),
    };
    link.say(&up)?;
    loop {
        let answer = match link.hear()? {
            Request::End => {
                let _ = reboot(RebootCommand::Restart);
                return Err("failed to end".to_owned());
            }
            request => answered(request, &failed, &cancel),
        };
        link.say(&answer)?;
    }
}

fn no_kvm(setup: &Setup, failed: &BTreeMap<String, String>) -> String {
    let told: Vec<String> = failed
        .iter()
        .map(|(module, error)| format!("; {module} could not be loaded: {error}"))
        .collect();
    let loaded = match setup.modules.is_empty() {
        true => "no module was to be loaded, and the kernel has none built in".to_owned(),
        false => format!("after loading {}", setup.modules.join(", ")),
    };
    format!("no /dev/kvm in L1 {loaded}{}", told.concat())
}

fn answered(request: Request, failed: &BTreeMap<String, String>, cancel: &Cancel) -> Answer {
    match request {
        Request::Layers | Request::End => Answer::Layers(Box::new(Layers {
            host: Here.host_layer().unwrap_or_default(),
            kvm: Here.kvm_layer(),
            failed: failed.clone(),
        })),
        Request::Boot { case, rom, options } => {
            let booted = place_rom(&rom)
                .and_then(|()| case.case())
                .and_then(|case| Here.boot(&case, &rom, &options, cancel));
            Answer::Boot(booted.map(Box::new))
        }
        Request::Direct {
            case,
            table,
            options,
        } => {
            let booted = case
                .case()
                .and_then(|case| Here.boot_direct(&case, &table, &options, cancel));
            Answer::Direct(booted.map(Box::new))
        }
        Request::Migrate {
            pair: [from, to],
            rom,
            options,
            journey,
        } => {
            let migrated = place_rom(&rom).and_then(|()| {
                let (from, to) = (from.case()?, to.case()?);
                Here.migrate([&from, &to], &rom, &options, &journey, cancel)
            });
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
fn place_rom(path: &Path) -> Result<(), String> {
    if path.exists() {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, AGENT_ROM))
        .map_err(|error| format!("{}: {error}", path.display()))
}

/// Loads the modules with the parameters that the kernel's command line has for them, as modprobe does; what could not be loaded.
fn load(names: &[String]) -> BTreeMap<String, String> {
    let line = fs::read_to_string("/proc/cmdline").unwrap_or_default();
    let mut failed = BTreeMap::new();
    for name in names {
        let words = CString::new(parameters(&line, name)).unwrap_or_default();
        let bytes = fs::read(format!("{MODULES}/{name}.ko")).unwrap_or_default();
        if let Err(error) = rustix::system::init_module(&bytes, &words) {
            failed.insert(name.clone(), error.to_string());
        }
    }
    failed
}

/// `nested=0 npt=1` of a command line with `kvm_amd.nested=0 kvm-amd.npt=1`: hyphens are underscores in a module's name.
fn parameters(line: &str, module: &str) -> String {
    let own = line.split_whitespace().filter_map(|word| {
        let (name, parameter) = word.split_once('.')?;
        (name.replace('-', "_") == module).then_some(parameter)
    });
    own.collect::<Vec<_>>().join(" ")
}

/// The second serial port and the shared memory.
struct Link {
    bell: fs::File,
    memory: Mapping,
}

impl Link {
    fn open() -> Result<Link, String> {
        let port = "/dev/ttyS1";
        let bell = fs::File::options()
            .read(true)
            .write(true)
            .open(port)
            .map_err(|error| format!("{port}: {error}"))?;
        raw(&bell).map_err(|error| format!("{port}: {error}"))?;
        let resource = shared_memory()?.join("resource2");
        let file = fs::File::options()
            .read(true)
            .write(true)
            .open(&resource)
            .map_err(|error| format!("{}: {error}", resource.display()))?;
        let memory = Mapping::new(&file, SIZE)
            .map_err(|error| format!("{}: {error}", resource.display()))?;
        Ok(Link { bell, memory })
    }

    fn say(&mut self, answer: &Answer) -> Result<(), String> {
        let bytes = match ANSWER.pack(answer) {
            Ok(bytes) => bytes,
            Err(reason) => ANSWER.pack(&Answer::Unusable(reason))?,
        };
        self.memory.write(ANSWER.at, &bytes);
        self.bell
            .write_all(&[BELL])
            .map_err(|error| format!("failed to ring: {error}"))
    }

    fn hear(&mut self) -> Result<Request, String> {
        let mut byte = [0];
        self.bell
            .read_exact(&mut byte)
            .map_err(|error| format!("failed to wait for the host: {error}"))?;
        let Area { at, .. } = REQUEST;
        let mut head = [0; HEAD];
        self.memory.read(at, &mut head);
        let mut text = vec![0; REQUEST.length(head)?];
        self.memory.read(at + HEAD, &mut text);
        REQUEST.unpack(head, &text)
    }
}

/// No echo, no lines, no signals: bytes.
fn raw(port: impl AsFd) -> rustix::io::Result<()> {
    let mut settings = tcgetattr(&port)?;
    settings.make_raw();
    tcsetattr(&port, OptionalActions::Now, &settings)
}

/// The sysfs folder of the ivshmem device.
fn shared_memory() -> Result<PathBuf, String> {
    let devices = Path::new("/sys/bus/pci/devices");
    let entries = fs::read_dir(devices).map_err(|error| format!("no PCI in L1: {error}"))?;
    let is = |folder: &Path, name: &str, value: &str| {
        fs::read_to_string(folder.join(name)).is_ok_and(|text| text.trim() == value)
    };
    let mut folders = entries.flatten().map(|entry| entry.path());
    let found =
        folders.find(|folder| is(folder, "vendor", DEVICE.0) && is(folder, "device", DEVICE.1));
    let found = found.ok_or("L1 sees no ivshmem device")?;
    // Nobody else enables it: it has no driver.
    fs::write(found.join("enable"), "1")
        .map_err(|error| format!("{}: {error}", found.display()))?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::parameters;

    #[test]
    fn a_module_gets_its_own_words() {
        let line = "panic=-1 kvm-amd.nested=0 kvm.ignore_msrs=1 kvm_amd.npt=1\n";
        assert_eq!(parameters(line, "kvm_amd"), "nested=0 npt=1");
        assert_eq!(parameters(line, "kvm"), "ignore_msrs=1");
        assert_eq!(parameters(line, "irqbypass"), "");
    }
}
