//! `libvirt answers`: libvirt's promises tried in guests.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use cpuid_fidelity::case::Case;
use cpuid_fidelity::cpuid::dump::Dump;
use cpuid_fidelity::evidence::Evidence;
use cpuid_fidelity::evidence::libvirt::cpu_map::CpuMap;
use cpuid_fidelity::evidence::libvirt::domain::DomainXml;
use cpuid_fidelity::host::Ability;
use cpuid_fidelity::lanes::libvirt::lane;
use cpuid_fidelity::run::libvirt::answers;
use cpuid_fidelity::run::libvirt::hosts::{Host, host_model_of_kvm};
use cpuid_fidelity::run::libvirt::tried::Tried;
use cpuid_fidelity::util::limits::RECORD;
use cpuid_fidelity::util::open;

use crate::cli::common::exit::{NOT_RUN, NotRun, print, print_line};
use crate::cli::common::libvirt::{drives, ready};
use crate::cli::common::qemu::{machine_offered, one_qemu};
use crate::cli::context::Context;

/// `libvirt answers`.
#[derive(Debug, Args)]
pub struct Answers {
    /// Machine type; repeatable [default: the newest q35 one]
    #[arg(long = "machine", value_name = "M")]
    machines: Vec<String>,
    /// A host: a `<cpu>` or `<domain>` in XML, or a dump or record in JSON. Of two and more a baseline is asked for and tried, and each is compared
    #[arg(long = "host", value_name = "FILE")]
    hosts: Vec<PathBuf>,
}

/// Asks and tries; the exit status.
pub fn run(context: &Context, arguments: &Answers) -> anyhow::Result<u8> {
    let engine = ready(context)?;
    let map = engine.bench.libvirt.map().map_err(NotRun)?;
    let hosts: anyhow::Result<Vec<Host>> = arguments
        .hosts
        .iter()
        .map(|file| host(&map, file))
        .collect();
    let hosts = hosts?;
    let mut status = 0;
    let mut first: Vec<Result<Tried, String>> = Vec::new();
    for machine in machines(context, &arguments.machines)? {
        drives(&engine, &machine)?;
        let mut asked = Vec::new();
        if hosts.is_empty() {
            asked.push(answers::usable(&engine, &machine));
            asked.push(answers::host_model(&engine, &machine));
            if Ability::of_this_host().kvm().is_ok() {
                asked.push(host_model_of_kvm(&engine, &machine));
            }
        } else {
            match answers::baseline(&engine, &machine, &hosts) {
                Ok(tried) => asked.extend(tried.into_iter().map(Ok)),
                Err(reason) => asked.push(Err(reason)),
            }
        }
        for (index, tried) in asked.into_iter().enumerate() {
            let moved = match (&tried, first.get(index)) {
                (Ok(tried), Some(Ok(first))) => Tried::moved_by_machine(first, tried),
                _ => Vec::new(),
            };
            status = status.max(print_answer(&tried));
            if !moved.is_empty() {
                print("FAIL the machine type changes the guest:\n");
                moved
                    .iter()
                    .for_each(|line| print_line(&format!("  {line}")));
                status = status.max(1);
            }
            if first.len() == index {
                first.push(tried);
            }
        }
    }
    Ok(status)
}

fn print_answer(tried: &Result<Tried, String>) -> u8 {
    match tried {
        Err(reason) => {
            note!("ERROR {reason}");
            NOT_RUN
        }
        Ok(Tried { answer, wrong, .. }) => {
            let word = if wrong.is_empty() { "PASS" } else { "FAIL" };
            print_line(&format!("{word} {answer}"));
            wrong
                .iter()
                .for_each(|line| print_line(&format!("  {line}")));
            u8::from(!wrong.is_empty())
        }
    }
}

/// A case for each machine type of the newest QEMU.
fn machines(context: &Context, named: &[String]) -> anyhow::Result<Vec<Case>> {
    let qemu = one_qemu(&context.inventory()?)?;
    let newest = qemu.offers.newest_machine().map(str::to_owned);
    let names = if named.is_empty() {
        newest.into_iter().collect()
    } else {
        named.to_vec()
    };
    let case = |machine: &String| {
        machine_offered(&qemu, machine)?;
        Ok(lane::case(&qemu, machine, "custom"))
    };
    names.iter().map(case).collect()
}

/// A host: as libvirt describes it, or what its processor answered.
fn host(map: &CpuMap, file: &Path) -> anyhow::Result<Host> {
    let name = file.display().to_string();
    let text = open::data_text(file, RECORD).with_context(|| format!("failed to read {name}"))?;
    if !text.trim_start().starts_with('{') {
        let read = DomainXml::read(&text).map_err(|error| anyhow::anyhow!("{name}: {error}"))?;
        let cpu = read.cpu.with_context(|| format!("{name} has no <cpu>"))?;
        return Ok(Host::described(&name, cpu, map));
    }
    let dump: Dump = if Evidence::is_record(&text) {
        Evidence::parse(file, &text)?.guest
    } else {
        serde_json::from_str(&text).with_context(|| format!("failed to read the dump in {name}"))?
    };
    let seen = Host::seen(&name, dump, map);
    seen.with_context(|| format!("no model of libvirt's fits into the processor in {name}"))
}
