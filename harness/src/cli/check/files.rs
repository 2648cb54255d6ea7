//! `check FILE…`: what files of any format show, judged by every check whose inputs are there; several at once, in parallel.

use anyhow::Context as _;
use cpuid_fidelity::case::{Lane, Topology};
use cpuid_fidelity::check::of_guest::{Compared, Promise, of_guest};
use cpuid_fidelity::check::waivers::Scope;
use cpuid_fidelity::check::{Finding, Layer, Owner, Rules, checked, of_input};
use cpuid_fidelity::evidence::Evidence;
use cpuid_fidelity::host::HostKind;
use cpuid_fidelity::input::{Coverage, Input};
use cpuid_fidelity::report::changes::sentence;
use cpuid_fidelity::report::heading;
use cpuid_fidelity::util::printable::line;
use rayon::prelude::*;
use serde::Serialize;
use serde_json::json;

use super::arguments::{Check, MACHINE};
use crate::cli::common::exit::{NOT_RUN, NotRun, print, print_json, print_line};
use crate::cli::common::feature::features;
use crate::cli::common::subject::{Recorded, named, promised};
use crate::cli::context::Context;

/// One dump of a file, and what was found in it.
#[derive(Debug, Serialize)]
struct Judged {
    /// As it can be named again: `FILE`, `FILE#2`.
    file: String,
    /// `pass`, `fail`, or `unknown` where the file does not say all that was asked for.
    status: &'static str,
    findings: Vec<Finding>,
    /// Promised features of which it says nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unknown: Vec<String>,
    /// Of a record: which guest it is.
    #[serde(skip)]
    heading: String,
    /// What was not compared.
    #[serde(skip_serializing_if = "str::is_empty")]
    remark: &'static str,
}

/// Judges every dump of every file; 0 all as they must be, 1 findings, 3 where a file could not be read or compared.
pub fn run(context: &Context, arguments: &Check) -> anyhow::Result<u8> {
    anyhow::ensure!(
        arguments.guest
            || arguments.cpu.is_none() && arguments.smp.is_none() && arguments.machine.is_none(),
        "a FILE is compared with --cpu, --smp and --machine where --guest says that it is such a guest's"
    );
    let promise = promise(context, arguments)?;
    let judge = |file: &String| of_file(context, arguments.no_waivers, file, promise.as_ref());
    if let [file] = arguments.files.as_slice() {
        let judged = judge(file)?;
        let nothing = judged.iter().any(Result::is_err);
        if let (true, [Err(reason)]) = (nothing, judged.as_slice()) {
            return Err(NotRun(reason.clone()).into());
        }
        return shown(arguments, judged, false);
    }
    let all: Vec<anyhow::Result<Vec<Result<Judged, String>>>> =
        arguments.files.par_iter().map(judge).collect();
    let mut judged = Vec::new();
    for file in all {
        match file {
            Ok(dumps) => judged.extend(dumps),
            Err(error) => judged.push(Err(format!("{error:#}"))),
        }
    }
    shown(arguments, judged, true)
}

/// What `--guest` says was promised.
fn promise(context: &Context, arguments: &Check) -> anyhow::Result<Option<Promise>> {
    let Some(cpu) = arguments.cpu.as_deref().filter(|_| arguments.guest) else {
        return Ok(None);
    };
    // QEMU takes no other names so; what is set with `=` may be no feature.
    let flags = cpu.split(',').skip(1);
    for name in flags.filter_map(|flag| flag.strip_prefix(['+', '-'])) {
        features(&context.store, name)?;
    }
    let machine = arguments.machine.as_deref().unwrap_or(MACHINE);
    let recorded = Recorded {
        release: arguments.release.as_deref(),
        machine: Some(machine),
        lane: None,
    };
    let (release, promised) = promised(context, cpu, &recorded)?;
    Ok(Some(Promise {
        release,
        machine: machine.to_owned(),
        cpu: cpu.to_owned(),
        smp: arguments.smp.clone().unwrap_or_else(Topology::single),
        promised,
    }))
}

/// Of each dump of a file what was found, or why nothing was compared.
fn of_file(
    context: &Context,
    no_waivers: bool,
    file: &str,
    promise: Option<&Promise>,
) -> anyhow::Result<Vec<Result<Judged, String>>> {
    let inputs = named(context, file, &Recorded::default())?.inputs;
    let several = inputs.len() > 1;
    let judge = |(number, input): (usize, &Input)| {
        let name = if several {
            format!("{file}#{number}")
        } else {
            file.to_owned()
        };
        let found = compared(context, no_waivers, input, promise).with_context(|| name.clone())?;
        let nothing = format!("nothing was compared: {name} has no answer of CPUID");
        let found = found.ok_or(nothing);
        Ok(found.map(|Compared { findings, unknown }| Judged {
            file: name,
            status: match (findings.as_slice(), unknown.as_slice()) {
                ([], []) => "pass",
                ([], _) => "unknown",
                _ => "fail",
            },
            findings,
            unknown,
            heading: heading(input),
            remark: remark(input),
        }))
    };
    (1..).zip(&inputs).map(judge).collect()
}

