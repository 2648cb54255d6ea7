//! The disk: the boot sector, the memory that the host and /init share, then what is loaded.

use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;

use super::error::{BootError, COMMAND_LINE_SIZE};
use super::params::{self, KERNEL, Layout, PAGE, TABLES};
use super::pvh::start_info;
pub use super::sector::SECTOR;
use super::sector::{CHUNK, CHUNK_SECTORS, Load, sector};
use crate::host::lab::wire;
use crate::util::limits::PROGRAM;
use crate::util::open;
use crate::vmm::linux::vmlinux::{loaded, pvh_entry};

/// The first sector of the memory that the host and /init share.
pub const AREA_SECTOR: u32 = CHUNK_SECTORS;
/// Its first byte.
pub const AREA: u64 = CHUNK;

/// Where the boot parameters go, and after them the command line: below the boot sector's reach and the BIOS's own data.
const PARAMS: u32 = 0x1_0000;
/// Bytes of a cylinder: a disk has whole ones.
const CYLINDER: u64 = 16 * 63 * SECTOR as u64;

/// What boots.
#[derive(Clone, Copy, Debug)]
pub struct Booted<'a> {
    /// The kernel: an ELF file with a PVH entry, or a bzImage.
    pub kernel: &'a Path,
    /// The initramfs.
    pub initramfs: &'a Path,
    /// The kernel's whole command line.
    pub command_line: &'a str,
    /// MiB of RAM.
    pub megabytes: u64,
}

/// A part, and where it goes.
struct Part {
    content: Content,
    address: u32,
}

enum Content {
    Bytes(Vec<u8>),
    File(File),
}

impl Content {
    /// Appends it; how many bytes it has.
    fn copy_to(self, file: &mut File) -> std::io::Result<u64> {
        match self {
            Content::Bytes(bytes) => file.write_all(&bytes).map(|()| bytes.len() as u64),
            Content::File(mut from) => std::io::copy(&mut from, file),
        }
    }
}

/// Writes the disk that boots this into an empty file.
///
/// # Errors
/// A part cannot be read, or does not fit.
pub fn write(disk: &OwnedFd, booted: &Booted<'_>) -> Result<(), BootError> {
    let (entry, parts) = parts(booted)?;
    let failed = |error: std::io::Error| BootError::Write(error.into());
    let mut file = File::from(disk.try_clone().map_err(failed)?);
    let mut next = AREA + wire::SIZE as u64;
    let mut loads = Vec::new();
    for part in parts {
        file.seek(SeekFrom::Start(next)).map_err(failed)?;
        let size = part.content.copy_to(&mut file).map_err(failed)?;
        let chunks = size.div_ceil(CHUNK);
        loads.push(Load {
            sector: (next / SECTOR as u64) as u32,
            chunks: chunks as u32,
            address: part.address,
        });
        next += chunks * CHUNK;
    }
    file.set_len(next.next_multiple_of(CYLINDER))
        .map_err(failed)?;
    file.rewind().map_err(failed)?;
    file.write_all(&sector(&loads, PARAMS, entry))
        .map_err(failed)
}

/// The kernel's entry, and what is loaded.
fn parts(booted: &Booted<'_>) -> Result<(u32, [Part; 3]), BootError> {
    let initramfs = opened(booted.initramfs)?;
    let size = initramfs.metadata().map(|about| about.len());
    let layout = layout(
        booted,
        size.map_err(|error| unreadable(booted.initramfs, error))?,
    )?;
    let start = start(&read(booted.kernel)?, &layout);
    let start = start.ok_or_else(|| BootError::NotAnImage(booted.kernel.to_owned()))?;
    let line = booted.command_line.as_bytes();
    if line.len() >= COMMAND_LINE_SIZE {
        return Err(BootError::CommandLine(line.len()));
    }
    let mut info = start.info;
    info.resize(PAGE, 0);
    info.extend_from_slice(line);
    info.push(0);
    let part = |content, address| Part { content, address };
    let info = part(Content::Bytes(info), PARAMS);
    let kernel = part(Content::Bytes(start.kernel), start.address);
    let initramfs = part(Content::File(initramfs), layout.initramfs);
    Ok((start.entry, [info, kernel, initramfs]))
}

/// How a kernel is started.
struct Start {
    /// What it reads of its machine.
    info: Vec<u8>,
    /// What is loaded of it.
    kernel: Vec<u8>,
    /// And where.
    address: u32,
    /// Its entry.
    entry: u32,
}

/// `None` where the image is no kernel.
fn start(image: &[u8], layout: &Layout) -> Option<Start> {
    if let Some(entry) = pvh_entry(image) {
        let (address, kernel) = loaded(image)?;
        return Some(Start {
            info: start_info(PARAMS, layout),
            kernel,
            address,
            entry,
        });
    }
    let from = params::protected_part(image)?;
    Some(Start {
        info: params::page(image, layout)?.to_vec(),
        kernel: image.get(from..)?.to_vec(),
        address: KERNEL,
        entry: KERNEL,
    })
}

