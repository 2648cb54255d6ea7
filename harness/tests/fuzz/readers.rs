//! The readers of data from outside, by where the data comes from.

use crate::execute::Reader;

mod configuration;
mod expectations;
mod guest;
mod images;
mod inputs;
mod kernels;
mod libvirt;
mod names;
mod qemu;
mod records;
mod results;
mod seeds;
mod tables;

/// All of them.
pub fn all() -> impl Iterator<Item = Reader> {
    let rooms = [
        guest::READERS,
        expectations::READERS,
        tables::READERS,
        records::READERS,
        results::READERS,
        configuration::READERS,
        libvirt::READERS,
        qemu::READERS,
        kernels::READERS,
        inputs::READERS,
        names::READERS,
    ];
    rooms.into_iter().flatten().copied()
}
