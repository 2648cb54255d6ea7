//! Trials about libvirt beside the planned ones: its files of CPUs, and what its policies do.

use std::path::Path;
use std::sync::Arc;

use cpuid_fidelity::case::Qemu;
use cpuid_fidelity::evidence::libvirt::cpu_map::CpuMap;
use cpuid_fidelity::expectation::store;
use cpuid_fidelity::expectation::store::RECORD;
use cpuid_fidelity::host::Ability;
use cpuid_fidelity::host::libvirt::Installation;
use cpuid_fidelity::lanes::libvirt::maps;
use cpuid_fidelity::run::Engine;
use cpuid_fidelity::run::libvirt::policies;
use libtest_mimic::{Arguments, Trial};

use super::recording::{keep, recording};

/// What the installed libvirt's files of CPUs and this QEMU disagree in is what was reviewed.
pub fn mapped(
    arguments: &Arguments,
    able: Result<String, String>,
    engine: &Arc<Engine>,
    qemu: &Arc<Qemu>,
) -> Trial {
    let name = format!("libvirt-map/{}", qemu.label);
    map_reviewed(arguments, name, able, engine, qemu, |engine| {
        engine.bench.libvirt.map()
    })
}

/// The same of a libvirt that was fetched.
pub fn mapped_of(
    arguments: &Arguments,
    (version, libvirt): &(String, Installation),
    engine: &Arc<Engine>,
    qemu: &Arc<Qemu>,
) -> Trial {
    let folder = maps::folder(version);
    let name = format!("libvirt-map/{}/{}", folder.display(), qemu.label);
    let map = libvirt.map_folder();
    map_reviewed(
        arguments,
        name,
        Ok(version.clone()),
        engine,
        qemu,
        move |_| {
            let map = map.as_deref().ok_or("no cpu_map beside its virsh")?;
            let map = maps::read(map).map_err(|error| error.to_string());
            map.map(Arc::new)
        },
    )
}

fn map_reviewed(
    arguments: &Arguments,
    name: String,
    able: Result<String, String>,
    engine: &Arc<Engine>,
    qemu: &Arc<Qemu>,
    map: impl Fn(&Engine) -> Result<Arc<CpuMap>, String> + Send + 'static,
) -> Trial {
    let expectation = |version: &str| {
        maps::folder(version)
            .join(qemu.release_folder())
            .join("names.snap")
    };
    let compare = move |engine: &Engine, qemu: &Arc<Qemu>, version: &str| {
        let map = map(engine)?;
        let report = maps::report(&engine.bench.store, &map, qemu)?;
        let mut wrong = Vec::new();
        for (path, lines) in report.parts(version, qemu) {
            wrong.extend(reviewed(engine, &path, lines)?);
        }
        Ok(wrong)
    };
    let able = able.and_then(|version| looked_at(engine, &expectation(&version)).map(|()| version));
    of_libvirt(arguments, name, able, engine, qemu, compare)
}

/// What `check`, `match` and `policy` do is what was reviewed.
pub fn policed(
    arguments: &Arguments,
    able: Result<String, String>,
    engine: &Arc<Engine>,
    qemu: &Arc<Qemu>,
) -> Trial {
    let name = format!("libvirt-policies/{}", qemu.label);
    let compare = |engine: &Engine, qemu: &Arc<Qemu>, version: &str| {
        let case = policies::case(qemu).ok_or("no versioned machine type")?;
        let lines = policies::table(engine, &case);
        reviewed(engine, &policies::expectation(version, qemu), &lines)
    };
    let able = able.and_then(|version| {
        looked_at(engine, &policies::expectation(&version, qemu)).map(|()| version)
    });
    of_libvirt(arguments, name, able, engine, qemu, compare)
}

/// The version of libvirt here, or why it cannot be run.
pub fn libvirt_here(ability: &Ability, engine: &Engine) -> Result<String, String> {
    let able = ability.libvirt();
    able.map_err(|unable| unable.to_string())?;
    engine.bench.libvirt.version()
}

/// Nobody has looked at this libvirt with this QEMU yet. Under CI that is a failure of its trial.
fn looked_at(engine: &Engine, path: &Path) -> Result<(), String> {
    let there = engine.bench.store.files.folder().join(path).exists();
    if there || recording() || store::in_ci() {
        Ok(())
    } else {
        Err(format!("no expectation {} yet: {RECORD}", path.display()))
    }
}

/// Lines that are gone or new.
fn reviewed(engine: &Engine, path: &Path, lines: &[String]) -> Result<Vec<String>, String> {
    keep(path, &lines.join("\n"));
    match maps::unexpected(&engine.bench.store, path, lines)? {
        Some(wrong) => Ok(wrong),
        None if recording() => Ok(Vec::new()),
        None => Err(format!("no expectation {}: {RECORD}", path.display())),
    }
}

fn of_libvirt(
    arguments: &Arguments,
    name: String,
    able: Result<String, String>,
    engine: &Arc<Engine>,
    qemu: &Arc<Qemu>,
    compare: impl Fn(&Engine, &Arc<Qemu>, &str) -> Result<Vec<String>, String> + Send + 'static,
) -> Trial {
    if let Err(reason) = &able
        && !arguments.list
    {
        eprintln!("SKIP {name}: {reason}");
    }
    let unable = able.is_err();
    let (engine, qemu) = (Arc::clone(engine), Arc::clone(qemu));
    let trial = Trial::test(name, move || {
        let wrong = compare(&engine, &qemu, &able.clone()?)?;
        if wrong.is_empty() || recording() {
            Ok(())
        } else {
            Err(format!("libvirt and QEMU disagree otherwise:\n{}", wrong.join("\n")).into())
        }
    });
    trial.with_ignored_flag(unable)
}
