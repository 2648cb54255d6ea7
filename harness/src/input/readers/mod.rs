//! One file a format; [`READERS`] is the list of all.

use super::reader::Reader;

mod etallen;
mod instlatx64;
mod kcpuid;
mod libcpuid;
mod lines;
mod tycho;
mod x86info;
mod xen;

#[cfg(test)]
mod tests;

/// Every reader.
pub const READERS: &[Reader] = &[
    etallen::READER,
    instlatx64::READER,
    kcpuid::READER,
    libcpuid::READER,
    lines::READER,
    tycho::READER,
    x86info::READER,
    xen::READER,
];
