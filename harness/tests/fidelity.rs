//! The trials: one a CPU model, one a machine type, one a QEMU for the feature table, each a test of its own that
//! `cargo test` and nextest list, filter and run.
//!
//! The verdict is ours: expectation lines compared both ways, with the layer and the command to paste. insta keeps the
//! files: it writes `.snap.new` for `cargo insta review`, and its own output and verdict are off.
//!
//! `CPUID_FIDELITY_PROFILE=nightly` takes the whole matrix, `QEMU=PATH` one binary, `CPUID_FIDELITY_JSON=FILE` appends JSON lines.

use std::process::ExitCode;

use cpuid_fidelity::lanes::Registry;
use libtest_mimic::Arguments;

#[path = "fidelity/trials.rs"]
mod trials;

fn main() -> ExitCode {
    // Inside a lab this very program is /init.
    cpuid_fidelity::host::lab::inside::init_if_inside();
    let arguments = Arguments::from_args();
    if let Err(error) = cpuid_fidelity::util::supervise::supervise(true) {
        eprintln!("error: failed to make the processes that end with this one: {error}");
        return ExitCode::from(3);
    }
    let (trials, files) = match trials::trials(&arguments, Registry::default()) {
        Ok(planned) => planned,
        Err(error) => {
            eprintln!("error: {error:#}");
            return ExitCode::from(2);
        }
    };
    let filtered = arguments.filter.is_some() && !arguments.list;
    let threads = arguments.test_threads.unwrap_or_else(threads);
    let arguments = Arguments {
        test_threads: Some(threads),
        ..arguments
    };
    let conclusion = libtest_mimic::run(&arguments, trials);
    let ran = conclusion.num_passed + conclusion.num_failed;
    if filtered && ran == 0 && conclusion.num_ignored > 0 {
        eprintln!("ERROR nothing was compared: every test that matches was skipped");
        return ExitCode::from(3);
    }
    match trials::recording::write_recorded(&files) {
        Ok(()) => conclusion.exit_code(),
        Err(error) => {
            eprintln!("error: nothing is recorded: {error}");
            ExitCode::from(2)
        }
    }
}

/// Trials at once: two a core. Guests run on the engine's pool, one a core; a trial that waits for a lab, or for a guest that another one
/// boots, keeps none busy.
fn threads() -> usize {
    2 * std::thread::available_parallelism().map_or(1, usize::from)
}
