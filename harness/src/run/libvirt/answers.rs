//! libvirt's answers to those who choose hosts and models, each tried in a guest.

use std::path::Path;

use rayon::prelude::*;

use crate::case::Case;
use crate::check::libvirt_host::{beyond, lacking, left_out};
use crate::check::{Finding, libvirt_live};
use crate::evidence::libvirt::cpu_map::Spot;
use crate::evidence::libvirt::domain::DomainXml;
use crate::evidence::libvirt::layer::{Claim, claims};
use crate::lanes::libvirt::guests::{boot_domain, domain, read_capabilities, run};
use crate::run::Engine;
use crate::run::libvirt::hosts::Host;
use crate::run::libvirt::releases::options;
use crate::run::libvirt::tried::Tried;
use crate::vmm::libvirt::domain::GuestCpu;
use crate::vmm::libvirt::session::quoted;

/// `domcapabilities`: a model called usable starts under `enforce`, one that is not does not.
///
/// # Errors
/// libvirt does not answer.
pub fn usable(engine: &Engine, case: &Case) -> Result<Tried, String> {
    let capabilities = read_capabilities(&engine.bench, case)?;
    let known: Vec<_> = capabilities
        .models
        .iter()
        .filter_map(|(model, usable)| Some((model, (*usable)?)))
        .collect();
    if known.is_empty() {
        return Err(format!(
            "domcapabilities {} names no model of which libvirt knows whether it is usable",
            case.machine
        ));
    }
    let wrong = |(model, usable): &(&String, bool)| {
        let strict = case.under_tcg().with_cpu(format!("{model},enforce"));
        let problem = match (&*engine.observe(&strict), usable) {
            (Ok(_), true) => return None,
            (Ok(_), false) => "not usable, says libvirt, and starts with enforce".to_owned(),
            (Err(broken), _) if !broken.refused_by_enforce() => {
                format!("could not be tried: {}", broken.reason)
            }
            (Err(_), false) => return None,
            (Err(_), true) => "usable, says libvirt, and QEMU refuses it with enforce".to_owned(),
        };
        Some(format!("{model}: {problem}"))
    };
    let wrong: Vec<String> = engine
        .bench
        .pool()
        .install(|| known.par_iter().filter_map(wrong).collect());
    let count = known.iter().filter(|(_, usable)| *usable).count();
    let (machine, all) = (&case.machine, known.len());
    Ok(Tried::without_guest(
        format!("domcapabilities {machine}: {count} of {all} models usable"),
        wrong,
    ))
}

/// `host-model` of `domcapabilities`: a guest of that CPU has what it names, no more and no less.
///
/// # Errors
/// libvirt does not answer.
pub fn host_model(engine: &Engine, case: &Case) -> Result<Tried, String> {
    let capabilities = read_capabilities(&engine.bench, case)?;
    let cpu = capabilities
        .host_model
        .ok_or("libvirt has no host-model for this QEMU")?;
    let cpu = as_asked(cpu);
    let (machine, model) = (&case.machine, cpu.model.as_deref().unwrap_or("no model"));
    let answer = format!(
        "host-model {machine}: {model} and {} features",
        cpu.features.len()
    );
    Ok(tried(engine, case, answer, &cpu, &[]))
}

/// A command that makes a baseline.
struct Way {
    command: &'static str,
    options: &'static str,
    /// Whether it asks for which QEMU it is.
    asks_for_qemu: bool,
    /// Whether the answer fits that QEMU's accelerator, so that a guest of it can be had here.
    fits_qemu: bool,
}

const fn way(
    command: &'static str,
    options: &'static str,
    asks_for_qemu: bool,
    fits_qemu: bool,
) -> Way {
    Way {
        command,
        options,
        asks_for_qemu,
        fits_qemu,
    }
}

/// All of them. `--ignore-host` is of libvirt 12.
const WAYS: [Way; 7] = [
    way("hypervisor-cpu-baseline", "", true, true),
    way("hypervisor-cpu-baseline", "--features", true, true),
    way(
        "hypervisor-cpu-baseline",
        "--features --migratable",
        true,
        true,
    ),
    way("hypervisor-cpu-baseline", "--ignore-host", true, false),
    way("cpu-baseline", "", false, false),
    way("cpu-baseline", "--features", false, false),
    way("cpu-baseline", "--features --migratable", false, false),
];

