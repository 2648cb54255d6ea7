//! `bisect qemu` and `bisect kernel`: `git bisect run` in a working tree.

use std::path::{Path, PathBuf};
use std::time::Instant;

use cpuid_fidelity::bisect::build::{Build, Built};
use cpuid_fidelity::bisect::git::{Commit, Found, GitError, Repo};
use cpuid_fidelity::bisect::question::{Ends, told};
use cpuid_fidelity::bisect::state::Plan;
use cpuid_fidelity::bisect::{
    Account, Asked, EndsError, Outcome, Question, State, Step, Turned, Verdict,
};
use cpuid_fidelity::util::files::writable;

use super::arguments::{KernelTree, LabWords, QemuTree, Tree};
use super::candidate::{Looker, lab_words};
use super::ends;
use super::versions::{finish, line};
use crate::cli::common::global::Global;
use crate::cli::{Context, NotRun, print};

/// What a step says for people to read starts with this, among all that git and builds say.
pub const MARK: &str = "bisect: ";

/// Finds the first bad commit of QEMU; the exit status.
pub fn qemu(global: &Global, arguments: &QemuTree) -> anyhow::Result<u8> {
    anyhow::ensure!(
        !arguments.case.of_kernel(),
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
    let asked = &arguments.case;
    bisect(global, &arguments.tree, asked, build, &LabWords::default())
}

/// Finds the first bad commit of Linux; the exit status.
pub fn kernel(global: &Global, arguments: &KernelTree) -> anyhow::Result<u8> {
    anyhow::ensure!(
        arguments.case.of_kernel(),
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
    asked: &Asked,
    build: Build,
    lab: &LabWords,
) -> anyhow::Result<u8> {
    let context = Context::new(global)?;
    if let Some(path) = &tree.report {
        writable(path)
            .map_err(|error| anyhow::anyhow!("failed to write {}: {error}", path.display()))?;
    }
    let repo = Repo::open(&tree.repo, &context.cancel)?;
    let (good, bad) = (repo.commit(&tree.good)?, repo.commit(&tree.bad)?);
    anyhow::ensure!(good != bad, "good and bad are the same commit {good}");
    anyhow::ensure!(
        !repo.is_ancestor(&bad, &good)?,
        "good and bad are swapped: {} came before {}",
        tree.bad,
        tree.good
    );
    let plan = Plan {
        version: Plan::VERSION,
        here: std::env::current_dir()?,
        repo: repo.top.clone(),
        good,
        bad,
        feature: ends::feature(&context, &tree.hunted)?,
        expected: ends::expected(&context, asked, &tree.hunted)?,
        asked: asked.clone(),
        build,
        lab: lab.words(),
    };
    let mut state = State::open(&context.config.cache, plan.clone())?;
    if tree.anew {
        state.forget()?;
        state = State::open(&context.config.cache, plan)?;
    }
    let ended = {
        let taken = Taken::of(&repo, &state)?;
        let ended = hunt(&context, global, &repo, &state);
        taken.give_back()?;
        ended
    };
    let ended = match ended {
        Err(_) if context.cancel.thrown() => {
            let known = state.steps().len();
            let message = format!(
                "interrupted: the same command goes on from here; {known} commits are known"
            );
            return Err(NotRun(message).into());
        }
        ended => ended?,
    };
    let account = ended.account(&state.plan);
    let status = finish(&account, tree.report.as_deref())?;
    state.forget()?;
    Ok(status)
}

/// Ends that are none: what cannot be run is told from what is a mistake.
pub fn refused(error: EndsError) -> anyhow::Error {
    match error {
        EndsError::Unbuilt(..) | EndsError::Broken(_) => NotRun(error.to_string()).into(),
        other => other.into(),
    }
}

/// A working tree in our hands, given back whatever happens.
struct Taken<'a> {
    repo: &'a Repo,
    state: &'a State,
    back: bool,
}

impl<'a> Taken<'a> {
    fn of(repo: &'a Repo, state: &'a State) -> anyhow::Result<Taken<'a>> {
        let place = repo.top.display();
        if let Some(stamp) = repo.bisecting()? {
            anyhow::ensure!(
                state.running().as_ref() == Some(&stamp),
                "a bisect is under way in {place}; `git bisect reset` ends it"
            );
            eprintln!("a bisect that was killed has left {place} where it was; it is brought back");
            repo.reset()?;
            state.mark(None)?;
        }
        let changes = repo.changes()?;
        anyhow::ensure!(
            changes.is_empty(),
            "local changes in {place}, which is left as it is; commit or stash them first: {}",
            changes.join(", ")
        );
        repo.start()?;
        let taken = Taken {
            repo,
            state,
            back: false,
        };
        state.mark(repo.bisecting()?.as_deref())?;
        Ok(taken)
    }

    fn give_back(mut self) -> anyhow::Result<()> {
        self.back = true;
        self.repo.reset()?;
        Ok(self.state.mark(None)?)
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if !self.back {
            let _ = self.repo.reset();
            let _ = self.state.mark(None);
        }
    }
}

