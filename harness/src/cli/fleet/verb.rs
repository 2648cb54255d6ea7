//! `fleet`: reads hosts, answers, compares with an earlier answer, prints.

use std::path::Path;

use anyhow::Context as _;
use cpuid_fidelity::expectation::promise;
use cpuid_fidelity::fleet::{
    Catalogue, Extent, Fleet as Hosts, GivenTable, Model, Page, PageAnswer, PageHosts, PageLab,
    PageRemark, Reading, Tables, Wish, fold, form, given_tables, markdown, models, since, text,
};
use cpuid_fidelity::util::limits::RESULTS;
use cpuid_fidelity::util::near::hint;
use cpuid_fidelity::util::open;
use cpuid_fidelity::util::order::{natural, release};

use super::arguments::{Fleet, FleetFormat};
use super::boot::boot;
use super::direct::direct;
use super::hosts::{Found, hosts};
use super::labs::Labs;
use super::tried::Trial;
use crate::cli::common::exit::{NOT_RUN, NotRun, print, print_json, write_result};
use crate::cli::context::Context;

/// Answers; the exit status.
pub fn run(context: &Context, arguments: &Fleet) -> anyhow::Result<u8> {
    let releases = releases(context, arguments)?;
    let Some(oldest) = releases.first() else {
        anyhow::bail!("no release of QEMU is recorded");
    };
    let numbers: Vec<(u32, u32)> = releases.iter().filter_map(|name| release(name)).collect();
    let store = &context.store;
    let catalogue = Catalogue::new(
        &store.table,
        &store.levels,
        Tables::built_in(&store.table)?,
        &numbers,
    );
    let (folder, machine) = place(context, oldest, &arguments.machine)?;
    let models = models(store, &folder, &machine, &catalogue)?;
    let reading = Reading {
        table: &store.table,
        catalogue: &catalogue,
        models: &models,
        assumed: arguments.assume_kernel,
    };
    let labs = if arguments.lab.is_empty() {
        None
    } else {
        Some(Labs::new(context, &arguments.lab)?)
    };
    let found = in_pool(context, || -> anyhow::Result<Found> {
        let mut found = hosts(&arguments.hosts, &reading)?;
        if let Some(labs) = &labs {
            found.hosts.extend(labs.records(&reading)?);
        }
        Ok(found)
    })??;
    let (mut page, tables) = page(arguments, found, &catalogue, &models, oldest, &machine)?;
    page.direct = direct(context, labs.as_ref(), &reading, &tables, &page)?;
    boot_here(context, &catalogue, &mut page)?;
    if let Some(labs) = &labs {
        let tried = in_pool(context, || {
            in_labs(context, arguments, labs, &catalogue, &page)
        })??;
        if page.answer.is_some() {
            page.lab = tried.into_iter().next();
        } else {
            page.vendor_labs = tried;
        }
    }
    shown(context, arguments, &page)?;
    Ok(status(&page, arguments))
}

/// Boots each answer that is to be proven.
fn boot_here(context: &Context, catalogue: &Catalogue, page: &mut Page) -> anyhow::Result<()> {
    let (release, machine) = (&page.release, &page.machine);
    let boot = |cpu: &str, features: &[String]| {
        boot(context, catalogue, (cpu, features), release, machine)
    };
    if let (Some(proof), Some(answer)) = (&mut page.proof, &page.answer) {
        proof.booted = boot(&answer.best.cpu, &answer.best.features)?;
    }
    for pool in &mut page.vendors {
        if let Some(proof) = &mut pool.proof {
            proof.booted = boot(&pool.cpu, &pool.features)?;
        }
    }
    Ok(())
}

/// Tries the answer on the emulated hosts, or that of each vendor on its own.
fn in_labs(
    context: &Context,
    arguments: &Fleet,
    labs: &Labs,
    catalogue: &Catalogue,
    page: &Page,
) -> anyhow::Result<Vec<PageLab>> {
    let tried = |vendor: &str, hosts: &[String], cpu: &str, features: &[String]| {
        let trial = Trial {
            context,
            labs,
            hosts,
            machine: &arguments.machine,
            cpu,
            more: page.one_more(catalogue, hosts, features),
        };
        let lab = trial.run()?;
        anyhow::Ok(lab.map(|lab| PageLab {
            vendor: vendor.to_owned(),
            ..lab
        }))
    };
    if let Some(PageAnswer { best, .. }) = &page.answer {
        let hosts: Vec<String> = page
            .classes
            .iter()
            .flat_map(|class| class.hosts.clone())
            .collect();
        return Ok(tried("", &hosts, &best.cpu, &best.features)?
            .into_iter()
            .collect());
    }
    let vendors = page.vendors.iter().filter(|pool| !pool.cpu.is_empty());
    let all: anyhow::Result<Vec<_>> = vendors
        .map(|pool| tried(&pool.vendor, &pool.hosts, &pool.cpu, &pool.features))
        .collect();
    Ok(all?.into_iter().flatten().collect())
}

