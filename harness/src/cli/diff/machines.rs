//! `diff` of two machine types: what changes for which models, and the compat property that causes it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cpuid_fidelity::case::Qemu;
use cpuid_fidelity::case::glob::Glob;
use cpuid_fidelity::case::guest::Case;
use cpuid_fidelity::check::Shift;
use cpuid_fidelity::check::groups::listed;
use cpuid_fidelity::report::heading;
use cpuid_fidelity::run::causes::{Caused, between, caused};
use cpuid_fidelity::util::near::hint;
use cpuid_fidelity::util::printable;
use rayon::prelude::*;

use super::arguments::Diff;
use crate::cli::common::exit::{NOT_RUN, print, print_line};
use crate::cli::common::qemu::installed;
use crate::cli::context::Context;

/// Prints the changes from the second machine type to the first as the first's expectations have them, by cause; 1 where there are any.
pub fn run(context: &Context, arguments: &Diff, qemu: &Arc<Qemu>, b: &str) -> anyhow::Result<u8> {
    let engine = context.engine()?;
    let (machine, other) = (arguments.a.as_str(), b);
    // A later release explains the machine types of the one that `--qemu` names.
    let sources = installed(context).qemus;
    let explained = between(&engine, qemu, &sources, (machine, other));
    let (source, properties) = explained.unwrap_or_default();
    let wanted = |name: &&str| arguments.cpu.is_empty() || Glob::matches(&arguments.cpu, name);
    let all: BTreeSet<String> = qemu.offers.compared_models().map(str::to_owned).collect();
    let models: Vec<&str> = qemu.offers.compared_models().filter(wanted).collect();
    let near = |glob: &Glob| hint(glob.as_str(), all.iter().map(String::as_str));
    anyhow::ensure!(
        !models.is_empty(),
        "{} has no such CPU model{}",
        qemu.label,
        arguments.cpu.iter().map(near).collect::<String>()
    );
    let one = |model: &&str| {
        let lane = arguments.lane;
        let case = Case {
            smp: arguments.smp.clone(),
            skipped_phases: context.config.skipped_phases(lane, &qemu.label, model),
            ..Case::new(qemu, lane, other, model)
        };
        (
            (*model).to_owned(),
            caused(&engine, &case, machine, &properties),
        )
    };
    let measured: Vec<(String, Result<Caused, String>)> = engine
        .bench
        .pool()
        .install(|| models.par_iter().map(one).collect());
    let (mut groups, mut broken) = (Groups::new(), false);
    for (model, caused) in measured {
        match caused {
            Ok(caused) => note(&mut groups, &model, &caused),
            Err(reason) => {
                note!("ERROR {reason}");
                broken = true;
            }
        }
    }
    print_line(&format!(
        "{machine} of {}, compared with {other}: {} CPU models, lane {}, -smp {}",
        qemu.label,
        models.len(),
        arguments.lane,
        arguments.smp.as_str()
    ));
    print_line(&heading::lane(arguments.lane));
    print(&shown(&groups, &source, &all));
    Ok(if broken {
        NOT_RUN
    } else {
        u8::from(!groups.is_empty())
    })
}

/// Changes and their models, by what causes them.
type Groups = BTreeMap<Option<String>, BTreeMap<Shift, BTreeSet<String>>>;

fn note(groups: &mut Groups, model: &str, caused: &Caused) {
    for shift in caused.changes.iter().flat_map(Shift::halves) {
        let shifts = groups.entry(caused.describe(&shift)).or_default();
        shifts.entry(shift).or_default().insert(model.to_owned());
    }
}

fn shown(groups: &Groups, source: &str, all: &BTreeSet<String>) -> String {
    if groups.is_empty() {
        return "no differences\n".to_owned();
    }
    let group = |(by, shifts): (&Option<String>, &BTreeMap<Shift, BTreeSet<String>>)| {
        let cause = match (by, source) {
            (Some(words), _) => format!("{words} (as {source} tells)"),
            (None, "") => "no QEMU here tells the compat properties of both".to_owned(),
            (None, _) => format!("no compat property that {source} tells"),
        };
        let line = |(shift, models): (&Shift, &BTreeSet<String>)| {
            let shift = format!("{shift} | {}", listed(models, all));
            format!("{}\n", printable::line(&shift))
        };
        let lines: String = shifts.iter().map(line).collect();
        format!("\n# {}\n{lines}", printable::line(&cause))
    };
    groups.iter().map(group).collect()
}
