//! Compressed kernels and modules: gzip, xz, zstd and lz4, as `CONFIG_KERNEL_*` and `CONFIG_MODULE_COMPRESS_*` make them.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::util::open;
use crate::util::os_error::OsError;

/// How something is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// xz.
    Xz,
    /// zstd.
    Zstd,
    /// LZ4's legacy frame, which the kernel's build makes.
    Lz4,
}

/// What may stand behind the first compressed stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behind {
    /// Further streams, which belong to it.
    Streams,
    /// Anything; it is ignored.
    Anything,
}

/// Why something cannot be unpacked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnpackError {
    /// It starts like no compression known here.
    #[error("unknown compression, it starts with {}; gzip, xz, zstd and lz4 are known", hexadecimal(.0))]
    Unknown([u8; 4]),
    /// There are fewer than four bytes.
    #[error("it is empty")]
    Empty,
    /// It does not hold what it should; the text is the decoder's.
    #[error("{0}")]
    Decoder(String),
    /// A block is shorter than its own size says.
    #[error("an lz4 block is cut")]
    Cut,
    /// More comes out of it than a kernel or module can have.
    #[error("more than {0} MiB come out of it")]
    TooMuch(u64),
}

fn hexadecimal(bytes: &[u8]) -> String {
    let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(" ")
}

/// Why a file cannot be unpacked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackedError {
    /// It cannot be read.
    #[error("failed to read {path}: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: OsError,
    },
    /// Its name ends with something that is no compression known here.
    #[error("{path}: unknown compression “{extension}”; .gz, .xz and .zst are known")]
    Unknown {
        /// The file.
        path: PathBuf,
        /// Behind the last dot.
        extension: String,
    },
    /// It does not hold what its name says.
    #[error("{path}: failed to unpack: {error}")]
    Broken {
        /// The file.
        path: PathBuf,
        /// Why.
        error: UnpackError,
    },
}

/// No kernel module is larger, in MiB: what unpacks to more is no module.
const LARGEST_MODULE: u64 = 256;
/// No kernel is larger, in MiB.
const LARGEST_KERNEL: u64 = 1024;

impl Packing {
    /// The compression that the name of a module stands for: `kvm.ko.xz`. `None` where it is none known here.
    pub fn from_name(path: &Path) -> Option<Packing> {
        match path.extension().and_then(OsStr::to_str) {
            None | Some("ko") => Some(Packing::None),
            Some("gz") => Some(Packing::Gzip),
            Some("xz") => Some(Packing::Xz),
            Some("zst") => Some(Packing::Zstd),
            Some(_) => None,
        }
    }

    /// The compression whose first bytes these are.
    fn from_magic(bytes: &[u8]) -> Result<Packing, UnpackError> {
        Ok(match bytes {
            [0x1F, 0x8B, ..] => Packing::Gzip,
            [0xFD, b'7', b'z', b'X', b'Z', ..] => Packing::Xz,
            [0x28, 0xB5, 0x2F, 0xFD, ..] => Packing::Zstd,
            [0x02, 0x21, 0x4C, 0x18, ..] => Packing::Lz4,
            [0x7F, b'E', b'L', b'F', ..] => Packing::None,
            [a, b, c, d, ..] => return Err(UnpackError::Unknown([*a, *b, *c, *d])),
            _ => return Err(UnpackError::Empty),
        })
    }

    /// What comes out of `bytes`; not more than `limit` MiB.
    fn unpack(self, bytes: &[u8], behind: Behind, limit: u64) -> Result<Vec<u8>, UnpackError> {
        match (self, behind) {
            (Packing::None, _) => Ok(bytes.to_vec()),
            (Packing::Gzip, Behind::Streams) => {
                all(flate2::read::MultiGzDecoder::new(bytes), limit)
            }
            (Packing::Gzip, Behind::Anything) => all(flate2::read::GzDecoder::new(bytes), limit),
            (Packing::Xz, _) => {
                let several = behind == Behind::Streams;
                all(lzma_rust2::XzReader::new(bytes, several), limit)
            }
            (Packing::Zstd, _) => {
                let decoder = ruzstd::decoding::StreamingDecoder::new(bytes);
                let decoder = decoder.map_err(|error| UnpackError::Decoder(error.to_string()))?;
                all(decoder, limit)
            }
            (Packing::Lz4, _) => lz4(bytes, limit),
        }
    }
}

