//! The rules of the architecture over every definition and every TCG guest that expectations hold: what they find there is true, and a waiver
//! says where it is explained.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use cpuid_fidelity::case::Accelerator;
use cpuid_fidelity::check::groups::{Groups, Models, Sets, shifted};
use cpuid_fidelity::check::waivers::Scope;
use cpuid_fidelity::check::{Finding, Waivers, architecture, self_consistency};
use cpuid_fidelity::cpuid::dump::Dump;
use cpuid_fidelity::cpuid::parse::{self, parse_masked};
use cpuid_fidelity::cpuid::table::Table;
use cpuid_fidelity::expectation::whole::compared_models;
use cpuid_fidelity::expectation::{Expected, Files};
use cpuid_fidelity::host::HostKind;
use rayon::prelude::*;

use super::{records, require::root, table};

/// Waivers that cover something in what is recorded.
const USED: [&str; 12] = [
    "avx10-version-0-in-10.0",
    "cache-leaves-without-topoext",
    "compacted-xsave-size-without-xsavec",
    "diamondrapids-1eh-without-maximum",
    "forced-compacted-xsave-size",
    "forced-features-without-their-state",
    "hypervisor-leaves-of-base",
    "icelake-client-avx512-without-its-foundation",
    "leaf-4-contradicts-80000006h",
    "monitor-without-the-size-of-its-line",
    "tcg-state-without-features",
    "virt-bits-of-32-bit-models",
];

/// Waivers that cover something on older machine types alone.
const USED_BY_MACHINES: [&str; 2] = [
    "l3-cache-off-leaves-l3-in-8000001dh",
    "old-machine-types-cut-the-leaf-of-svm",
];

/// What expectation files say of a CPU model.
struct Recorded {
    lane: &'static str,
    qemu: String,
    machine: String,
    model: String,
    text: String,
}

impl Recorded {
    /// `None` where the file is not a model's.
    fn read(path: &str, files: &Files) -> Option<Recorded> {
        let (qemu, rest) = path.split_once('/')?;
        let (folder, file) = rest.split_once('/')?;
        let lane = match folder {
            "models" => "definition",
            "tcg" => "tcg",
            _ => return None,
        };
        if !qemu.starts_with("qemu-") {
            return None;
        }
        let Ok(Expected::Text(text)) = files.expectation(Path::new(path)) else {
            panic!("{path} cannot be read");
        };
        let model = file.strip_suffix(".snap").expect("a snapshot").to_owned();
        Some(Recorded {
            lane,
            qemu: qemu.to_owned(),
            machine: qemu.replace("qemu-", "pc-q35-"),
            model,
            text,
        })
    }

    /// The same guest of another machine type, whose file has these groups.
    fn on_machine(&self, machine: &str, groups: &Groups) -> Recorded {
        let lines = parse::lines(&self.text).expect("lines");
        let lines = shifted(&lines, &groups.changes(&self.model));
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        Recorded {
            lane: self.lane,
            qemu: self.qemu.clone(),
            machine: machine.to_owned(),
            model: self.model.clone(),
            text: lines.join("\n"),
        }
    }

    /// What no waiver explains, a line each, and the waivers that explain the rest.
    fn judged(&self, waivers: &Waivers) -> (Vec<String>, BTreeSet<String>) {
        let name = self.name();
        let scope = Scope {
            lane: self.lane,
            qemu: &self.qemu,
            machine: &self.machine,
            cpu: &self.model,
            smp: "1",
            case: &name,
            host: None,
        };
        let covered = waivers.cover(&scope, &found(&self.dump()));
        let left = covered.left.iter();
        let left = left.map(|finding| format!("{name}: {}", line(finding)));
        (left.collect(), covered.waivers)
    }

    fn dump(&self) -> Dump {
        parse_masked(&self.text).expect("a dump")
    }

    /// The same with ones where a value is masked.
    fn unmasked(&self) -> Dump {
        let unmask = |line: &str| match line.split_once(" = <") {
            Some((field, _)) => format!("{field} = 1"),
            None => line.to_owned(),
        };
        let lines: Vec<String> = self.text.lines().map(unmask).collect();
        parse_masked(&lines.join("\n")).expect("a dump")
    }

    fn name(&self) -> String {
        format!(
            "{}/{}/{}/{}",
            self.lane, self.qemu, self.machine, self.model
        )
    }
}

fn recorded() -> Vec<Recorded> {
    let files = Files::new(&root().join("expectations"));
    let known = files.known();
    let all = known.iter().filter_map(|path| Recorded::read(path, &files));
    all.collect()
}

fn waivers() -> Waivers {
    let text = std::fs::read_to_string(root().join("expectations/waivers.toml"));
    let host = HostKind::default();
    Waivers::parse(&text.expect("waivers.toml"), &host, (2026, 1, 1)).expect("waivers")
}

