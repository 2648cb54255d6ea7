//! Patterns of `waivers.toml` that can match nothing: an unknown check or lane, a name that no check of the waiver finds, a model
//! that no release has. Such a waiver accepts nothing for as long as it stands, and nobody would ever hear of it.

use std::collections::BTreeSet;

use clap::ValueEnum as _;
use fidelity_protocol::entry::Control;
use serde::Deserialize;
use serde::de::IgnoredAny;
use toml::Spanned;

use super::super::finding::CheckId;
use super::super::{msrs, vendor};
use crate::case::glob::Glob;
use crate::case::guest::{HOST, SUPPORTED};
use crate::case::lane::Lane;
use crate::cpuid::linux_rules::LinuxRules;
use crate::cpuid::probes::PROBES;
use crate::cpuid::table::Table;
use crate::util::near::hint;

/// Names of expectation lines that are no name of the feature table (render.rs; finding.rs, `between_lines`).
const OF_LINES: [&str; 8] = [
    "apic-id",
    "phases",
    "zero",
    "value",
    "like",
    "reserved",
    "out-of-range answer",
    "readability",
];

/// What patterns can match.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// Names of features and fields.
    pub table: &'a Table,
    /// Names of flags and bugs of Linux guests.
    pub linux: &'a LinuxRules,
    /// CPU models of all recorded releases; where there are none, patterns of models are not judged.
    pub models: &'a BTreeSet<String>,
}

/// A pattern that can match nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "line {line}: waiver {waiver}: {key} “{pattern}” matches {nothing}; correct it or remove it"
)]
pub struct DeadPattern {
    /// From 1.
    pub line: usize,
    /// Name of the waiver.
    pub waiver: String,
    /// The list that it stands in.
    pub key: &'static str,
    /// As it was written.
    pub pattern: String,
    /// What it was compared with.
    pub nothing: String,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    waiver: Vec<Entry>,
}

type List = Vec<Spanned<String>>;

#[derive(Deserialize)]
struct Entry {
    name: String,
    #[serde(default)]
    lanes: List,
    #[serde(default)]
    models: List,
    #[serde(default)]
    checks: List,
    #[serde(default)]
    findings: List,
    #[serde(flatten)]
    _rest: IgnoredAny,
}

/// The first pattern of the file's text that can match nothing. A text that is no such file is [`super::Waivers::parse`]'s to refuse.
///
/// # Errors
/// The pattern, with its line.
pub fn judge(text: &str, known: Known<'_>) -> Result<(), DeadPattern> {
    let file: File = toml::from_str(text).unwrap_or(File { waiver: Vec::new() });
    for entry in &file.waiver {
        let dead = |key, found: Option<&Spanned<String>>, nothing: String| match found {
            Some(pattern) => Err(DeadPattern {
                line: text[..pattern.span().start].matches('\n').count() + 1,
                waiver: entry.name.clone(),
                key,
                pattern: pattern.get_ref().clone(),
                nothing,
            }),
            None => Ok(()),
        };
        let checks: Vec<&str> = CheckId::ALL.iter().map(CheckId::name).collect();
        dead(
            "checks",
            unmatched(&entry.checks, &checks),
            format!("no check{}", near(&entry.checks, &checks)),
        )?;
        let lanes: Vec<&str> = Lane::value_variants()
            .iter()
            .map(|lane| lane.name())
            .collect();
        dead(
            "lanes",
            unmatched(&entry.lanes, &lanes),
            format!("no lane{}", near(&entry.lanes, &lanes)),
        )?;
        dead(
            "models",
            unknown_model(&entry.models, known.models),
            format!(
                "no model of any recorded release{}",
                near_models(&entry.models, known)
            ),
        )?;
        let finders = finders(&entry.checks);
        let nothing = match &finders[..] {
            [one] => format!("nothing that check {one} finds"),
            _ => "nothing that a check of the waiver finds".to_owned(),
        };
        dead(
            "findings",
            unfound(&entry.findings, &finders, known),
            nothing,
        )?;
    }
    Ok(())
}

/// Behind the name of a kind: the names that the first pattern without a match probably meant.
fn near(patterns: &List, names: &[&str]) -> String {
    let pattern = unmatched(patterns, names);
    pattern.map_or(String::new(), |pattern| {
        hint(pattern.get_ref(), names.iter().copied())
    })
}

/// The same of models.
fn near_models(patterns: &List, known: Known<'_>) -> String {
    let pattern = unknown_model(patterns, known.models);
    let names = || known.models.iter().map(String::as_str);
    pattern.map_or(String::new(), |pattern| hint(pattern.get_ref(), names()))
}

fn unmatched<'a>(patterns: &'a List, names: &[&str]) -> Option<&'a Spanned<String>> {
    patterns
        .iter()
        .find(|pattern| !names.iter().any(|name| fits(pattern.get_ref(), name)))
}

/// What follows the model in a `-cpu` argument is not judged.
fn unknown_model<'a>(patterns: &'a List, models: &BTreeSet<String>) -> Option<&'a Spanned<String>> {
    let mut names: Vec<&str> = models.iter().map(String::as_str).collect();
    names.extend([HOST, SUPPORTED]);
    patterns
        .iter()
        .filter(|_| !models.is_empty())
        .find(|pattern| {
            let model = pattern.get_ref().split(',').next().unwrap_or_default();
            !names.iter().any(|name| fits(model, name))
        })
}

