//! `bisect step`: the exit-status contract of `git bisect run`.

use std::path::Path;
use std::time::Instant;

use cpuid_fidelity::bisect::build::{Build, Built};
use cpuid_fidelity::bisect::git::Repo;
use cpuid_fidelity::bisect::question::{Hunt, told};
use cpuid_fidelity::bisect::{Outcome, Question, State, Step as Done, Verdict};
use cpuid_fidelity::util::tool;

use super::arguments::Step;
use super::candidate::{Looker, lab_words};
use super::tree::{MARK, at_head, step_line};
use super::versions::line;
use super::{ABORT, ends};
use crate::cli::common::global::Global;
use crate::cli::{Context, print};

/// 0 good, 1 bad, 125 cannot be tested; whatever goes wrong ends the bisect, for it would go wrong with every commit.
pub fn run(global: &Global, arguments: &Step) -> u8 {
    let ended = match &arguments.state {
        Some(folder) => of_bisect(global, folder, arguments.driver),
        None => by_hand(global, arguments),
    };
    match ended {
        Ok(verdict) => verdict.exit_status(),
        Err(error) => {
            let mark = if arguments.state.is_some() { MARK } else { "" };
            eprintln!("{mark}error: {error:#}");
            ABORT
        }
    }
}

/// A step of `bisect qemu` or `bisect kernel`: git has checked the commit out.
fn of_bisect(global: &Global, folder: &Path, driver: Option<i32>) -> anyhow::Result<Verdict> {
    let state = State::of_step(folder)?;
    std::env::set_current_dir(&state.plan.here)?;
    let context = Context::new(global)?;
    if let Some(id) = driver {
        tool::cancel_after(id, &context.cancel)?;
    }
    let repo = Repo::open(&state.plan.repo, &context.cancel)?;
    let commit = repo.show("HEAD")?;
    let Some(question) = state.question() else {
        anyhow::bail!("the ends of the bisect are not known yet");
    };
    let looker = Looker::new(&context, &state.plan.asked, lab_words(&state.plan.lab))?;
    let started = Instant::now();
    let outcome = at_head(&context, &state, &looker)?;
    let (verdict, findings) = question.verdict(&outcome).map_err(anyhow::Error::msg)?;
    print(&step_line(&commit, verdict, &outcome, &told(&findings)));
    state.add(&Done {
        commit: commit.id,
        outcome,
        verdict: Some(verdict),
        seconds: started.elapsed().as_secs_f64(),
    })?;
    Ok(verdict)
}

fn by_hand(global: &Global, arguments: &Step) -> anyhow::Result<Verdict> {
    let context = Context::new(global)?;
    let Some(asked) = &arguments.case else {
        anyhow::bail!("--case wanted");
    };
    let (path, kernel) = match (&arguments.kernel, context.named.as_slice()) {
        (Some(kernel), _) => (kernel, true),
        (None, [qemu]) => (qemu, false),
        (None, _) => anyhow::bail!("which one? one --qemu PATH, or --kernel PATH"),
    };
    anyhow::ensure!(
        asked.of_kernel() == kernel,
        "{asked} varies the {}",
        if asked.of_kernel() {
            "kernel: --kernel"
        } else {
            "QEMU: --qemu"
        }
    );
    let expected = ends::expected(&context, asked, &arguments.hunted)?;
    let hunt = match arguments.hunt_breakage {
        true => Hunt::Breakage,
        false => Hunt::Anything,
    };
    let Some(reference) = expected.or_else(|| (hunt == Hunt::Breakage).then(String::new)) else {
        anyhow::bail!(
            "{asked} names no expectation, and one step knows no good end: --against FILE"
        );
    };
    let question = Question {
        reference,
        known: Vec::new(),
        feature: ends::feature(&context, &arguments.hunted)?,
        layer: asked.layer(),
        hunt,
    };
    let outcome = match made(&context, arguments, path)? {
        Some(unbuilt) => unbuilt,
        None => {
            let looker = Looker::new(&context, asked, arguments.lab.clone())?;
            looker.look(path, arguments.modules.clone())?
        }
    };
    let (verdict, findings) = question.verdict(&outcome).map_err(anyhow::Error::msg)?;
    print(&line(&asked.name, verdict, &outcome, &told(&findings)));
    Ok(verdict)
}

/// Builds what is checked out here, where that is asked for; why it does not build.
fn made(context: &Context, arguments: &Step, product: &Path) -> anyhow::Result<Option<Outcome>> {
    if arguments.build.is_none() {
        anyhow::ensure!(product.exists(), "{}: there is none", product.display());
        return Ok(None);
    }
    let build = Build {
        command: arguments.build.clone(),
        product: product.to_owned(),
        modules: None,
    };
    let here = std::env::current_dir()?;
    let built = build.make(
        arguments.kernel.is_some(),
        &here,
        &here.join("build"),
        &context.cancel,
        &mut |line| eprintln!("{line}"),
    );
    Ok(match built? {
        Built::Here(_) => None,
        Built::Failed(reason) => Some(Outcome::Unbuilt { reason }),
    })
}