/// Reading it takes longer than all rules.
static TABLE: LazyLock<Table> = LazyLock::new(table);

fn found(dump: &Dump) -> Vec<Finding> {
    architecture::all(dump, Accelerator::Tcg, &TABLE)
}

fn line(finding: &Finding) -> String {
    let (check, name, place) = (&finding.check, &finding.name, &finding.place);
    format!(
        "{check}: {} {name} at {place}: {}; {}",
        finding.kind.name(),
        finding.expected,
        finding.actual
    )
}

#[test]
fn rules_find_nothing_in_what_is_recorded_but_what_waivers_explain() {
    let (waivers, all) = (waivers(), recorded());
    assert!(all.len() >= 945, "{} files", all.len());
    let judged = all.par_iter().map(|recorded| recorded.judged(&waivers));
    let judged: Vec<(Vec<String>, BTreeSet<String>)> = judged.collect();
    let left: Vec<&String> = judged.iter().flat_map(|(left, _)| left).collect();
    assert!(left.is_empty(), "{left:#?}");
    let used = judged.iter().flat_map(|(_, used)| used);
    let used: BTreeSet<&str> = used.map(String::as_str).collect();
    assert_eq!(used, BTreeSet::from(USED));
}

/// Every how manieth model of a machine type is looked at; each file starts at another one.
const EVERY: usize = 8;

#[test]
fn rules_find_nothing_on_older_machine_types_but_what_waivers_explain() {
    let (waivers, all) = (waivers(), recorded());
    let folder = root().join("expectations");
    let files = Files::new(&folder);
    let sets = std::fs::read_to_string(folder.join("sets.toml")).expect("sets.toml");
    let (sets, known) = (Sets::parse(&sets).expect("sets"), files.known());
    let machines = known.iter().filter(|path| path.contains("/machines/"));
    let machines: Vec<(usize, &String)> = machines.enumerate().collect();
    assert!(machines.len() >= 195, "{} files", machines.len());
    let judged = machines.par_iter().flat_map_iter(|(at, path)| {
        let (qemu, file) = path.split_once("/machines/").expect("a release");
        let machine = file.strip_suffix(".snap").expect("a snapshot");
        let models = Models::new(compared_models(qemu, known), &sets);
        let text = match files.expectation(Path::new(path)) {
            Ok(Expected::Text(text)) => text,
            other => panic!("{path}: {other:?}"),
        };
        let groups = Groups::parse(&text, &models).expect("groups");
        let definitions = all
            .iter()
            .filter(move |one| one.lane == "definition" && one.qemu == qemu);
        let chosen = definitions.skip(at % EVERY).step_by(EVERY);
        let judged = chosen.map(|one| one.on_machine(machine, &groups).judged(&waivers));
        judged.collect::<Vec<_>>()
    });
    let judged: Vec<(Vec<String>, BTreeSet<String>)> = judged.collect();
    let left: Vec<&String> = judged.iter().flat_map(|(left, _)| left).collect();
    assert!(left.is_empty(), "{left:#?}");
    for waiver in USED_BY_MACHINES {
        let mut used = judged.iter().map(|(_, used)| used);
        assert!(used.any(|used| used.contains(waiver)), "{waiver} is unused");
    }
}

#[test]
fn no_rule_makes_anything_of_a_masked_value() {
    let all = recorded();
    let of_release = all
        .par_iter()
        .filter(|recorded| recorded.qemu == "qemu-11.1");
    let differ =
        of_release.filter(|recorded| found(&recorded.dump()) != found(&recorded.unmasked()));
    assert_eq!(
        differ.map(Recorded::name).collect::<Vec<_>>(),
        Vec::<String>::new()
    );
}

/// All checks over one dump, the slowest of the records: the best of several times, for the machine does something else as well.
/// `cargo test --release --test replay checks_of_one -- --nocapture` prints it.
#[test]
fn checks_of_one_guest_take_little_time() {
    const TIMES: u32 = 40;
    let run_as = cpuid_fidelity::case::Lane::TCG.run_as();
    let fastest = |work: &dyn Fn() -> Vec<Finding>| {
        let times = (0..TIMES).map(|_| {
            let started = Instant::now();
            std::hint::black_box(work());
            started.elapsed()
        });
        times.min().unwrap_or_default()
    };
    let mut slowest = (Duration::ZERO, String::new());
    for (name, record) in records() {
        let own = fastest(&|| self_consistency::all(&record, run_as, &TABLE));
        let rules = fastest(&|| architecture::all(&record, run_as.accelerator, &TABLE));
        println!("{name}: {own:?} and {rules:?} for the rules of the architecture");
        slowest = slowest.max((own + rules, name));
    }
    // What is promised is 2 ms in a release build.
    assert!(slowest.0 < Duration::from_millis(10), "{slowest:?}");
}
