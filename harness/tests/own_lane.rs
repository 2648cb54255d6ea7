//! A lane that is defined outside the program, in one file ([`lane`]): plan, run, checks, report and the trials of `cargo test` take it.

use std::path::Path;
use std::sync::Arc;

use cpuid_fidelity::case::{Filter, Offers, Qemu};
use cpuid_fidelity::config::{Config, Profile};
use cpuid_fidelity::expectation::Store;
use cpuid_fidelity::lanes::Registry;
use cpuid_fidelity::plan::{self, Inventory};
use cpuid_fidelity::report::shown::Shown;
use cpuid_fidelity::report::styled::Manner;
use cpuid_fidelity::report::summary;
use cpuid_fidelity::results::{Row, Status};
use cpuid_fidelity::run::{Engine, all};
use cpuid_fidelity::util::cancel::Cancel;
use cpuid_fidelity::vmm::Options;
use libtest_mimic::Arguments;

#[path = "own_lane/lane.rs"]
mod lane;
#[path = "fidelity/trials.rs"]
#[allow(dead_code, reason = "what is recorded is not written here")]
mod trials;

fn registry(recorded: &Path, has_definition: bool) -> Registry {
    Registry::default().with(lane::Recorded {
        file: recorded.to_owned(),
        has_definition,
    })
}

fn record() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("harness/tests/records/epyc-milan.json")
}

fn config() -> Config {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    Config::built_in(folder, &folder.join(".cache")).expect("a configuration")
}

/// What a run says of the lane's one trial.
fn results(registry: Registry) -> Vec<Row> {
    let (config, filter) = (config(), only_own());
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
    all(&engine, &references, &|_| ()).concat()
}

#[test]
fn plan_run_checks_and_report_take_it() {
    let results = results(registry(&record(), true));
    let text = summary::plain(
        &Shown::of_rows(&results),
        std::time::Duration::ZERO,
        &Manner::default(),
    );
    assert!(text.contains("recorded"), "{text}");
    let mut changes = results[0].changes.iter();
    assert!(
        changes.any(|change| change.name == "vcpus"),
        "the checks ran: {text}"
    );
}

#[test]
fn a_layer_that_its_checks_need_and_it_does_not_gather_is_an_error() {
    let results = results(registry(&record(), false));
    assert_eq!(results[0].status, Status::Error);
    assert!(
        results[0].reason.contains("has no definition"),
        "{}",
        results[0].reason
    );
}

#[test]
fn the_trials_of_cargo_test_take_it() {
    let (trials, _) =
        trials::trials(&Arguments::default(), registry(&record(), true)).expect("trials");
    let names: Vec<&str> = trials.iter().map(|trial| trial.name()).collect();
    assert!(names.contains(&"recorded/-/-/EPYC-Milan"), "{names:?}");
}

fn only_own() -> Filter {
    Filter {
        lanes: vec![lane::LANE],
        ..Filter::default()
    }
}
