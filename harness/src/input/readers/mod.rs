//! One file a format; [`READERS`] is the list of all.

use super::reader::Reader;

mod etallen;

/// Every reader.
pub const READERS: &[Reader] = &[
    etallen::READER, //
];