fn compared(
    context: &Context,
    no_waivers: bool,
    input: &Input,
    promise: Option<&Promise>,
) -> anyhow::Result<Option<Compared>> {
    let store = &context.store;
    if let Some(record) = &input.record {
        anyhow::ensure!(
            promise.is_none(),
            "a record says which guest it is of, and what that was promised: --guest goes with dumps"
        );
        let rules = Rules {
            table: &store.table,
            linux: Some(&store.linux),
            behaviour: Some(&store.behaviour),
        };
        let found = checked(record, rules).map_err(|lacking| NotRun(lacking.to_string()))?;
        let findings = if no_waivers {
            found
        } else {
            left(context, record, found)
        };
        return Ok(Some(Compared {
            findings,
            unknown: Vec::new(),
        }));
    }
    let owner = if promise.is_some() {
        Owner::Guest
    } else {
        Owner::Unknown
    };
    let Some(mut findings) = of_input(input, owner, &store.table) else {
        return Ok(None);
    };
    let of_guest = promise.map(|promise| of_guest(input, promise, &store.table));
    let of_guest = of_guest.unwrap_or_default();
    findings.extend(of_guest.findings);
    Ok(Some(Compared {
        findings,
        unknown: of_guest.unknown,
    }))
}

/// What was not compared, for it is not there.
fn remark(input: &Input) -> &'static str {
    match input.coverage {
        Coverage::Excerpt | Coverage::Names => {
            "it is an excerpt, and what it leaves out was not compared"
        }
        Coverage::Whole | Coverage::WithoutZeroes => "",
    }
}

/// Which guest a record is of.
fn heading(input: &Input) -> String {
    let record = input.record.as_ref().map(|record| &record.case);
    let comments = record.map(|case| heading::comments(&heading::recorded(case), case.lane));
    comments.unwrap_or_default()
}

/// What no waiver covers.
fn left(context: &Context, record: &Evidence, found: Vec<Finding>) -> Vec<Finding> {
    let case = &record.case;
    let label = format!("qemu-{}", case.qemu);
    let in_lab = record.host.as_deref().filter(|_| case.lane == Lane::LAB);
    let emulated = in_lab.map(HostKind::of_layer);
    let scope = Scope {
        lane: case.lane.name(),
        qemu: &label,
        machine: &case.machine,
        cpu: &case.cpu,
        smp: &case.smp,
        case: "",
        host: emulated.as_ref(),
    };
    context.store.waivers.cover(&scope, &found).left
}

fn shown(
    arguments: &Check,
    judged: Vec<Result<Judged, String>>,
    several: bool,
) -> anyhow::Result<u8> {
    let several = several || judged.len() > 1;
    let (mut failed, mut unread) = (false, false);
    for dump in judged {
        match dump {
            Err(reason) => {
                note!("ERROR {reason}");
                if arguments.json {
                    print_json(&json!({"status": "error", "reason": reason}).to_string());
                }
                unread = true;
            }
            Ok(dump) => {
                failed |= !dump.findings.is_empty();
                unread |= !dump.unknown.is_empty();
                if arguments.json {
                    print_json(&serde_json::to_string(&dump)?);
                } else {
                    print_dump(&dump, several);
                }
            }
        }
    }
    Ok(if unread { NOT_RUN } else { u8::from(failed) })
}

/// A line a finding, with the file's name where there are several; or that there is none.
fn print_dump(dump: &Judged, several: bool) {
    print(&dump.heading);
    if !dump.unknown.is_empty() {
        let (file, count) = (&dump.file, dump.unknown.len());
        let names = dump.unknown.join(" ");
        print_line(&format!(
            "UNKNOWN {file}: it says nothing of {count} that were promised: {names}"
        ));
    } else if dump.findings.is_empty() {
        let remark = match dump.remark {
            "" => String::new(),
            remark => format!(": {remark}"),
        };
        print_line(&format!("PASS {}{remark}", dump.file));
    }
    let of_file = if several {
        format!("{}: ", dump.file)
    } else {
        String::new()
    };
    let lines = dump.findings.iter().map(|finding| {
        let layer = match finding.layer {
            Layer::Unknown => String::new(),
            _ => format!(" (layer: {})", finding.layer),
        };
        let shown = format!("FAIL {of_file}{}{layer}", sentence(finding));
        format!("{}\n", line(&shown))
    });
    print(&lines.collect::<String>());
}