fn page(
    arguments: &Fleet,
    found: Found,
    catalogue: &Catalogue,
    models: &[Model],
    release: &str,
    machine: &str,
) -> anyhow::Result<(Page, Vec<GivenTable>)> {
    let Found {
        hosts,
        refused,
        twice,
    } = found;
    if hosts.is_empty() {
        return Err(NotRun(format!("nothing was compared: {}", refused.join("; "))).into());
    }
    let classes = fold(hosts);
    let wish = Wish {
        nested: arguments.nested,
        plain: arguments.plain,
    };
    let fleet = Hosts {
        catalogue,
        models,
        classes: &classes,
        wish,
    };
    let mut page = Page::new(&fleet, release, machine, refused, arguments.prove);
    page.remarks
        .extend(twice.into_iter().map(|file| PageRemark {
            hosts: PageHosts {
                label: file,
                hosts: 1,
            },
            text: "named twice; it counts once".to_owned(),
            finding: false,
        }));
    if let Some(file) = &arguments.since {
        let old = earlier(file)?;
        page.since = Some(since(&old, &page));
    }
    let tables = if arguments.prove {
        given_tables(&fleet)
    } else {
        Vec::new()
    };
    Ok((page, tables))
}

/// An earlier report.
fn earlier(file: &Path) -> anyhow::Result<Page> {
    let failed = || format!("failed to read {}", file.display());
    let text = open::data_text(file, RESULTS).with_context(failed)?;
    let page: Page = serde_json::from_str(&text)
        .with_context(|| format!("{} is no report of fleet --json", file.display()))?;
    anyhow::ensure!(
        page.fleet == 1,
        "{} has format {}, expected 1",
        file.display(),
        page.fleet
    );
    Ok(page)
}

/// The releases that are named, oldest first: of `--qemu`, of `--release`, or the newest recorded one.
fn releases(context: &Context, arguments: &Fleet) -> anyhow::Result<Vec<String>> {
    let known = cpuid_fidelity::expectation::holdings::releases(context.store.files.known());
    let mut named: Vec<String> = arguments
        .release
        .iter()
        .map(|name| name.trim_start_matches("qemu-").to_owned())
        .collect();
    for name in &named {
        anyhow::ensure!(
            release(name).is_some(),
            "no release of QEMU “{name}”: expected one as 11.1{}",
            hint(name, known.iter().copied())
        );
    }
    if !context.named.is_empty() {
        let inventory = context.inventory()?;
        if let Some(unusable) = inventory.unusable.first() {
            return Err(NotRun(unusable.reason.clone()).into());
        }
        let version = |version: &str| version.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
        named.extend(
            inventory
                .qemus
                .iter()
                .map(|qemu| version(&qemu.offers.version)),
        );
    }
    if named.is_empty() {
        named.extend(known.last().map(|newest| (*newest).to_owned()));
    }
    named.sort_by_key(|name| natural(name));
    named.dedup();
    Ok(named)
}

/// The folder of the release's expectations, and the machine type's whole name.
fn place(context: &Context, release: &str, machine: &str) -> anyhow::Result<(String, String)> {
    let wanted = format!("qemu-{release}");
    let known = context.store.files.known();
    let folder = promise::release(known, &wanted);
    let folder = folder
        .with_context(|| format!("QEMU {release} is not recorded, nor any release before it"))?
        .folder;
    let version = folder.trim_start_matches("qemu-");
    let machine = match machine {
        "q35" => format!("pc-q35-{version}"),
        "pc" => format!("pc-i440fx-{version}"),
        other => other.to_owned(),
    };
    let machines = cpuid_fidelity::expectation::holdings::names(
        known,
        version,
        cpuid_fidelity::expectation::holdings::Part::Machines,
    );
    let is_known = machine == format!("pc-q35-{version}") || machines.contains(&machine.as_str());
    anyhow::ensure!(
        is_known,
        "no machine type {machine} is recorded in {folder}{}",
        hint(&machine, machines.iter().copied())
    );
    Ok((folder, machine))
}

/// With as many threads as `--jobs` says.
fn in_pool<T: Send>(context: &Context, work: impl FnOnce() -> T + Send) -> anyhow::Result<T> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(context.jobs.threads(usize::MAX))
        .build();
    Ok(pool.context("failed to start threads")?.install(work))
}

fn shown(context: &Context, arguments: &Fleet, page: &Page) -> anyhow::Result<()> {
    let json = serde_json::to_string(page)?;
    if let Some(file) = &arguments.json {
        write_result(file, &format!("{json}\n"))?;
    }
    if let Some(file) = &arguments.markdown {
        write_result(file, &markdown(page))?;
    }
    let wanted = match arguments.format {
        FleetFormat::Text => {
            print(&text(page, extent(context)));
            return Ok(());
        }
        FleetFormat::Json => {
            print_json(&json);
            return Ok(());
        }
        FleetFormat::Markdown => {
            print(&markdown(page));
            return Ok(());
        }
        FleetFormat::Answer(form) => form,
    };
    match &page.answer {
        Some(answer) => print(&form(wanted, answer, &context.store.table)),
        None => note!("no answer: {}", page.no_answer),
    }
    for reason in &page.refused {
        note!("ERROR left out: {reason}");
    }
    Ok(())
}

fn extent(context: &Context) -> Extent {
    if context.manner.verbose() {
        Extent::All
    } else {
        Extent::Screen
    }
}

fn status(page: &Page, arguments: &Fleet) -> u8 {
    let by_vendor = arguments.by_vendor && !page.vendors.is_empty();
    let by_vendor = by_vendor && page.vendors.iter().all(|pool| !pool.cpu.is_empty());
    if page.answer.is_none() && !by_vendor || !page.refused.is_empty() {
        NOT_RUN
    } else {
        u8::from(page.has_findings())
    }
}
