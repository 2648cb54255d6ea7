//! A guest that is saved in one place and restored in another, as `fleet --lab` moves it between emulated hosts: here both are this machine.

use std::time::Duration;

use cpuid_fidelity::case::{Case, Lane};
use cpuid_fidelity::config::Config;
use cpuid_fidelity::expectation::Store;
use cpuid_fidelity::results::migration::Outcome;
use cpuid_fidelity::run::Engine;
use cpuid_fidelity::run::migrate::between::{Moved, moved};
use cpuid_fidelity::util::cancel::Cancel;
use cpuid_fidelity::vmm::Options;
use cpuid_fidelity::vmm::migrate::Saved;

use super::world::World;

struct Machines {
    world: World,
    engine: Engine,
}

impl Machines {
    fn new() -> Option<Machines> {
        let world = World::new(&[], &[])?;
        let config = Config::read(&world.path("fidelity.toml")).expect("the configuration");
        let store = Store::open(&config).expect("the tables");
        let options = Options {
            timeout: Duration::from_secs(60),
            ..Options::default()
        };
        let engine = Engine::new(store, options, 1, Cancel::new().expect("an eventfd"));
        Some(Machines {
            world,
            engine: engine.expect("an engine"),
        })
    }

    fn guest(&self, cpu: &str) -> Case {
        Case::new(&self.world.offers(), Lane::TCG, "q35", cpu)
    }

    fn saved(&self, cpu: &str) -> Saved {
        self.engine.bench.save(&self.guest(cpu)).expect("a QEMU")
    }

    fn moved(&self, saved: &Saved, cpu: &str) -> Moved {
        moved(&self.engine, &self.guest(cpu), saved)
    }
}

#[test]
fn a_guest_arrives_as_it_left_or_it_is_reported() {
    let machines = or_skip!(Machines::new());
    let saved = machines.saved("EPYC-v1");
    assert!(
        (100_000..2_000_000).contains(&saved.stream.len()),
        "what travels between emulated hosts is small: {} bytes",
        saved.stream.len()
    );
    let clean = machines.moved(&saved, "EPYC-v1");
    assert_eq!(
        (clean.outcome, clean.details),
        (Some(Outcome::Clean), vec![])
    );
    let changed = machines.moved(&saved, "EPYC-v1,-avx2");
    assert_eq!(changed.outcome, Some(Outcome::Changed));
    let lost = "lost avx2 CPUID.07H.00H:EBX[5]: avx2 → ".to_owned();
    assert!(changed.details.contains(&lost), "{:?}", changed.details);
    // The same guest may arrive anywhere, as often as it is wanted.
    assert_eq!(
        machines.moved(&saved, "EPYC-v1").outcome,
        Some(Outcome::Clean)
    );
}

#[test]
fn a_stream_that_is_cut_and_a_guest_that_never_left_are_no_arrivals() {
    let machines = or_skip!(Machines::new());
    let mut saved = machines.saved("EPYC-v1");
    saved.stream.truncate(saved.stream.len() / 2);
    let cut = machines.moved(&saved, "EPYC-v1");
    assert_eq!(cut.outcome, Some(Outcome::Failed), "{:?}", cut.details);
    let refused = machines.saved("EPYC-v1,no-such-feature=on");
    assert!(refused.stream.is_empty());
    let never = machines.moved(&refused, "EPYC-v1");
    assert_eq!(never.outcome, Some(Outcome::Refused));
    let reason = &never.details[0];
    assert!(
        reason.starts_with("refused before start by the source: ")
            && reason.contains("no-such-feature"),
        "{reason}"
    );
}
