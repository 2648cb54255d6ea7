//! Mutants of what probes gave: each answer of the agent, turned into every other one.

use cpuid_fidelity::check::behaviour::{Facts, Ground};
use cpuid_fidelity::check::behaviour::{Judged, Verdict, deviations, findings, judge};
use cpuid_fidelity::cpuid::behaviour::{Token, Tried};
use cpuid_fidelity::cpuid::dump::Dump;
use cpuid_fidelity::cpuid::probes::{Probe, named};
use cpuid_fidelity::cpuid::user_probes;
use cpuid_fidelity::evidence::Evidence;
use fidelity_protocol::frame::Phase;

use super::Tables;
use super::dump::Mutant;
use super::tally::{Suite, Tally};

/// Dumps with a phase of behaviour, by QEMU 11.1.
pub const RECORDS: [&str; 3] = [
    "behaviour/tcg-486",
    "behaviour/tcg-EPYC-Milan-v3",
    "behaviour/definition-SapphireRapids-v2",
];

/// `bare` is the evidence of any guest of QEMU 11.1 under TCG, without layers.
pub fn answers(tables: &Tables, name: &str, record: &Dump, bare: &Evidence) -> Tally {
    let facts = &tables.behaviour;
    let evidence = |dump: &Dump| Evidence {
        guest: dump.clone(),
        ..bare.clone()
    };
    let all = |dump: &Dump| findings(&evidence(dump), facts, &tables.names);
    let excused = |dump: &Dump| {
        let changed = changed(record, dump)?;
        let ground = Ground::running(&evidence(dump));
        let judged = judge(dump, ground.as_ref(), facts, &tables.names);
        let judged = judged.iter().find(|judged| judged.probe.name == changed);
        excuse(judged)
    };
    Suite {
        check: "behaviour",
        of: name,
        record,
        mutants: flipped(record),
        findings: &all,
        excused: &excused,
    }
    .run(tables.every)
}

/// A Linux guest on `max` of QEMU 10.0, whose user space tried what its kernel shows; other layers and most texts are left out.
pub const LINUX: &str = "behaviour/linux-6.12-max";

/// The same of user space of a Linux guest.
pub fn in_user_space(tables: &Tables, name: &str, record: &Evidence) -> Tally {
    let facts = &tables.behaviour;
    let evidence = |dump: &Dump| Evidence {
        guest: dump.clone(),
        ..record.clone()
    };
    let all = |dump: &Dump| findings(&evidence(dump), facts, &tables.names);
    let excused = |dump: &Dump| {
        let changed = changed(&record.guest, dump)?;
        let deviating = deviations(&evidence(dump), facts, &tables.names)?;
        let found = deviating.iter().find(|found| found.probe == changed);
        let probe = named(&changed)?;
        let token = Token(Some(probe), answers_of(dump)[&changed]).to_string();
        let is_good = user_probes::answers(probe).contains(&token.as_str());
        match found.map(|found| found.verdict) {
            None if is_good => {
                Some("the table has this answer beside the one that was given".to_owned())
            }
            Some(Verdict::Hole | Verdict::Other | Verdict::Closed) => {
                Some("the kernel shows no flag of it, and what it does is listed".to_owned())
            }
            _ => None,
        }
    };
    Suite {
        check: "behaviour",
        of: name,
        record: &record.guest,
        mutants: flipped(&record.guest),
        findings: &all,
        excused: &excused,
    }
    .run(tables.every)
}

fn answers_of(dump: &Dump) -> &std::collections::BTreeMap<String, Tried> {
    &dump.vcpus[0].phases[&Phase::Behaviour].tried
}

/// The probe in which two dumps differ.
fn changed(record: &Dump, dump: &Dump) -> Option<String> {
    let before = answers_of(record);
    let mut differing = answers_of(dump)
        .iter()
        .filter(|(name, now)| before.get(*name) != Some(now));
    differing.next().map(|(name, _)| name.clone())
}

/// Why another answer is as good, from the tables of probes and of facts.
fn excuse(judged: Option<&Judged<'_>>) -> Option<String> {
    let Some(judged) = judged else {
        return Some(
            "CPUID announces it without what it needs, or it may be a NOP where it is hidden"
                .to_owned(),
        );
    };
    let token = judged.token.as_str();
    let by_table = match judged.fact {
        Some(fact) => fact.answers.iter().any(|answer| answer == token),
        None => judged.probe.answer.contains(&token) || judged.probe.refusal.contains(&token),
    };
    by_table.then(|| "the tables have this answer beside the one that was given".to_owned())
}

fn flipped(record: &Dump) -> Vec<Mutant<'_>> {
    let mut mutants = Vec::new();
    for (name, tried) in answers_of(record) {
        let Some(probe) = named(name) else { continue };
        for other in others(probe, *tried) {
            mutants.push(Mutant::new(
                format!("{name} is {other:?}"),
                move |dump: &mut Dump| {
                    let phase = dump.vcpus[0].phases.get_mut(&Phase::Behaviour);
                    phase.expect("a phase").tried.insert(name.clone(), other);
                },
            ));
        }
    }
    mutants
}

/// What it might have given instead: it works, or raises one of the usual exceptions.
fn others(probe: &Probe, tried: Tried) -> Vec<Tried> {
    let works = probe
        .answer
        .iter()
        .filter_map(|answer| Tried::read(Some(probe), answer));
    let size = (probe.kind == "size").then_some(Tried::Value(1 << 20));
    let faults = [6, 13, 14].map(Tried::Fault);
    let all = works.chain(size).chain(faults);
    all.filter(|other| *other != tried && tried != Tried::NotTried)
        .collect()
}

/// The table of facts, as the suites read it.
pub fn facts(text: &str, names: &cpuid_fidelity::cpuid::table::Table) -> anyhow::Result<Facts> {
    Ok(Facts::parse(text, names)?)
}