/// The checks that a waiver covers.
fn finders(patterns: &List) -> Vec<&'static CheckId> {
    let covered = |check: &&CheckId| {
        patterns.is_empty()
            || patterns
                .iter()
                .any(|pattern| fits(pattern.get_ref(), check.name()))
    };
    CheckId::ALL.iter().filter(covered).collect()
}

fn unfound<'a>(
    patterns: &'a List,
    finders: &[&CheckId],
    known: Known<'_>,
) -> Option<&'a Spanned<String>> {
    let names: Option<Vec<Vec<&str>>> = finders.iter().map(|check| names(check, known)).collect();
    let names = names?.concat();
    unmatched(patterns, &names)
}

/// Every name that a check's findings can have; `None` where they are not of a list.
fn names<'a>(check: &CheckId, known: Known<'a>) -> Option<Vec<&'a str>> {
    Some(match check {
        CheckId::Behaviour => PROBES.iter().map(|probe| probe.name).collect(),
        CheckId::Msrs => msrs::names().collect(),
        CheckId::Vendor => vendor::names().collect(),
        CheckId::FeatureWords
        | CheckId::FilteredFeatures
        | CheckId::LinuxCpuid
        | CheckId::KvmSupported
        | CheckId::KvmTable => bits(known),
        CheckId::KvmGiven | CheckId::KvmKept | CheckId::Migration => {
            let mut names = bits(known);
            names.extend(Control::ALL.iter().map(|control| control.name()));
            names.extend(OF_LINES);
            names
        }
        CheckId::Linux => linux(known),
        _ => return None,
    })
}

fn bits<'a>(known: Known<'a>) -> Vec<&'a str> {
    let fields = known.table.fields().iter();
    let mut names: Vec<&'a str> = fields.map(|field| field.name.as_str()).collect();
    names.push("reserved");
    names
}

fn linux<'a>(known: Known<'a>) -> Vec<&'a str> {
    let aliases = known
        .table
        .fields()
        .iter()
        .flat_map(|field| field.aliases_of("linux"));
    let rows = known.linux.rows().iter().map(|row| row.name.as_str());
    aliases.chain(rows).collect()
}

/// A pattern that is none is [`super::Waivers::parse`]'s to refuse.
fn fits(pattern: &str, name: &str) -> bool {
    let glob: Result<Glob, _> = pattern.parse();
    glob.map_or(true, |glob| Glob::matches(&[glob], name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::fixture::table;

    /// What is wrong with a waiver that has `lines`, of which the first is the file's third.
    fn judged(lines: &str) -> Option<String> {
        let table = table();
        let rules = "flag\tpti\tyes\tmm/pti.c\n";
        let linux = LinuxRules::parse("linux.tsv", rules, |_| true).expect("rules");
        let models = ["EPYC-v4", "max"].map(str::to_owned).into();
        let known = Known {
            table: &table,
            linux: &linux,
            models: &models,
        };
        let text = format!("[[waiver]]\nname = \"w\"\n{lines}\nexpires = 2030-01-31\n");
        judge(&text, known).err().map(|dead| dead.to_string())
    }

    #[test]
    fn patterns_that_can_match_are_no_error() {
        for lines in [
            "",
            "checks = [\"kvm-*\"]\nlanes = [\"kvm*\"]\nmodels = [\"EPYC*\", \"max,avx=off\", \"host\"]",
            "checks = [\"msrs\"]\nfindings = [\"IA32_SPEC_CTRL\"]",
            "checks = [\"vendor\"]\nfindings = [\"mpx\"]",
            "checks = [\"limits\", \"msrs\"]\nfindings = [\"cr4\"]",
            "checks = [\"migration\"]\nfindings = [\"ext-sig-*\", \"xcr0\", \"readability\"]",
            "checks = [\"linux\"]\nfindings = [\"pti\", \"avx2\"]",
            "findings = [\"whatever a check may say\"]",
        ] {
            assert_eq!(judged(lines), None, "{lines}");
        }
    }

    #[test]
    fn a_pattern_that_can_match_nothing_is_refused_with_its_line() {
        for (lines, expected) in [
            (
                "checks = [\"msrs\", \"msr\"]",
                "line 3: waiver w: checks “msr” matches no check; near to it: msrs, msr-values; correct it or remove it",
            ),
            (
                "\nlanes = [\n  \"tgc\"]",
                "line 5: waiver w: lanes “tgc” matches no lane; near to it: tcg; correct it or remove it",
            ),
            (
                "models = [\"EPYC-v9*\"]",
                "line 3: waiver w: models “EPYC-v9*” matches no model of any recorded release; near to it: EPYC-v4; correct it or remove it",
            ),
            (
                "checks = [\"msrs\"]\nfindings = [\"IA32_PRED_CMD\"]",
                "line 4: waiver w: findings “IA32_PRED_CMD” matches nothing that check msrs finds; correct it or remove it",
            ),
            (
                "checks = [\"vendor\"]\nfindings = [\"avx2\"]",
                "line 4: waiver w: findings “avx2” matches nothing that check vendor finds; correct it or remove it",
            ),
            (
                "checks = [\"feature-words\", \"filtered-features\"]\nfindings = [\"avx3\"]",
                "line 4: waiver w: findings “avx3” matches nothing that a check of the waiver finds; correct it or remove it",
            ),
            (
                "checks = [\"linux\"]\nfindings = [\"ptti\"]",
                "line 4: waiver w: findings “ptti” matches nothing that check linux finds; correct it or remove it",
            ),
        ] {
            assert_eq!(judged(lines).as_deref(), Some(expected));
        }
    }
}
