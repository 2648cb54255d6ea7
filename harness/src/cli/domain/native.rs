//! The command line that the installed libvirt makes of a domain, compared with ours.

use cpuid_fidelity::evidence::libvirt::command_line::{command_line, differences};
use cpuid_fidelity::evidence::libvirt::cpu_map::CpuMap;
use cpuid_fidelity::evidence::libvirt::domain::DomainXml;
use cpuid_fidelity::evidence::libvirt::layer::removed;
use cpuid_fidelity::lanes::libvirt::guests;

use super::started::{asked, case_of};
use crate::cli::common::libvirt::ready;
use crate::cli::common::qemu::{machine_offered, one_qemu};
use crate::cli::{Context, NOT_RUN};

/// Asks libvirt and names the differences; the exit status.
pub fn compared(
    context: &Context,
    map: &CpuMap,
    domain: &DomainXml,
    cpu: &str,
) -> anyhow::Result<u8> {
    let engine = ready(context)?;
    let qemu = one_qemu(&context.inventory()?)?;
    let case = case_of(&qemu, domain, "domain")?;
    machine_offered(&qemu, &case.machine)?;
    let theirs = match guests::native(&engine.bench, &asked(&case, domain.clone())) {
        Ok(theirs) => theirs,
        Err(reason) => {
            note!("ERROR libvirt makes no command line of it: {reason}");
            return Ok(NOT_RUN);
        }
    };
    // What is left out is asked for as it is taken for a guest.
    let domain = &DomainXml {
        machine: Some(case.machine.clone()),
        ..domain.clone()
    };
    let removed = domain
        .cpu
        .as_ref()
        .map_or(Vec::new(), |cpu| removed(map, cpu));
    let found = differences(&command_line(domain, cpu), &theirs, &removed);
    for difference in &found {
        let word = if difference.explained { "NOTE" } else { "FAIL" };
        note!("{word} {}", difference.text);
    }
    let unexplained = found.iter().any(|difference| !difference.explained);
    Ok(u8::from(unexplained))
}
