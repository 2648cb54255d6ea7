//! /init of L1: this program, started by the kernel under test.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::fs;
use std::path::Path;

use rustix::mount::{MountFlags, mount};
use rustix::system::{RebootCommand, reboot};

use super::error::{LabError, Unusable};
use super::init_error::InitError;
use super::link::Link;
use super::wire::{Answer, Layers, MODULES, Request, SETUP, Setup};
use crate::host::HostLayer;
use crate::host::kvm::KvmLayer;
use crate::host::site::{Here, Site as _, SiteError};
use crate::util::cancel::Cancel;
use crate::util::limits::{KERNEL_TEXT, PROGRAM, TEXT};
use crate::util::os_error::OsError;
use crate::util::terminal::note;
use crate::util::{launch, open};
use crate::vmm::AGENT_ROM;

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

fn serve() -> Result<(), InitError> {
    let none = None::<&CStr>;
    for (kind, place) in [("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev")] {
        mount(kind, place, kind, MountFlags::empty(), none)
            .map_err(|error| InitError::Mount { place, error })?;
    }
    let setup = open::bytes(SETUP, TEXT).map_err(InitError::file(SETUP))?;
    let setup: Setup = serde_json::from_slice(&setup).map_err(InitError::Setup)?;
    launch::install(setup.launches.clone());
    let mut link = Link::open(setup.transport)?;
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
        Request::Linux {
            case,
            files,
            options,
        } => {
            let booted = Here.boot_linux(&case.into_case(), &files, &options, cancel);
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
        Request::Save { case, rom, options } => {
            let case = case.into_case();
            let saved = place_rom(&rom).and_then(|()| Here.save(&case, &rom, &options, cancel));
            Answer::Saved(saved.map(Box::new))
        }
        Request::Restore {
            case,
            saved,
            rom,
            options,
        } => {
            let case = case.into_case();
            let restored =
                place_rom(&rom).and_then(|()| Here.restore(&case, &saved, &rom, &options, cancel));
            Answer::Migrated(restored.map(Box::new))
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
    let line = open::text("/proc/cmdline", KERNEL_TEXT).unwrap_or_default();
    let mut failed = BTreeMap::new();
    for name in names {
        let own = CString::new(parameters(&line, name)).unwrap_or_default();
        let bytes = open::bytes(format!("{MODULES}/{name}.ko"), PROGRAM).unwrap_or_default();
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
