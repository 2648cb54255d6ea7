//! What features do, measured on every guest of a ground, and compared with `behaviour.tsv` or written into it.

use anyhow::Context as _;
use cpuid_fidelity::case::{Filter, Lane, Starter, Trial};
use cpuid_fidelity::check::behaviour::Facts;
use cpuid_fidelity::check::behaviour::record::{head, line, render};
use cpuid_fidelity::config::Profile;
use cpuid_fidelity::lanes::lab::lane::of_named_host;
use cpuid_fidelity::lanes::{Registry, Scope};
use cpuid_fidelity::plan::planner::plan;
use cpuid_fidelity::report::styled::Detail;
use cpuid_fidelity::run::behaviour::{Seen, cases, recorded, seen};
use cpuid_fidelity::util::limits::TEXT;
use cpuid_fidelity::util::open;

use super::arguments::Behaviour;
use crate::cli::common::exit::write_result;
use crate::cli::common::kernel::Booted;
use crate::cli::common::place::emulated_host;
use crate::cli::common::qemu::installed;
use crate::cli::{Context, NOT_RUN, NotRun, print_line};

/// Boots the guests, prints which rows change, and writes them where that is wanted; the exit status.
pub fn run(context: &Context, arguments: &Behaviour, write: bool) -> anyhow::Result<u8> {
    if let Some(narrowed) = context.probe_options().next() {
        anyhow::bail!("facts are of all probes: {narrowed} leaves some out");
    }
    let trials = trials(context, arguments)?;
    let cases = cases(&trials);
    let engine = context.engine_for(cases.len(), false)?;
    engine.prepare(&trials);
    let seen = seen(&engine, &cases);
    seen.broken
        .iter()
        .for_each(|reason| note!("ERROR {reason}"));
    if !seen.broken.is_empty() {
        return Ok(NOT_RUN);
    }
    if seen.guests.is_empty() {
        return Err(NotRun("no guest whose probes can be judged".to_owned()).into());
    }
    let standing = &context.store.behaviour;
    let facts = recorded(standing, &seen, &context.store.table)?;
    let changed = present(context, &seen, standing, &facts);
    if write && changed {
        keep(context, &facts)?;
    }
    Ok(u8::from(changed && !write))
}

/// The guests: one a model that was recorded, under TCG with and without forced features, or on the KVM of the kernel.
fn trials(context: &Context, arguments: &Behaviour) -> anyhow::Result<Vec<Trial>> {
    let booted = Booted {
        kernel: arguments.kernel.clone(),
        lab_host: arguments.lab_host.clone(),
        ..Booted::default()
    };
    let Some(host) = emulated_host(context, &booted)? else {
        let filter = Filter {
            lanes: vec![Lane::DEFINITION, Lane::TCG],
            ..Filter::default()
        };
        let inventory = context.inventory()?;
        let (config, registry) = (&context.config, Registry::default());
        return Ok(plan(
            &registry,
            &inventory,
            config,
            Profile::Nightly,
            &filter,
        )?);
    };
    let qemus = installed(context).qemus;
    let scope = Scope {
        config: &context.config,
        profile: Profile::Nightly,
        filter: &Filter::default(),
        qemus: &qemus,
        kernels: &[],
        guest_kernels: &[],
        emulator: None,
    };
    let mut trials = of_named_host(&scope, &host, None)?;
    let is_direct = |trial: &Trial| {
        let mut cases = trial.cases.iter();
        cases.all(|case| case.run_as.starter == Starter::Harness)
    };
    trials.retain(is_direct);
    Ok(trials)
}

/// Prints of whom what was seen, and which rows change; whether any do.
fn present(context: &Context, seen: &Seen, standing: &Facts, facts: &Facts) -> bool {
    let [before, after] = [standing, facts].map(lines);
    let gone = before.iter().filter(|line| !after.contains(line));
    let new = after.iter().filter(|line| !before.contains(line));
    let (gone, new): (Vec<_>, Vec<_>) = (gone.collect(), new.collect());
    let print = |sign: &str, line: &str| print_line(&format!("{sign}{}", line.replace('\t', "  ")));
    gone.iter().for_each(|line| print("-", line));
    new.iter().for_each(|line| print("+", line));
    if context.manner.detail != Detail::Quiet {
        for (ground, guests) in &seen.guests {
            note!("{ground}: what {} guests do", guests.len());
        }
        if seen.silent > 0 {
            note!("{} guests skip a phase, and say nothing", seen.silent);
        }
        if before == after {
            note!("behaviour.tsv says the same");
        }
    }
    before != after
}

fn lines(facts: &Facts) -> Vec<String> {
    let releases = facts.recorded.iter().map(|one| {
        let places = [&*one.family, &*one.host, &one.releases.join(" ")];
        format!("recorded {}", places.join(" "))
    });
    releases.chain(facts.rows.iter().map(line)).collect()
}

/// Writes the file, with the comment that it has at its head.
fn keep(context: &Context, facts: &Facts) -> anyhow::Result<()> {
    let path = context.store.files.folder().join("behaviour.tsv");
    let text =
        open::text(&path, TEXT).with_context(|| format!("failed to read {}", path.display()))?;
    Ok(write_result(&path, &render(facts, &head(&text)))?)
}