/// How it ended.
struct Ended {
    question: Question,
    commit: Commit,
    log: String,
    outcome: Outcome,
    untestable: Vec<String>,
}

impl Ended {
    fn account<'a>(&'a self, plan: &'a Plan) -> Account<'a> {
        Account {
            turned: Turned::Commit {
                commit: self.commit.clone(),
                log: self.log.clone(),
            },
            case: &plan.asked.name,
            question: &self.question,
            findings: self
                .question
                .verdict(&self.outcome)
                .map(|(_, findings)| findings)
                .unwrap_or_default(),
            outcome: &self.outcome,
            untestable: self.untestable.clone(),
        }
    }
}

fn hunt(context: &Context, global: &Global, repo: &Repo, state: &State) -> anyhow::Result<Ended> {
    let plan = &state.plan;
    let looker = Looker::new(context, &plan.asked, lab_words(&plan.lab))?;
    let end = |which: &str, commit: &str| end(context, repo, state, &looker, which, commit);
    let (good, bad) = (end("good", &plan.good)?, end("bad", &plan.bad)?);
    let ends = Ends {
        expected: plan.expected.as_deref(),
        feature: plan.feature.as_deref(),
        layer: plan.asked.layer(),
        good: &good,
        bad: &bad,
    };
    let question = ends.question().map_err(refused)?;
    print(&format!("hunted: {}\n", hunted(&question, &bad)?));
    state.keep_question(&question)?;
    let known = state.steps();
    let between = known.iter().filter(|step| step.verdict.is_some()).count();
    if between > 0 {
        print(&format!("{between} commits are known from before\n"));
    }
    repo.tell(&plan.good, &plan.bad, &known)?;
    let mut found = repo.found()?;
    if found == Found::Nothing {
        let said = run_steps(context, global, repo, state)?;
        found = repo.found()?;
        if found == Found::Nothing {
            return Err(NotRun(format!("git bisect ended without a result: {said}")).into());
        }
    }
    let steps = state.steps();
    let (commit, untestable) = settled(repo, found, &steps, &plan.bad)?;
    let outcome = steps.iter().rfind(|step| step.commit == commit);
    Ok(Ended {
        outcome: outcome.map_or(bad, |step| step.outcome.clone()),
        commit: repo.show(&commit)?,
        log: repo.log()?,
        question,
        untestable,
    })
}

fn hunted(question: &Question, bad: &Outcome) -> anyhow::Result<String> {
    let (_, findings) = question.verdict(bad).map_err(NotRun)?;
    Ok(match bad {
        Outcome::Broken { reason, .. } => reason.lines().next().unwrap_or_default().to_owned(),
        _ => told(&findings),
    })
}

