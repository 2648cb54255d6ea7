//! A lane that is defined outside the program, in one file ([`lane`]): plan, run, checks, report and the trials of `cargo test` take it.

use std::path::Path;
use std::sync::Arc;

use cpuid_fidelity::case::{Filter, Offers, Qemu};
use cpuid_fidelity::config::{Config, Profile};
use cpuid_fidelity::expectation::Store;
use cpuid_fidelity::lanes::Registry;
use cpuid_fidelity::plan::{self, Inventory};
use cpuid_fidelity::report::summary;
use cpuid_fidelity::run::{Engine, all};
use cpuid_fidelity::util::cancel::Cancel;
use cpuid_fidelity::vmm::Options;
use libtest_mimic::Arguments;

#[path = "own_lane/lane.rs"]
mod lane;
#[path = "fidelity/trials.rs"]
#[allow(dead_code, reason = "what is recorded is not written here")]
mod trials;

fn registry(recorded: &Path) -> Registry {
    Registry::default().with(lane::Recorded {
        file: recorded.to_owned(),
    })
}

fn record() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("harness/tests/records/epyc-milan.json")
}

fn config() -> Config {
    Config::built_in(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("a configuration")
}

#[test]
fn plan_run_checks_and_report_take_it() {
    let (registry, config, filter) = (registry(&record()), config(), only_own());
    let inventory = Inventory {
        qemus: vec![Arc::new(Qemu {
            path: "/nonexistent/qemu".into(),
            label: "qemu-10.0".to_owned(),
            offers: Arc::new(Offers::default()),
        })],
        ..Inventory::default()
    };
    let trials = plan::plan(&registry, &inventory, &config, Profile::Default, &filter);
    let trials = trials.expect("a plan");
    let names: Vec<&str> = trials.iter().map(|trial| trial.name.as_str()).collect();
    assert_eq!(names, ["recorded/-/-/EPYC-Milan"]);
    let store = Store::open(&config).expect("tables");
    let cancel = Cancel::new().expect("an eventfd");
    let mut engine = Engine::new(store, Options::default(), 1, cancel).expect("an engine");
    engine.registry = registry;
    let references: Vec<_> = trials.iter().collect();
    let results = all(&engine, &references, &|_| ()).concat();
    let text = summary::run(&results, std::time::Duration::ZERO);
    assert!(text.contains("recorded"), "{text}");
    assert_eq!(results[0].changes.len(), 1, "the checks ran: {text}");
    assert_eq!(results[0].changes[0].name, "vcpus");
}

#[test]
fn the_trials_of_cargo_test_take_it() {
    let (trials, _) = trials::trials(&Arguments::default(), registry(&record())).expect("trials");
    let names: Vec<&str> = trials.iter().map(|trial| trial.name()).collect();
    assert!(names.contains(&"recorded/-/-/EPYC-Milan"), "{names:?}");
}

fn only_own() -> Filter {
    Filter {
        lanes: vec![lane::LANE],
        ..Filter::default()
    }
}
