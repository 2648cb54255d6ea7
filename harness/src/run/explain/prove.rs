//! The counterfactual: the same guest without the cause that was named.

use std::sync::Arc;

use super::gather::{explain, gather, tables};
use crate::case::{Case, EmulatedHost, LabKernel, Lane};
use crate::cpuid::table::Field;
use crate::explain::sources::Sources;
use crate::explain::undo::{Proof, Undo, undo, without_parameter};
use crate::explain::{State, layers, loss, read};
use crate::run::engine::Engine;

/// Takes the cause away and looks at the guest; `None` where there is no cause, or nothing here takes it away.
pub fn prove(engine: &Engine, case: &Case, sources: &Sources, field: &Field) -> Option<Proof> {
    let evidence = read(sources, tables(engine), field);
    let rows = layers(&evidence);
    let undo = undo(loss(&rows)?, &evidence, &sources.guest.cpu)?;
    let (with, other) = apply(case, &undo)?;
    let (rows, verdict) = explain(engine, &gather(engine, &other), field);
    let state = rows.last().map_or(State::Unknown, |row| row.state);
    Some(Proof {
        with,
        state,
        verdict,
    })
}

/// What is different, and the guest that has it.
fn apply(case: &Case, undo: &Undo) -> Option<(String, Case)> {
    match undo {
        Undo::Cpu(cpu) => Some((format!("-cpu {cpu}"), case.with_cpu(cpu))),
        Undo::NewestMachine => {
            let machine = case.qemu.offers.newest_machine()?.to_owned();
            let with = format!("-machine {machine}");
            Some((
                with,
                Case {
                    machine,
                    ..case.clone()
                },
            ))
        }
        Undo::Forced => {
            let with = format!("x-force-features=on (lane {})", Lane::DEFINITION);
            Some((with, case.definition()))
        }
        Undo::HostKernelWithout(parameter) => {
            let host = case.host.as_ref()?;
            let kernel = kernel_without(&host.kernel, parameter)?;
            let host = EmulatedHost {
                kernel,
                ..(**host).clone()
            };
            let host = Some(Arc::new(host));
            Some((
                format!("a host without {parameter}"),
                Case {
                    host,
                    ..case.clone()
                },
            ))
        }
        Undo::GuestKernelWithout(parameter) => {
            let kernel = kernel_without(case.linux.as_deref()?, parameter)?;
            let linux = Some(Arc::new(kernel));
            Some((
                format!("a guest kernel without {parameter}"),
                Case {
                    linux,
                    ..case.clone()
                },
            ))
        }
    }
}

fn kernel_without(kernel: &LabKernel, parameter: &str) -> Option<LabKernel> {
    let parameters = without_parameter(&kernel.parameters, parameter)?;
    let gone: Vec<&String> = kernel
        .parameters
        .iter()
        .filter(|own| !parameters.contains(own))
        .collect();
    let label = gone.iter().fold(kernel.label.clone(), |label, gone| {
        label.replace(&format!("+{}", gone.replace('/', "_")), "")
    });
    Some(LabKernel {
        label,
        parameters,
        ..kernel.clone()
    })
}
