//! The two ends of a bisect in a working tree, `git bisect run` between them, and what it found.

use std::path::Path;
use std::time::Instant;

use cpuid_fidelity::bisect::git::{Commit, Found, Repo};
use cpuid_fidelity::bisect::question::{Ends, list};
use cpuid_fidelity::bisect::state::Plan;
use cpuid_fidelity::bisect::{Conclusion, FirstBad, Outcome, Question, State, Step, Verdict};

use super::candidate::{Candidates, lab_arguments};
use super::head::at_head;
use super::output::{MARK, refused};
use crate::cli::common::exit::{NotRun, print, print_line};
use crate::cli::common::global::Global;
use crate::cli::context::Context;

/// What was found in a working tree.
pub struct FoundCommit {
    question: Question,
    commit: Commit,
    log: String,
    outcome: Outcome,
    untestable: Vec<String>,
}

impl FoundCommit {
    /// As it is printed and reported.
    pub fn conclusion<'a>(&'a self, plan: &'a Plan) -> Conclusion<'a> {
        Conclusion {
            first_bad: FirstBad::Commit {
                commit: self.commit.clone(),
                log: self.log.clone(),
            },
            case: &plan.target.name,
            guest: &plan.target.guest,
            question: &self.question,
            findings: self.question.verdict(&self.outcome).1,
            outcome: &self.outcome,
            untestable: self.untestable.clone(),
        }
    }
}

/// Tests both ends, then has git search between them.
pub fn search(
    context: &Context,
    global: &Global,
    repo: &Repo,
    state: &State,
) -> anyhow::Result<FoundCommit> {
    let plan = &state.plan;
    let candidates = Candidates::new(context, &plan.target, lab_arguments(&plan.lab))?;
    let end = |which: &str, commit: &str| end(context, repo, state, &candidates, which, commit);
    let (good, bad) = (end("good", &plan.good)?, end("bad", &plan.bad)?);
    let ends = Ends {
        expected: plan.expected.as_ref(),
        feature: plan.feature.as_deref(),
        layer: plan.target.layer(),
        good: &good,
        bad: &bad,
    };
    let question = ends.question().map_err(refused)?;
    print_line(&format!("hunted: {}", sought(&question, &bad)));
    state.keep_question(&question)?;
    let found = bisected(context, global, repo, state)?;
    let steps = state.steps();
    let (commit, untestable) = first_bad(repo, found, &steps, &plan.bad)?;
    let outcome = steps.iter().rfind(|step| step.commit == commit);
    Ok(FoundCommit {
        outcome: outcome.map_or(bad, |step| step.outcome.clone()),
        commit: repo.show(&commit)?,
        log: repo.log()?,
        question,
        untestable,
    })
}

/// The difference at the bad end, in one line.
fn sought(question: &Question, bad: &Outcome) -> String {
    match bad {
        Outcome::Broken { reason, .. } => reason.lines().next().unwrap_or_default().to_owned(),
        _ => list(&question.verdict(bad).1),
    }
}

/// What git finds between the ends, with what is known from an interrupted bisect.
fn bisected(
    context: &Context,
    global: &Global,
    repo: &Repo,
    state: &State,
) -> anyhow::Result<Found> {
    let known = state.steps();
    let between = known.iter().filter(|step| step.verdict.is_some()).count();
    if between > 0 {
        print(&format!("{between} commits are known from before\n"));
    }
    repo.mark(&state.plan.good, &state.plan.bad, &known)?;
    let found = repo.found()?;
    if found != Found::Nothing {
        return Ok(found);
    }
    let last = run_steps(context, global, repo, state)?;
    match repo.found()? {
        Found::Nothing => Err(NotRun(format!("git bisect ended without a result: {last}")).into()),
        found => Ok(found),
    }
}

/// What one of the ends shows; it is tested once, however often the bisect is interrupted.
fn end(
    context: &Context,
    repo: &Repo,
    state: &State,
    candidates: &Candidates<'_>,
    which: &str,
    commit: &str,
) -> anyhow::Result<Outcome> {
    let known = state.steps().into_iter();
    if let Some(step) = known.rev().find(|step| step.commit == commit) {
        return Ok(step.outcome);
    }
    repo.check_out(commit)?;
    let started = Instant::now();
    let outcome = at_head(context, state, candidates)?;
    let seconds = started.elapsed().as_secs_f64();
    let shown = repo.show(commit)?;
    note!(
        "{which} end {} {}: tested in {seconds:.1} s",
        shown.short(),
        shown.subject
    );
    if matches!(outcome, Outcome::Seen { .. }) {
        state.add(&Step {
            commit: commit.to_owned(),
            outcome: outcome.clone(),
            verdict: None,
            seconds,
        })?;
    }
    Ok(outcome)
}

/// `git bisect run` with this program as the step; the last line of its output.
fn run_steps(
    context: &Context,
    global: &Global,
    repo: &Repo,
    state: &State,
) -> anyhow::Result<String> {
    let mut output = Vec::new();
    let mut on_line = |line: &str| {
        if let Some(step) = line.strip_prefix(MARK) {
            print_line(step);
        } else if context.manner.verbose() {
            note!("{line}");
        }
        output.push(line.to_owned());
    };
    State::keep_failure(state.folder(), None)?;
    let ended = repo.bisect_run(&step_command(global, state)?, &mut on_line);
    // For people who want to read it; nothing depends on it.
    let _ = std::fs::write(state.log(), output.join("\n"));
    ended?;
    match state.failure() {
        Some(reason) => Err(NotRun(reason).into()),
        // Whether git found something stands in its log.
        None => Ok(output.pop().unwrap_or_default()),
    }
}

/// This program again, with the options that a step needs. A step changes to the folder where this program was started, so that
/// relative paths stay valid.
fn step_command(global: &Global, state: &State) -> anyhow::Result<Vec<String>> {
    let text = |path: &Path| path.display().to_string();
    let mut arguments = vec![text(&std::env::current_exe()?)];
    if let Some(config) = &global.config {
        arguments.extend(["--config".to_owned(), text(config)]);
    }
    for qemu in &global.qemu {
        arguments.extend(["--qemu".to_owned(), text(qemu)]);
    }
    if let Some(seconds) = global.timeout {
        arguments.extend(["--timeout".to_owned(), seconds.to_string()]);
    }
    if global.verbose {
        arguments.push("--verbose".to_owned());
    }
    let driver = std::process::id().to_string();
    let step = ["bisect", "step", "--driver", &driver, "--state"];
    arguments.extend(step.map(str::to_owned));
    arguments.push(text(state.folder()));
    Ok(arguments)
}

/// The first bad commit that could be tested, and those before it that could not.
fn first_bad(
    repo: &Repo,
    found: Found,
    steps: &[Step],
    bad: &str,
) -> anyhow::Result<(String, Vec<String>)> {
    let commits = match found {
        Found::Commit(commit) => return Ok((commit, Vec::new())),
        Found::Nothing => return Err(NotRun("git bisect is not over".to_owned()).into()),
        Found::OneOf(commits) => commits,
    };
    let is_bad = |step: &&Step| step.verdict == Some(Verdict::Bad);
    let last_bad = steps.iter().rfind(is_bad);
    let nearest = last_bad.map_or(bad, |step| step.commit.as_str()).to_owned();
    let name = |commit: &String| {
        let shown = repo.show(commit)?;
        Ok(format!("{} {}", shown.short(), shown.subject))
    };
    let others = commits.iter().filter(|commit| **commit != nearest);
    let names: anyhow::Result<Vec<String>> = others.map(name).collect();
    Ok((nearest, names?))
}