/// What one of the ends shows; looked at once, however often the bisect is interrupted.
fn end(
    context: &Context,
    repo: &Repo,
    state: &State,
    looker: &Looker<'_>,
    which: &str,
    commit: &str,
) -> anyhow::Result<Outcome> {
    let known = state.steps().into_iter();
    if let Some(step) = known.rev().find(|step| step.commit == commit) {
        return Ok(step.outcome);
    }
    repo.check_out(commit)?;
    let started = Instant::now();
    let outcome = at_head(context, state, looker)?;
    let seconds = started.elapsed().as_secs_f64();
    let shown = repo.show(commit)?;
    eprintln!(
        "{which} end {} {}: looked at in {seconds:.1} s",
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

/// Builds what is checked out, and looks at it.
pub fn at_head(context: &Context, state: &State, looker: &Looker<'_>) -> anyhow::Result<Outcome> {
    let plan = &state.plan;
    let folder = state.build_folder();
    let built = plan.build.make(
        plan.asked.of_kernel(),
        &plan.repo,
        &folder,
        &context.cancel,
        &mut |line| {
            if context.verbose {
                eprintln!("{line}");
            }
        },
    );
    match built.map_err(|error| NotRun(error.to_string()))? {
        Built::Failed(reason) => Ok(Outcome::Unbuilt { reason }),
        Built::Here(product) => looker.look(&product, plan.build.modules(&plan.repo, &folder)),
    }
}

/// `git bisect run` with this program as the step; git's last words.
fn run_steps(
    context: &Context,
    global: &Global,
    repo: &Repo,
    state: &State,
) -> anyhow::Result<String> {
    let mut said = Vec::new();
    let mut wrong = None;
    let mut hear = |line: &str| {
        if let Some(told) = line.strip_prefix(MARK) {
            match told.strip_prefix("error: ") {
                Some(error) => wrong = Some(error.to_owned()),
                None => print(&format!("{told}\n")),
            }
        } else if context.verbose {
            eprintln!("{line}");
        }
        said.push(line.to_owned());
    };
    let ended = repo.bisect_run(&step_command(global, state)?, &mut hear);
    // Only for who wants to know what git said; nothing depends on it.
    let _ = std::fs::write(state.log(), said.join("\n"));
    match (ended, wrong) {
        (Err(GitError::Cancelled), _) => Err(GitError::Cancelled.into()),
        (Err(error), _) => Err(error.into()),
        (Ok(_), Some(wrong)) => Err(NotRun(wrong).into()),
        // Whether it found something stands in its log.
        (Ok(_), None) => Ok(said.pop().unwrap_or_default()),
    }
}

/// This program again, with the options that have a say in a step. It goes to the folder where this one was started, so that what is
/// relative stays what it was.
fn step_command(global: &Global, state: &State) -> anyhow::Result<Vec<String>> {
    let text = |path: &Path| path.display().to_string();
    let mut words = vec![text(&std::env::current_exe()?)];
    if let Some(config) = &global.config {
        words.extend(["--config".to_owned(), text(config)]);
    }
    for qemu in &global.qemu {
        words.extend(["--qemu".to_owned(), text(qemu)]);
    }
    if let Some(seconds) = global.timeout {
        words.extend(["--timeout".to_owned(), seconds.to_string()]);
    }
    if global.verbose {
        words.push("--verbose".to_owned());
    }
    let driver = std::process::id().to_string();
    let step = ["bisect", "step", "--driver", &driver, "--state"];
    words.extend(step.map(str::to_owned));
    words.push(text(state.folder()));
    Ok(words)
}

/// The first bad commit that could be tested, and those before it that could not.
fn settled(
    repo: &Repo,
    found: Found,
    steps: &[Step],
    bad: &str,
) -> anyhow::Result<(String, Vec<String>)> {
    match found {
        Found::Commit(commit) => Ok((commit, Vec::new())),
        Found::Nothing => Err(NotRun("git bisect is not over".to_owned()).into()),
        Found::OneOf(commits) => {
            let last_bad = steps
                .iter()
                .rfind(|step| step.verdict == Some(Verdict::Bad));
            let nearest = last_bad.map_or(bad, |step| step.commit.as_str()).to_owned();
            let others = commits.iter().filter(|commit| **commit != nearest);
            let told = others.map(|commit| {
                let shown = repo.show(commit)?;
                Ok::<_, anyhow::Error>(format!("{} {}", shown.short(), shown.subject))
            });
            let told: Vec<String> = told.collect::<Result<_, _>>()?;
            Ok((nearest, told))
        }
    }
}

/// What a step says.
pub fn step_line(commit: &Commit, verdict: Verdict, outcome: &Outcome, findings: &str) -> String {
    let name = format!("{} {}", commit.short(), commit.subject);
    format!("{MARK}{}", line(&name, verdict, outcome, findings))
}
