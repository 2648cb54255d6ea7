//! Compressed kernel modules: .gz, .xz and .zst, as `CONFIG_MODULE_COMPRESS` makes them.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};

/// How a file is compressed.
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
}

/// Why a file cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum PackedError {
    /// It cannot be read.
    #[error("failed to read {path}: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
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
        /// The decoder's words.
        error: String,
    },
}

/// No kernel module is larger: what unpacks to more is no module.
const MOST: u64 = 256 * 1024 * 1024;

/// The compression that the name of a module stands for: `kvm.ko.xz`.
///
/// # Errors
/// The extension itself, where it is none known here.
pub fn packing(path: &Path) -> Result<Packing, String> {
    match path.extension().and_then(OsStr::to_str) {
        None | Some("ko") => Ok(Packing::None),
        Some("gz") => Ok(Packing::Gzip),
        Some("xz") => Ok(Packing::Xz),
        Some("zst") => Ok(Packing::Zstd),
        Some(other) => Err(other.to_owned()),
    }
}

/// The content of a file, unpacked as its name says.
///
/// # Errors
/// It cannot be read, its compression is unknown, or it is not what its name says.
pub fn unpacked(path: &Path) -> Result<Vec<u8>, PackedError> {
    let packing = packing(path).map_err(|extension| PackedError::Unknown {
        path: path.to_owned(),
        extension,
    })?;
    let bytes = std::fs::read(path).map_err(|error| PackedError::Read {
        path: path.to_owned(),
        error,
    })?;
    unpack(packing, bytes).map_err(|error| PackedError::Broken {
        path: path.to_owned(),
        error,
    })
}

fn unpack(packing: Packing, bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    let told = |error: std::io::Error| error.to_string();
    match packing {
        Packing::None => Ok(bytes),
        Packing::Gzip => all(flate2::read::MultiGzDecoder::new(&bytes[..])).map_err(told),
        // Several streams one after the other are one file.
        Packing::Xz => all(lzma_rust2::XzReader::new(&bytes[..], true)).map_err(told),
        Packing::Zstd => {
            let decoder = ruzstd::decoding::StreamingDecoder::new(&bytes[..]);
            all(decoder.map_err(|error| error.to_string())?).map_err(told)
        }
    }
}

fn all(reader: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(MOST + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > MOST {
        true => Err(std::io::Error::other("more than 256 MiB come out of it")),
        false => Ok(bytes),
    }
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
            let out = unpack(packing, bytes.to_vec()).expect("a module");
            assert_eq!(out, b"module".repeat(200), "{packing:?}");
        }
    }

    #[test]
    fn a_cut_file_is_told() {
        for (packing, bytes) in [
            (Packing::Gzip, GZIP),
            (Packing::Xz, XZ),
            (Packing::Zstd, ZSTD),
        ] {
            let half = bytes[..bytes.len() / 2].to_vec();
            assert!(unpack(packing, half).is_err(), "{packing:?}");
        }
    }

    #[test]
    fn an_unknown_compression_is_named() {
        let error = unpacked(Path::new("kvm.ko.lz4")).expect_err("an error");
        assert_eq!(
            error.to_string(),
            "kvm.ko.lz4: unknown compression “lz4”; .gz, .xz and .zst are known"
        );
    }
}
