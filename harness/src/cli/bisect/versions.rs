//! `bisect versions`: an ordered list of binaries or kernels, without any source.

use std::path::{Path, PathBuf};
use std::time::Instant;

use cpuid_fidelity::bisect::question::{Ends, told};
use cpuid_fidelity::bisect::versions::search;
use cpuid_fidelity::bisect::{Account, Outcome, Question, Turned, Verdict};
use cpuid_fidelity::util::files::write_whole;

use super::arguments::Versions;
use super::candidate::Looker;
use super::ends;
use crate::cli::common::global::Global;
use crate::cli::{Context, NotRun, print};

/// Finds the first bad one; the exit status.
pub fn run(global: &Global, arguments: &Versions) -> anyhow::Result<u8> {
    let context = Context::new(global)?;
    let Some(asked) = &arguments.case else {
        anyhow::bail!("--case wanted");
    };
    let (paths, folder) = match arguments.kernel.is_empty() {
        true => (&arguments.qemu, "qemu"),
        false => (&arguments.kernel, "kernels"),
    };
    anyhow::ensure!(
        asked.of_kernel() == (folder == "kernels"),
        "{asked} varies the {}, and the list is of {folder}",
        if asked.of_kernel() { "kernel" } else { "QEMU" }
    );
    anyhow::ensure!(
        paths.len() > 1,
        "a list of two or more wanted, the good end first"
    );
    let places: Vec<PathBuf> = paths
        .iter()
        .map(|path| place(&context, folder, path))
        .collect();
    let list = List {
        looker: Looker::new(&context, asked, arguments.lab.clone())?,
        names: paths
            .iter()
            .map(|path| path.display().to_string())
            .collect(),
        places,
    };
    let feature = ends::feature(&context, &arguments.hunted)?;
    let expected = ends::expected(&context, asked, &arguments.hunted)?;
    let last = paths.len() - 1;
    let (good, bad) = (list.look(0)?, list.look(last)?);
    let question = Ends {
        expected: expected.as_deref(),
        feature: feature.as_deref(),
        layer: asked.layer(),
        good: &good,
        bad: &bad,
    };
    let question = question.question().map_err(super::tree::refused)?;
    let mut seen = vec![(0, good), (last, bad)];
    list.tell(&question, 0, &seen[0].1)?;
    list.tell(&question, last, &seen[1].1)?;
    let turn = search(paths.len(), |index| {
        let outcome = list.look(index)?;
        let verdict = list.tell(&question, index, &outcome)?;
        seen.push((index, outcome));
        Ok::<_, anyhow::Error>(verdict)
    })?;
    let Some((_, outcome)) = seen.iter().find(|(index, _)| *index == turn.bad) else {
        anyhow::bail!("the first bad one was not looked at");
    };
    let account = Account {
        turned: Turned::Version {
            good: list.names[turn.good].clone(),
            bad: list.names[turn.bad].clone(),
        },
        case: &asked.name,
        question: &question,
        findings: question.verdict(outcome).map_err(NotRun)?.1,
        outcome,
        untestable: turn
            .untestable
            .iter()
            .map(|index| list.names[*index].clone())
            .collect(),
    };
    finish(&account, arguments.report.as_deref())
}

/// Prints the account and writes the draft; the exit status: where something in between could not be tested, none was told.
pub fn finish(account: &Account<'_>, report: Option<&Path>) -> anyhow::Result<u8> {
    let draft = account.bug_report();
    print(&format!("{}\n{draft}", account.summary()));
    if let Some(path) = report {
        write_whole(path, draft.as_bytes())
            .map_err(|error| anyhow::anyhow!("failed to write {}: {error}", path.display()))?;
    }
    Ok(match account.untestable.is_empty() {
        true => 0,
        false => crate::cli::NOT_RUN,
    })
}

struct List<'a> {
    looker: Looker<'a>,
    names: Vec<String>,
    places: Vec<PathBuf>,
}

impl List<'_> {
    fn look(&self, index: usize) -> anyhow::Result<Outcome> {
        let started = Instant::now();
        let path = &self.places[index];
        anyhow::ensure!(path.exists(), "{}: there is none", path.display());
        let outcome = self.looker.look(path, None)?;
        eprintln!(
            "looked at {} in {:.1} s",
            self.names[index],
            started.elapsed().as_secs_f64()
        );
        Ok(outcome)
    }

    fn tell(
        &self,
        question: &Question,
        index: usize,
        outcome: &Outcome,
    ) -> anyhow::Result<Verdict> {
        let (verdict, findings) = question.verdict(outcome).map_err(NotRun)?;
        print(&line(
            &self.names[index],
            verdict,
            outcome,
            &told(&findings),
        ));
        Ok(verdict)
    }
}

/// `bad   11.1  lost avx2 at CPUID.07H.00H:EBX[5]`.
pub fn line(name: &str, verdict: Verdict, outcome: &Outcome, findings: &str) -> String {
    let why = match outcome {
        Outcome::Broken { reason, .. } => reason.lines().next().unwrap_or_default(),
        Outcome::Unbuilt { reason } => reason.lines().next_back().unwrap_or_default(),
        Outcome::Seen { .. } => findings,
    };
    let line = format!("{:4}  {name}  {why}", verdict.word());
    format!("{}\n", line.trim_end())
}

/// A path, or the version of one that scripts/fetch-qemu or scripts/fetch-kernel brought.
fn place(context: &Context, folder: &str, path: &Path) -> PathBuf {
    if path.exists() {
        return std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    }
    let fetched = context.config.cache.join(folder).join(path);
    let found = match folder {
        "qemu" => fetched.join("qemu-system-x86_64"),
        _ => fetched,
    };
    match found.exists() {
        true => std::path::absolute(&found).unwrap_or(found),
        false => cpuid_fidelity::util::path::named(path),
    }
}
