//! `bisect qemu` and `bisect kernel`: `git bisect run` in a working tree.

use std::path::PathBuf;

use cpuid_fidelity::bisect::build::Build;
use cpuid_fidelity::bisect::git::Repo;
use cpuid_fidelity::bisect::state::Plan;
use cpuid_fidelity::bisect::{State, Target};
use cpuid_fidelity::util::files::writable;

use super::arguments::{KernelTree, LabArguments, QemuTree, Tree};
use super::ends;
use super::output::finish;
use super::search::search;
use super::working_tree::WorkingTree;
use crate::cli::common::exit::NotRun;
use crate::cli::common::global::Global;
use crate::cli::context::Context;

/// Finds the first bad commit of QEMU; the exit status.
pub fn qemu(global: &Global, arguments: &QemuTree) -> anyhow::Result<u8> {
    anyhow::ensure!(
        !arguments.case.varies_kernel(),
        "{} varies the kernel: `bisect kernel`",
        arguments.case
    );
    let command = arguments.tree.build.clone();
    let build = Build {
        product: match command {
            Some(_) => arguments.binary.clone(),
            None => PathBuf::from("qemu-system-x86_64"),
        },
        command,
        modules: None,
    };
    let target = &arguments.case;
    bisect(
        global,
        &arguments.tree,
        target,
        build,
        &LabArguments::default(),
    )
}

/// Finds the first bad commit of Linux; the exit status.
pub fn kernel(global: &Global, arguments: &KernelTree) -> anyhow::Result<u8> {
    anyhow::ensure!(
        arguments.case.varies_kernel(),
        "{} varies the QEMU: `bisect qemu`",
        arguments.case
    );
    let command = arguments.tree.build.clone();
    let build = Build {
        product: match command {
            Some(_) => arguments.image.clone(),
            // The whole folder: the image is found in it, and the configuration beside it.
            None => PathBuf::from("."),
        },
        command,
        modules: arguments.modules.clone(),
    };
    bisect(
        global,
        &arguments.tree,
        &arguments.case,
        build,
        &arguments.lab,
    )
}

fn bisect(
    global: &Global,
    tree: &Tree,
    target: &Target,
    build: Build,
    lab: &LabArguments,
) -> anyhow::Result<u8> {
    let context = Context::new(global)?;
    if let Some(path) = &tree.report {
        writable(path)
            .map_err(|error| anyhow::anyhow!("failed to write {}: {error}", path.display()))?;
    }
    let repo = Repo::open(&tree.repo, &context.cancel)?;
    let plan = plan(&context, &repo, tree, target, build, lab)?;
    let state = state(&context, plan, tree.anew)?;
    let working_tree = WorkingTree::start(&repo, &state)?;
    let found = search(&context, global, &repo, &state);
    working_tree.reset()?;
    if found.is_err() && context.cancel.thrown() {
        let known = state.steps().len();
        let message =
            format!("interrupted: the same command goes on from here; {known} commits are known");
        return Err(NotRun(message).into());
    }
    let status = finish(&found?.conclusion(&state.plan), tree.report.as_deref())?;
    state.forget()?;
    Ok(status)
}

fn plan(
    context: &Context,
    repo: &Repo,
    tree: &Tree,
    target: &Target,
    build: Build,
    lab: &LabArguments,
) -> anyhow::Result<Plan> {
    let (good, bad) = (repo.commit(&tree.good)?, repo.commit(&tree.bad)?);
    anyhow::ensure!(good != bad, "good and bad are the same commit {good}");
    anyhow::ensure!(
        !repo.is_ancestor(&bad, &good)?,
        "good and bad are swapped: {} came before {}",
        tree.bad,
        tree.good
    );
    Ok(Plan {
        version: Plan::VERSION,
        here: std::env::current_dir()?,
        repo: repo.top.clone(),
        good,
        bad,
        feature: ends::feature(context, &tree.hunted)?,
        expected: ends::expected(context, target, &tree.hunted)?,
        target: target.clone(),
        build,
        lab: lab.arguments(),
    })
}

/// The state of the plan, which an interrupted bisect may have left.
fn state(context: &Context, plan: Plan, anew: bool) -> anyhow::Result<State> {
    let mut state = State::open(&context.config.cache, plan.clone())?;
    for folder in &state.outdated {
        let folder = folder.display();
        note!(
            "{folder}: another version of this program kept this bisect; it is removed, and starts anew"
        );
    }
    if anew {
        state.forget()?;
        state = State::open(&context.config.cache, plan)?;
    }
    Ok(state)
}
