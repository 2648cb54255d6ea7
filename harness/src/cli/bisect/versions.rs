//! `bisect versions`: an ordered list of binaries or kernels, without any source.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use cpuid_fidelity::bisect::question::{Ends, list};
use cpuid_fidelity::bisect::versions::{Turn, search};
use cpuid_fidelity::bisect::{Conclusion, FirstBad, Outcome, Question, Target, Verdict};

use super::arguments::Versions;
use super::candidate::Candidates;
use super::ends;
use super::output::{finish, line, refused};
use crate::cli::common::exit::print;
use crate::cli::common::global::Global;
use crate::cli::context::Context;

/// Folders of the cache in which scripts/fetch-qemu and scripts/fetch-kernel leave what they fetch.
const QEMUS: &str = "qemu";
const KERNELS: &str = "kernels";

/// Finds the first bad one; the exit status.
pub fn run(global: &Global, arguments: &Versions) -> anyhow::Result<u8> {
    let context = Context::new(global)?;
    let Some(target) = &arguments.case else {
        anyhow::bail!("no case is named: --case CASE, as `list` prints it");
    };
    let mut list = List::new(&context, target, arguments)?;
    let question = question(&context, target, arguments, &mut list)?;
    list.print(&question, 0)?;
    list.print(&question, list.names.len() - 1)?;
    let turn = search(list.names.len(), |index| list.print(&question, index))?;
    let conclusion = conclusion(target, &question, &turn, &mut list)?;
    finish(&conclusion, arguments.report.as_deref())
}

/// What the two ends settle.
fn question(
    context: &Context,
    target: &Target,
    arguments: &Versions,
    list: &mut List<'_>,
) -> anyhow::Result<Question> {
    let feature = ends::feature(context, &arguments.hunted)?;
    let expected = ends::expected(context, target, &arguments.hunted)?;
    let (good, bad) = (list.test(0)?, list.test(list.names.len() - 1)?);
    let ends = Ends {
        expected: expected.as_ref(),
        feature: feature.as_deref(),
        layer: target.layer(),
        good: &good,
        bad: &bad,
    };
    ends.question().map_err(refused)
}

fn conclusion<'a>(
    target: &'a Target,
    question: &'a Question,
    turn: &Turn,
    list: &'a mut List<'_>,
) -> anyhow::Result<Conclusion<'a>> {
    list.test(turn.bad)?;
    let list = &*list;
    let outcome = &list.outcomes[&turn.bad];
    let name = |index: &usize| list.names[*index].clone();
    Ok(Conclusion {
        first_bad: FirstBad::Version {
            good: name(&turn.good),
            bad: name(&turn.bad),
        },
        case: &target.name,
        question,
        findings: question.verdict(outcome).1,
        outcome,
        untestable: turn.untestable.iter().map(name).collect(),
    })
}

/// The list, and what is known of it.
struct List<'a> {
    candidates: Candidates<'a>,
    names: Vec<String>,
    places: Vec<PathBuf>,
    outcomes: BTreeMap<usize, Outcome>,
}

impl<'a> List<'a> {
    fn new(
        context: &'a Context,
        target: &'a Target,
        arguments: &Versions,
    ) -> anyhow::Result<List<'a>> {
        let (paths, folder) = if arguments.kernel.is_empty() {
            (&arguments.qemu, QEMUS)
        } else {
            (&arguments.kernel, KERNELS)
        };
        anyhow::ensure!(
            target.varies_kernel() == (folder == KERNELS),
            "{target} varies the {}, and the list is of {folder}",
            if target.varies_kernel() {
                "kernel"
            } else {
                "QEMU"
            }
        );
        anyhow::ensure!(
            paths.len() > 1,
            "a list of two or more wanted, the good end first"
        );
        let name = |path: &PathBuf| path.display().to_string();
        let place = |path: &PathBuf| place(context, folder, path);
        Ok(List {
            candidates: Candidates::new(context, target, arguments.lab.clone())?,
            names: paths.iter().map(name).collect(),
            places: paths.iter().map(place).collect(),
            outcomes: BTreeMap::new(),
        })
    }

    /// What one of the list shows; each is tested once.
    fn test(&mut self, index: usize) -> anyhow::Result<Outcome> {
        if let Some(outcome) = self.outcomes.get(&index) {
            return Ok(outcome.clone());
        }
        let started = Instant::now();
        let path = &self.places[index];
        anyhow::ensure!(path.exists(), "{}: there is none", path.display());
        let outcome = self.candidates.test(path, None)?;
        let seconds = started.elapsed().as_secs_f64();
        note!("tested {} in {seconds:.1} s", self.names[index]);
        self.outcomes.insert(index, outcome.clone());
        Ok(outcome)
    }

    fn print(&mut self, question: &Question, index: usize) -> anyhow::Result<Verdict> {
        let outcome = self.test(index)?;
        let (verdict, findings) = question.verdict(&outcome);
        let findings = list(&findings);
        print(&line(&self.names[index], verdict, &outcome, &findings));
        Ok(verdict)
    }
}

/// A path, or the version of one that scripts/fetch-qemu or scripts/fetch-kernel brought.
fn place(context: &Context, folder: &str, path: &Path) -> PathBuf {
    if path.exists() {
        return std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    }
    let fetched = context.config.cache.join(folder).join(path);
    let found = if folder == QEMUS {
        fetched.join("qemu-system-x86_64")
    } else {
        fetched
    };
    if found.exists() {
        std::path::absolute(&found).unwrap_or(found)
    } else {
        cpuid_fidelity::util::path::named(path)
    }
}
