//! A migration on one machine, from the start of both QEMUs to their ends.

use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::Instant;

use super::end::{Machine, Parts};
use super::outcome::Migrated;
use super::pair::Pair;
use super::way::Stream;
use crate::case::guest::Case;
use crate::case::migration::Journey;
use crate::util::cancel::Cancel;
use crate::vmm::guest::{Options, mailbox};
use crate::vmm::start::StartError;
use fidelity_protocol::config::{Config, FLAG_MARK, FLAG_WAIT};
use fidelity_protocol::frame::Phase;

/// Migrates the guest of `from` to `to`, which differ in their QEMU.
///
/// # Errors
/// A QEMU cannot be started, or the kernel refuses RAM, sockets or the file. All that happens later is reported in [`Migrated`].
pub fn migrate(
    from: &Case,
    to: &Case,
    rom: &Path,
    options: &Options,
    journey: &Journey,
    cancel: &Cancel,
) -> Result<Migrated, StartError> {
    run(from, to, rom, options, journey, cancel).map_err(|error| {
        let qemus = [from, to].map(|case| case.qemu.path.display().to_string());
        let file = journey.file.as_ref();
        let file = file.map_or_else(String::new, |file| format!(" with {}", file.display()));
        StartError::new(qemus.join(" and ") + &file, error)
    })
}

fn run(
    from: &Case,
    to: &Case,
    rom: &Path,
    options: &Options,
    journey: &Journey,
    cancel: &Cancel,
) -> std::io::Result<Migrated> {
    let started = Instant::now();
    let mut stream = Stream::new(journey)?;
    let config = instructions(from, options, journey);
    let start = |case, incoming, inherit: Option<BorrowedFd<'_>>| {
        let parts = Parts {
            case,
            rom,
            config,
            incoming,
            inherit: inherit.as_slice(),
            timeout: options.timeout,
        };
        Machine::start(&parts, cancel)
    };
    // At once: the destination comes up while the guest still dumps on the source.
    let mut pair = Pair {
        source: Some(start(from, false, stream.for_source())?),
        destination: Some(start(to, true, stream.for_destination())?),
        migrated: Migrated::begun(),
        vcpus: from.smp.vcpus(),
        receiving: false,
    };
    stream.handed_over();
    let halted = pair.travel(&mut stream, journey).err();
    let ended = stream.end();
    let mut migrated = pair.finish(halted);
    ended?;
    migrated.elapsed = started.elapsed();
    Ok(migrated)
}

/// What the agent is asked for: it waits after its dump, has made some state its own, and there is room for one more vCPU.
pub(super) fn instructions(case: &Case, options: &Options, journey: &Journey) -> Config {
    let mut config = mailbox(case, options);
    config.flags |= FLAG_WAIT | FLAG_MARK;
    // What a guest shows before and after is compared: it only looks.
    config.phases &= !Phase::Behaviour.bit();
    config.slots += u32::from(journey.plug);
    config
}