/// `hypervisor-cpu-baseline` and `cpu-baseline` of these hosts: the answer has nothing that one of them lacks. What fits the QEMU as well is
/// tried: a guest of it has what it names, no more and no less. No guest is started of what TCG cannot do (VMX), of which libvirt's `host-model`
/// for it is the list. Then `hypervisor-cpu-compare` of each host with this one: the answer must agree with whether a guest of it starts with every feature.
///
/// # Errors
/// libvirt does not answer.
pub fn baseline(engine: &Engine, case: &Case, hosts: &[Host]) -> Result<Vec<Tried>, String> {
    let cpus: Vec<String> = hosts.iter().map(|host| host.cpu.xml()).collect();
    let guests = written(&cpus.join("\n"))?;
    let plain: Option<Vec<String>> = hosts.iter().map(|host| host.cpu.host_xml()).collect();
    let plain = plain.map(|hosts| written(&hosts.join("\n"))).transpose()?;
    let has = options(engine)?;
    let map = engine.bench.libvirt.map()?;
    let host_model = read_capabilities(&engine.bench, case)?.host_model;
    let tcg = host_model.map_or_else(Vec::new, |cpu| claims(&map, &cpu));
    let mut all = Vec::new();
    for way in WAYS {
        let options = way.options.split_whitespace();
        if !options
            .clone()
            .all(|option| has.contains(&format!("{} {option}", way.command)))
        {
            continue;
        }
        let file = match (&plain, way.asks_for_qemu) {
            (_, true) => &guests,
            (Some(plain), false) => plain,
            // Only as a guest's can a CPU be described by what it lacks, and `cpu-baseline` takes hosts' alone.
            (None, false) => continue,
        };
        all.push(of_way(engine, case, hosts, &tcg, &way, file.path())?);
    }
    for host in hosts {
        all.push(compared(engine, case, &host.cpu)?);
    }
    Ok(all)
}

fn of_way(
    engine: &Engine,
    case: &Case,
    hosts: &[Host],
    tcg: &[Claim],
    way: &Way,
    file: &Path,
) -> Result<Tried, String> {
    let qemu = if way.asks_for_qemu {
        qemu_options(case)
    } else {
        String::new()
    };
    let Way {
        command, options, ..
    } = way;
    let name = [*command, *options].join(" ");
    let name = format!("{} {}", name.trim_end(), case.machine);
    let asked = format!(
        "{command} {} {options} {qemu}",
        quoted(&file.to_string_lossy())
    );
    let answer = match run(&engine.bench, &asked) {
        Ok(answer) => answer,
        Err(reason) => {
            return Ok(Tried::without_guest(
                format!("{name}: no answer"),
                vec![reason],
            ));
        }
    };
    let cpu = DomainXml::read(&answer)?.cpu;
    let cpu = as_asked(cpu.ok_or("a baseline without <cpu>")?);
    let map = engine.bench.libvirt.map()?;
    let promised = claims(&map, &cpu);
    let (model, count) = (
        cpu.model.as_deref().unwrap_or("no model"),
        cpu.features.len(),
    );
    let mut answer = format!("{name}: {model} and {count} features");
    let beyond = hosts
        .iter()
        .flat_map(|host| beyond(&promised, &host.name, |spot| host.has(spot)));
    let beyond: Vec<String> = beyond.collect();
    if !way.fits_qemu {
        let known: Vec<_> = hosts.iter().map(|host| |spot| host.has(spot)).collect();
        let left_out = left_out(&promised, &known);
        if !left_out.is_empty() {
            answer += &format!("; all hosts have more: {}", left_out.join(" "));
        }
        return Ok(Tried::without_guest(answer, beyond));
    }
    let beyond_qemu = lacking(&promised, |spot| qemu_has(tcg, spot));
    if !beyond_qemu.is_empty() {
        answer += &format!("; no guest: TCG has no {}", beyond_qemu.join(", "));
        return Ok(Tried::without_guest(answer, beyond));
    }
    let mut tried = tried(engine, case, answer, &cpu, &OF_GUESTS);
    tried.wrong.extend(beyond);
    Ok(tried)
}

/// Whether QEMU has a bit, by libvirt's `host-model` of it.
fn qemu_has(host_model: &[Claim], spot: Spot) -> Option<bool> {
    let mut claims = host_model.iter();
    let claim = claims.find(|claim| claim.spots.contains(&spot));
    claim.map(|claim| claim.has)
}