/// The initramfs at the end of the RAM, as far from the kernel as can be, in front of what the BIOS has there.
fn layout(booted: &Booted<'_>, size: u64) -> Result<Layout, BootError> {
    let ram = booted.megabytes << 20;
    let too_big = || BootError::TooBig(size);
    let room = ram.checked_sub(TABLES + size.next_multiple_of(CHUNK));
    let address = room.ok_or_else(too_big)? / CHUNK * CHUNK;
    Ok(Layout {
        ram,
        command_line: PARAMS + PAGE as u32,
        initramfs: u32::try_from(address).map_err(|_| too_big())?,
        initramfs_size: u32::try_from(size).map_err(|_| too_big())?,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, BootError> {
    open::bytes(path, PROGRAM).map_err(|error| unreadable(path, error))
}

fn opened(path: &Path) -> Result<File, BootError> {
    open::regular(path).map_err(|error| unreadable(path, error))
}

fn unreadable(path: &Path, error: std::io::Error) -> BootError {
    BootError::Read {
        path: path.to_owned(),
        source: error.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::host::lab::emulated::memory;

    fn write_it(kernel: &[u8], initramfs: &[u8], megabytes: u64) -> Result<Vec<u8>, BootError> {
        let disk = memory("disk", 0).expect("memory");
        write_to(&disk, kernel, initramfs, megabytes)?;
        let mut disk = File::from(disk);
        disk.rewind().expect("a disk");
        Ok(open::all(disk, 1 << 30).expect("a disk"))
    }

    fn write_to(
        disk: &OwnedFd,
        kernel: &[u8],
        initramfs: &[u8],
        megabytes: u64,
    ) -> Result<(), BootError> {
        let folder = tempfile::tempdir().expect("a folder");
        let [image, archive] = ["vmlinuz", "lab.cpio"].map(|name| folder.path().join(name));
        fs::write(&image, kernel).expect("a file");
        fs::write(&archive, initramfs).expect("a file");
        let booted = Booted {
            kernel: &image,
            initramfs: &archive,
            command_line: "panic=-1",
            megabytes,
        };
        write(disk, &booted)
    }

    fn kernel() -> Vec<u8> {
        let mut image = vec![0; 2048];
        image[0x1F1] = 1;
        image[0x201] = 0x66;
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[1024..1027].copy_from_slice(b"low");
        image
    }

    #[test]
    fn every_part_is_where_the_boot_sector_looks_for_it() {
        let disk = write_it(&kernel(), b"archive", 64).expect("a disk");
        assert_eq!(disk.len() as u64 % CYLINDER, 0);
        let number = |at: usize| u32::from_le_bytes(disk[at..at + 4].try_into().expect("a word"));
        let parts = [0x1B0, 0x1BC, 0x1C8].map(|at| (number(at), number(at + 4), number(at + 8)));
        let first = AREA_SECTOR + (wire::SIZE / SECTOR) as u32;
        // Of 64 MiB the last one is the BIOS's, and the archive takes a chunk in front of it.
        let archive = (63 << 20) - CHUNK as u32;
        let second = (first + CHUNK_SECTORS, 1, KERNEL);
        assert_eq!(
            parts,
            [
                (first, 1, PARAMS),
                second,
                (first + 2 * CHUNK_SECTORS, 1, archive)
            ]
        );
        let at = |sector: u32, text: &[u8]| disk[sector as usize * SECTOR..].starts_with(text);
        assert!(at(first + (PAGE / SECTOR) as u32, b"panic=-1\0"));
        assert!(at(second.0, b"low"));
        assert!(at(parts[2].0, b"archive"));
    }

    #[test]
    fn a_disk_for_which_there_is_no_room_is_an_error() {
        let full = File::options()
            .write(true)
            .open("/dev/full")
            .expect("a device");
        let error = write_to(&full.into(), &kernel(), b"", 64).expect_err("no room");
        assert_eq!(
            error.to_string(),
            "failed to write the boot disk: No space left on device (os error 28)"
        );
    }

    #[test]
    fn what_is_no_kernel_or_does_not_fit_is_an_error() {
        let error = write_it(b"no kernel", b"", 64).expect_err("no kernel");
        assert!(
            error
                .to_string()
                .ends_with("vmlinuz is neither a bzImage nor a kernel with a PVH entry")
        );
        let error = write_it(&kernel(), &vec![0; 2 << 20], 2).expect_err("no room");
        assert_eq!(error, BootError::TooBig(2 << 20));
    }
}