/// The content of a module's file, unpacked as its name says.
///
/// # Errors
/// It cannot be read, its compression is unknown, or it is not what its name says.
pub fn unpacked_module(path: &Path) -> Result<Vec<u8>, PackedError> {
    let extension = || path.extension().unwrap_or_default().to_string_lossy();
    let packing = Packing::from_name(path).ok_or_else(|| PackedError::Unknown {
        path: path.to_owned(),
        extension: extension().into_owned(),
    })?;
    let bytes = open::bytes(path).map_err(|error| PackedError::Read {
        path: path.to_owned(),
        error: error.into(),
    })?;
    packing
        .unpack(&bytes, Behind::Streams, LARGEST_MODULE)
        .map_err(|error| PackedError::Broken {
            path: path.to_owned(),
            error,
        })
}

/// What the payload of a bzImage unpacks to; its first bytes show its compression, and all but gzip, which has it itself, end
/// with the unpacked size (scripts/Makefile.lib, size_append).
///
/// # Errors
/// Its compression is unknown, or it is cut.
pub fn unpacked_payload(payload: &[u8]) -> Result<Vec<u8>, UnpackError> {
    let packing = Packing::from_magic(payload)?;
    packing.unpack(payload, Behind::Anything, LARGEST_KERNEL)
}

fn all(reader: impl Read, limit: u64) -> Result<Vec<u8>, UnpackError> {
    let mut bytes = Vec::new();
    reader
        .take((limit << 20) + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| UnpackError::Decoder(error.to_string()))?;
    within(bytes, limit)
}

fn within(bytes: Vec<u8>, limit: u64) -> Result<Vec<u8>, UnpackError> {
    if bytes.len() as u64 > limit << 20 {
        return Err(UnpackError::TooMuch(limit));
    }
    Ok(bytes)
}

/// LZ4's legacy frame: its magic number, then blocks of 8 MiB, each behind its packed size.
fn lz4(frame: &[u8], limit: u64) -> Result<Vec<u8>, UnpackError> {
    const BLOCK: usize = 8 << 20;
    let mut blocks = frame.get(4..).unwrap_or_default();
    let mut bytes = Vec::new();
    // What is left at the end is the unpacked size.
    while let Some((size, rest)) = blocks
        .split_first_chunk::<4>()
        .filter(|(_, rest)| !rest.is_empty())
    {
        let size = u32::from_le_bytes(*size) as usize;
        let block = rest.get(..size).ok_or(UnpackError::Cut)?;
        let block = lz4_flex::block::decompress(block, BLOCK);
        bytes.extend(block.map_err(|error| UnpackError::Decoder(error.to_string()))?);
        bytes = within(bytes, limit)?;
        blocks = &rest[size..];
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// “module” 200 times, as gzip, xz and zstd 1.5 write it.
    const GZIP: &[u8] = include_bytes!("samples/module.gz");
    const XZ: &[u8] = include_bytes!("samples/module.xz");
    const ZSTD: &[u8] = include_bytes!("samples/module.zst");

    #[test]
    fn every_known_compression_unpacks() {
        let packed = [
            (Packing::Gzip, GZIP),
            (Packing::Xz, XZ),
            (Packing::Zstd, ZSTD),
        ];
        for (packing, bytes) in packed {
            let out = packing
                .unpack(bytes, Behind::Streams, LARGEST_MODULE)
                .expect("a module");
            assert_eq!(out, b"module".repeat(200), "{packing:?}");
        }
    }

    #[test]
    fn a_cut_file_is_an_error() {
        for (packing, bytes) in [
            (Packing::Gzip, GZIP),
            (Packing::Xz, XZ),
            (Packing::Zstd, ZSTD),
        ] {
            let half = packing.unpack(&bytes[..bytes.len() / 2], Behind::Streams, LARGEST_MODULE);
            assert!(half.is_err(), "{packing:?}");
        }
    }

    #[test]
    fn an_unknown_compression_is_named() {
        let error = unpacked_module(Path::new("kvm.ko.lz4")).expect_err("an error");
        assert_eq!(
            error.to_string(),
            "kvm.ko.lz4: unknown compression “lz4”; .gz, .xz and .zst are known"
        );
    }

    #[test]
    fn what_unpacks_to_too_much_is_refused() {
        let out = Packing::Gzip.unpack(GZIP, Behind::Streams, 0);
        assert_eq!(out, Err(UnpackError::TooMuch(0)));
    }

    #[test]
    fn every_block_of_lz4_is_unpacked() {
        let block = |text: &[u8]| {
            let packed = lz4_flex::block::compress(text);
            let size = u32::try_from(packed.len()).expect("a size");
            [&size.to_le_bytes()[..], &packed].concat()
        };
        let payload = [
            &[2, 0x21, 0x4C, 0x18][..],
            &block(b"vm"),
            &block(b"linux"),
            &[7, 0, 0, 0],
        ];
        assert_eq!(unpacked_payload(&payload.concat()), Ok(b"vmlinux".to_vec()));
        assert!(unpacked_payload(&payload.concat()[..10]).is_err());
    }
}
