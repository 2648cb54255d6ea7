//! A migration between two machines: the guest is saved on one, and restored on the other.

use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::end::{Machine, Parts};
use super::journey::instructions;
use super::outcome::{Migrated, Side};
use super::pair::Pair;
use super::way::Stream;
use crate::case::guest::Case;
use crate::case::migration::{Journey, Way};
use crate::util::cancel::Cancel;
use crate::vmm::guest::Options;
use crate::vmm::memory::hexadecimal;
use crate::vmm::start::StartError;

/// A guest that was saved.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Saved {
    /// How far it got, and what it left on the source.
    pub migrated: Migrated,
    /// The stream, as QEMU wrote it; empty where the guest was not saved.
    #[serde(with = "hexadecimal")]
    pub stream: Vec<u8>,
}

impl Saved {
    /// What another machine needs of it.
    #[must_use]
    pub fn stream_alone(&self) -> Saved {
        Saved {
            migrated: Migrated::begun(),
            stream: self.stream.clone(),
        }
    }

    /// Both halves as one migration: how far the second got, and what was left on both sides.
    #[must_use]
    pub fn continued(&self, arrived: Migrated) -> Migrated {
        let left = self.migrated.clone();
        Migrated {
            source: left.source,
            before: left.before,
            statistics: left.statistics,
            elapsed: left.elapsed + arrived.elapsed,
            ..arrived
        }
    }
}

/// The way of a guest between machines.
fn journey() -> Journey {
    Journey {
        way: Way::File,
        ..Journey::default()
    }
}

/// Has the guest of `case` dump, and saves it.
///
/// # Errors
/// QEMU cannot be started, or the kernel refuses RAM, sockets or the file. All that happens later is reported in [`Saved`].
pub fn save(
    case: &Case,
    rom: &Path,
    options: &Options,
    cancel: &Cancel,
) -> Result<Saved, StartError> {
    let run = || -> std::io::Result<Saved> {
        let started = Instant::now();
        let mut stream = Stream::new(&journey())?;
        let mut pair = alone(Side::Source, case, rom, options, &stream, cancel)?;
        let halted = pair.leave(&mut stream).err();
        let bytes = if halted.is_none() {
            stream.bytes()?
        } else {
            Vec::new()
        };
        let mut migrated = pair.finish(halted);
        migrated.elapsed = started.elapsed();
        Ok(Saved {
            migrated,
            stream: bytes,
        })
    };
    run().map_err(|error| StartError::new(case.qemu.path.display(), error))
}

/// Restores a guest from its stream, and has it dump again. `case` is the guest as this machine's QEMU is started for it.
///
/// # Errors
/// As of [`save`].
pub fn restore(
    case: &Case,
    stream: &[u8],
    rom: &Path,
    options: &Options,
    cancel: &Cancel,
) -> Result<Migrated, StartError> {
    let run = || -> std::io::Result<Migrated> {
        let started = Instant::now();
        let stream = Stream::filled(stream)?;
        let mut pair = alone(Side::Destination, case, rom, options, &stream, cancel)?;
        let halted = pair.arrive(&stream, &journey()).err();
        let mut migrated = pair.finish(halted);
        migrated.elapsed = started.elapsed();
        Ok(migrated)
    };
    run().map_err(|error| StartError::new(case.qemu.path.display(), error))
}

/// One side.
fn alone(
    side: Side,
    case: &Case,
    rom: &Path,
    options: &Options,
    stream: &Stream,
    cancel: &Cancel,
) -> std::io::Result<Pair> {
    let file = match side {
        Side::Source => stream.for_source(),
        Side::Destination => stream.for_destination(),
    };
    let parts = Parts {
        case,
        rom,
        config: instructions(case, options, &journey()),
        incoming: side == Side::Destination,
        inherit: file.as_slice(),
        timeout: options.timeout,
    };
    let machine = Machine::start(&parts, cancel)?;
    let (source, destination) = match side {
        Side::Source => (Some(machine), None),
        Side::Destination => (None, Some(machine)),
    };
    Ok(Pair {
        source,
        destination,
        migrated: Migrated::begun(),
        vcpus: case.smp.vcpus(),
        receiving: false,
    })
}
