//! `bisect step`: the exit-status contract of `git bisect run`.

use std::path::Path;
use std::time::Instant;

use cpuid_fidelity::bisect::build::{Build, Built};
use cpuid_fidelity::bisect::git::Repo;
use cpuid_fidelity::bisect::question::{Hunt, list};
use cpuid_fidelity::bisect::{Lines, Outcome, Question, State, Step as Done, Verdict};
use cpuid_fidelity::host::tool;

use super::arguments::Step;
use super::candidate::{Candidates, lab_arguments};
use super::ends;
use super::head::at_head;
use super::output::{line, step_line};
use crate::cli::common::global::Global;
use crate::cli::{Context, print};

/// The status that ends `git bisect run`, whatever went wrong.
pub const ABORT: u8 = 128;

/// Whether the command line asks for `bisect step`, in which every status but 0, 1 and 125 must be one that ends
/// `git bisect run`: it would take 2, or the 101 of a panic, for a bad commit.
pub fn is_step(arguments: impl Iterator<Item = std::ffi::OsString>) -> bool {
    let arguments: Vec<_> = arguments.collect();
    arguments.windows(2).any(|pair| pair == ["bisect", "step"])
}

/// 0 good, 1 bad, 125 cannot be tested; whatever goes wrong ends the bisect, for it would go wrong with every commit.
pub fn run(global: &Global, arguments: &Step) -> u8 {
    let ended = match &arguments.state {
        Some(folder) => of_bisect(global, folder, arguments.driver),
        None => by_hand(global, arguments),
    };
    match ended {
        Ok(verdict) => verdict.exit_status(),
        Err(error) => {
            let reason = format!("{error:#}");
            if let Some(folder) = &arguments.state {
                // Where this fails, too, the end of git's output has the reason.
                let _ = State::keep_failure(folder, Some(&reason));
            }
            note!("error: {reason}");
            ABORT
        }
    }
}

/// A step of `bisect qemu` or `bisect kernel`: git has checked the commit out.
fn of_bisect(global: &Global, folder: &Path, driver: Option<i32>) -> anyhow::Result<Verdict> {
    let state = State::open_step(folder)?;
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
    let candidates = Candidates::new(&context, &state.plan.target, lab_arguments(&state.plan.lab))?;
    let started = Instant::now();
    let outcome = at_head(&context, &state, &candidates)?;
    let (verdict, findings) = question.verdict(&outcome);
    print(&step_line(&commit, verdict, &outcome, &list(&findings)));
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
    let Some(target) = &arguments.case else {
        anyhow::bail!("--case wanted");
    };
    let (path, kernel) = match (&arguments.kernel, context.named.as_slice()) {
        (Some(kernel), _) => (kernel, true),
        (None, [qemu]) => (qemu, false),
        (None, _) => anyhow::bail!("which one? one --qemu PATH, or --kernel PATH"),
    };
    anyhow::ensure!(
        target.varies_kernel() == kernel,
        "{target} varies the {}",
        if target.varies_kernel() {
            "kernel: --kernel"
        } else {
            "QEMU: --qemu"
        }
    );
    let expected = ends::expected(&context, target, &arguments.hunted)?;
    let hunt = if arguments.hunt_breakage {
        Hunt::Breakage
    } else {
        Hunt::Anything
    };
    let Some(reference) = expected.or_else(|| (hunt == Hunt::Breakage).then(Lines::default)) else {
        anyhow::bail!(
            "{target} names no expectation, and one step knows no good end: --against FILE"
        );
    };
    let question = Question {
        reference,
        known: Vec::new(),
        feature: ends::feature(&context, &arguments.hunted)?,
        layer: target.layer(),
        hunt,
    };
    let outcome = match made(&context, arguments, path)? {
        Some(unbuilt) => unbuilt,
        None => {
            let candidates = Candidates::new(&context, target, arguments.lab.clone())?;
            candidates.test(path, arguments.modules.clone())?
        }
    };
    let (verdict, findings) = question.verdict(&outcome);
    print(&line(&target.name, verdict, &outcome, &list(&findings)));
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
        &mut |line| note!("{line}"),
    );
    Ok(match built? {
        Built::Here(_) => None,
        Built::Failed(reason) => Some(Outcome::Unbuilt { reason }),
    })
}
