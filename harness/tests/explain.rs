//! Every feature × `-cpu` arguments × lanes: what `explain` says, and what the guest shows, never contradict.
//!
//! A guest is booted once, and all features are judged from what was gathered of it ([`guests`]); of each kind of cause one is undone, and
//! the guest looked at again ([`cells`]). `cargo test` takes a tenth of the guests; `cargo test --test explain -- --include-ignored` all,
//! which `make nightly` does. The number of cells is printed.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cpuid_fidelity::host::lab::inside::init_if_inside;
use libtest_mimic::{Arguments, Trial};

#[allow(dead_code, reason = "each test program needs another part of it")]
#[allow(unused_macros, reason = "each test program needs another part of it")]
#[path = "support/require.rs"]
mod require;

#[path = "explain/cells.rs"]
mod cells;
#[path = "explain/guests.rs"]
mod guests;

fn main() -> ExitCode {
    // Inside a lab this very program is /init.
    init_if_inside();
    let arguments = Arguments::from_args();
    let tally = Arc::new(cells::Tally::default());
    let judged = Arc::new(AtomicUsize::new(0));
    let trials = guests::all().into_iter().map(|guest| {
        let judged = Arc::clone(&judged);
        let (name, in_tenth, tally) = (guest.name(), guest.in_tenth, Arc::clone(&tally));
        let trial = Trial::test(name, move || {
            cells::judge(&guest, &tally)?;
            judged.fetch_add(1, Ordering::Relaxed);
            Ok(())
        });
        trial.with_ignored_flag(!in_tenth)
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    if !arguments.list {
        println!("{tally}");
    }
    // Every guest that passed showed something: a matrix without cells, or in which nothing is lost, proves nothing.
    let ran = judged.load(Ordering::Relaxed) > 0 && guests::bench().is_some();
    if ran && !tally.shows_both() {
        eprintln!("the guests that were judged show no feature, or lose none");
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}
