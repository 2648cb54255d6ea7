//! `bisect versions`: an ordered list of binaries or kernels, without any source.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use cpuid_fidelity::bisect::question::{Ends, list};
use cpuid_fidelity::bisect::versions::{Turn, search};
use cpuid_fidelity::bisect::{Conclusion, FirstBad, Outcome, Question, Target, Verdict};
use cpuid_fidelity::plan::named;

use super::arguments::Versions;
use super::candidate::Candidates;
use super::ends;
use super::output::{finish, line, refused};
use crate::cli::common::exit::print;
use crate::cli::common::global::Global;
use crate::cli::context::Context;

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
        guest: &target.guest,
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
        let kernels = !arguments.kernel.is_empty();
        let (paths, what) = if kernels {
            (&arguments.kernel, "kernels")
        } else {
            (&arguments.qemu, "QEMUs")
        };
        anyhow::ensure!(
            target.varies_kernel() == kernels,
            "{target} varies the {}, and the list is of {what}",
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
        let place = |path: &PathBuf| place(context, kernels, path);
        let places: anyhow::Result<Vec<PathBuf>> = paths.iter().map(place).collect();
        Ok(List {
            candidates: Candidates::new(context, target, arguments.lab.clone())?,
            names: paths.iter().map(name).collect(),
            places: places?,
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

/// What is called by a release, a folder or a path.
fn place(context: &Context, kernels: bool, name: &Path) -> anyhow::Result<PathBuf> {
    let config = &context.config;
    let found = if kernels {
        let there = named::kernel(config, name)?;
        there.map_or_else(|| name.to_owned(), |kernel| kernel.path)
    } else {
        named::qemu(config, name, &context.cancel)?
    };
    Ok(std::path::absolute(&found).unwrap_or(found))
}