/// A `<cpu>` of libvirt's as a domain asks for it, whatever the guest then gets of it.
fn as_asked(cpu: GuestCpu) -> GuestCpu {
    GuestCpu {
        mode: "custom".to_owned(),
        matching: Some("exact".to_owned()),
        check: Some("none".to_owned()),
        ..cpu
    }
}

/// What QEMU sets in every guest and no host shows, so that no baseline of hosts has it.
const OF_GUESTS: [&str; 1] = ["hypervisor"];

/// `hypervisor-cpu-compare` against `check='full'`.
fn compared(engine: &Engine, case: &Case, host: &GuestCpu) -> Result<Tried, String> {
    let file = written(&host.xml())?;
    let command = format!(
        "hypervisor-cpu-compare {} {}",
        quoted(&file.path().to_string_lossy()),
        qemu_options(case)
    );
    let report = match run(&engine.bench, &command) {
        // virsh reports an incompatible CPU as a failure, and explains it in a sentence.
        Ok(report) | Err(report) => report,
    };
    let compatible = is_compatible(&report).ok_or(report)?;
    let strict = GuestCpu {
        check: Some("full".to_owned()),
        ..host.clone()
    };
    let seen = engine.bench.pool().install(|| {
        boot_domain(
            &engine.bench,
            case,
            domain(case, strict.xml()),
            &engine.bench.options,
        )
    });
    let model = host.model.as_deref().unwrap_or("no model");
    let verdict = if compatible {
        "compatible"
    } else {
        "incompatible"
    };
    let wrong = match (compatible, &seen) {
        (true, Err(broken)) => vec![format!(
            "compatible, says libvirt, and the guest is refused: {}",
            broken.last_message()
        )],
        (false, Ok(_)) => {
            vec!["incompatible, says libvirt, and the guest gets all of it".to_owned()]
        }
        _ => Vec::new(),
    };
    Ok(Tried::without_guest(
        format!("hypervisor-cpu-compare {}: {model} {verdict}", case.machine),
        wrong,
    ))
}

/// What virsh answers to `hypervisor-cpu-compare` (tools/virsh-host.c, virCPUCompareResult); `None` where it failed instead.
fn is_compatible(report: &str) -> Option<bool> {
    if report.contains("identical") || report.contains("superset") {
        return Some(true);
    }
    report.contains("incompatible").then_some(false)
}

/// Boots a guest of an answer and compares it with what the answer names, but for these features.
fn tried(engine: &Engine, case: &Case, answer: String, cpu: &GuestCpu, but: &[&str]) -> Tried {
    let domain = domain(case, cpu.xml());
    let seen = engine
        .bench
        .pool()
        .install(|| boot_domain(&engine.bench, case, domain, &engine.bench.options));
    let (seen, map) = match (seen, engine.bench.libvirt.map()) {
        (Err(broken), _) => {
            let wrong = format!("no guest of it starts: {}", broken.reason);
            return Tried::without_guest(answer, vec![wrong]);
        }
        (_, Err(reason)) => return Tried::without_guest(answer, vec![reason]),
        (Ok(seen), Ok(map)) => (seen, map),
    };
    let Some(mut layer) = seen.libvirt else {
        return Tried::without_guest(
            answer,
            vec!["libvirt reported nothing about the guest".to_owned()],
        );
    };
    layer.claims = claims(&map, cpu);
    layer
        .claims
        .retain(|claim| !but.contains(&claim.feature.as_str()));
    let changes = libvirt_live::live(&layer, &seen.dump, &engine.bench.store.table, false);
    Tried {
        answer,
        wrong: changes.iter().map(sentence).collect(),
        seen: seen.lines,
    }
}

fn sentence(change: &Finding) -> String {
    let Finding {
        kind,
        name,
        place,
        expected,
        actual,
        ..
    } = change;
    let expected = expected.replace("by the live XML", "by the answer");
    format!("{} {name} at {place}: {expected}, {actual}", kind.name())
}

/// The options that say for which QEMU.
fn qemu_options(case: &Case) -> String {
    let emulator = std::path::absolute(&case.qemu.path).unwrap_or_else(|_| case.qemu.path.clone());
    format!(
        "--virttype qemu --emulator {} --machine {}",
        quoted(&emulator.to_string_lossy()),
        quoted(&case.machine)
    )
}

fn written(xml: &str) -> Result<tempfile::NamedTempFile, String> {
    let file = crate::util::files::temporary();
    let file = file.and_then(|file| std::fs::write(file.path(), xml).map(|()| file));
    file.map_err(|error| format!("failed to write the CPUs for libvirt: {error}"))
}
