//! The archive that Linux unpacks as its root: cpio in the format “newc” (Documentation/driver-api/early-userspace/buffer-format.rst).
//!
//! The same entries give the same bytes, whatever the order in which they were added, whoever builds it, and when: inode
//! numbers are positions, owner and group are root, times are 0. Not compressed: QEMU copies it into guest memory as it is,
//! and the guest would have to unpack it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write};

use rustix::fs::FileType;

/// Files to be, by path without the leading slash.
#[derive(Clone, Debug, Default)]
pub struct Initramfs {
    entries: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    Folder,
    File { mode: u32, bytes: Vec<u8> },
    Link { target: String },
    Device { mode: u32, major: u32, minor: u32 },
}

/// Why an entry cannot be added.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// Not an absolute path without `.`, `..`, NUL or empty parts.
    #[error("“{0}” is no absolute path of an initramfs: every part needs a name")]
    Path(String),
    /// There is something else in its place already, or in the place of one of its folders.
    #[error("{0} is in the initramfs already, as something else")]
    Taken(String),
    /// newc has 32 bits for a size.
    #[error("{path} has {size} bytes, and an initramfs holds files of less than 4 GiB")]
    Size {
        /// The file.
        path: String,
        /// Its size.
        size: usize,
    },
}

/// Permission bits.
const PERMISSIONS: u32 = 0o7777;

impl Initramfs {
    /// An empty root.
    pub fn new() -> Initramfs {
        Initramfs::default()
    }

    /// Adds a folder, mode 755, and those above it.
    ///
    /// # Errors
    /// A bad path, or a file of that name.
    pub fn folder(&mut self, path: &str) -> Result<&mut Initramfs, EntryError> {
        self.add(path, Entry::Folder)
    }

    /// Adds a file with these permission bits, and the folders above it. Adding the same file again changes nothing.
    ///
    /// # Errors
    /// A bad path, something else of that name, or 4 GiB and more.
    pub fn file(
        &mut self,
        path: &str,
        mode: u32,
        bytes: Vec<u8>,
    ) -> Result<&mut Initramfs, EntryError> {
        if u32::try_from(bytes.len()).is_err() {
            return Err(EntryError::Size {
                path: path.to_owned(),
                size: bytes.len(),
            });
        }
        let mode = mode & PERMISSIONS;
        self.add(path, Entry::File { mode, bytes })
    }

    /// Adds a symbolic link, and the folders above it.
    ///
    /// # Errors
    /// A bad path, or something else of that name.
    pub fn link(&mut self, path: &str, target: &str) -> Result<&mut Initramfs, EntryError> {
        let target = target.to_owned();
        self.add(path, Entry::Link { target })
    }

    /// Adds a character device, and the folders above it: `/dev/console`, 5 and 1, is what the kernel opens for /init.
    ///
    /// # Errors
    /// A bad path, or something else of that name.
    pub fn device(
        &mut self,
        path: &str,
        mode: u32,
        major: u32,
        minor: u32,
    ) -> Result<&mut Initramfs, EntryError> {
        let mode = mode & PERMISSIONS;
        self.add(path, Entry::Device { mode, major, minor })
    }

    /// Whether there is an entry at `path`.
    pub fn has(&self, path: &str) -> bool {
        name(path).is_some_and(|name| self.entries.contains_key(name))
    }

    fn add(&mut self, path: &str, entry: Entry) -> Result<&mut Initramfs, EntryError> {
        let name = name(path).ok_or_else(|| EntryError::Path(path.to_owned()))?;
        for (at, _) in name.match_indices('/') {
            self.put(&name[..at], Entry::Folder)?;
        }
        self.put(name, entry)?;
        Ok(self)
    }

    fn put(&mut self, name: &str, entry: Entry) -> Result<(), EntryError> {
        match self.entries.get(name) {
            Some(there) if *there != entry => Err(EntryError::Taken(format!("/{name}"))),
            Some(_) => Ok(()),
            None => {
                self.entries.insert(name.to_owned(), entry);
                Ok(())
            }
        }
    }

    /// The archive.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // A vector takes all that is written to it.
        let _ = self.write_to(&mut bytes);
        bytes
    }

    /// Writes the archive, a multiple of 512 bytes.
    ///
    /// # Errors
    /// The writer's.
    pub fn write_to(&self, writer: impl Write) -> std::io::Result<()> {
        let mut archive = Archive { writer, length: 0 };
        // Sorted names put each folder before what is in it, as the kernel needs it (init/initramfs.c makes no parents).
        for (number, (name, entry)) in (1..).zip(&self.entries) {
            archive.entry(number, name, entry)?;
        }
        archive.trailer()
    }
}

/// The name in the archive: the path without its leading slash.
fn name(path: &str) -> Option<&str> {
    let name = path.strip_prefix('/')?;
    let good = |part: &str| !["", ".", ".."].contains(&part) && !part.contains('\0');
    name.split('/').all(good).then_some(name)
}

struct Archive<W> {
    writer: W,
    length: usize,
}

impl<W: Write> Archive<W> {
    fn entry(&mut self, number: u32, name: &str, entry: &Entry) -> std::io::Result<()> {
        let (kind, mode, device, bytes) = match entry {
            Entry::Folder => (FileType::Directory, 0o755, (0, 0), &[][..]),
            Entry::File { mode, bytes } => (FileType::RegularFile, *mode, (0, 0), &bytes[..]),
            Entry::Link { target } => (FileType::Symlink, 0o777, (0, 0), target.as_bytes()),
            Entry::Device { mode, major, minor } => {
                (FileType::CharacterDevice, *mode, (*major, *minor), &[][..])
            }
        };
        self.header(number, kind.as_raw_mode() | mode, device, name, bytes.len())?;
        self.put(bytes)?;
        self.pad(4)
    }

    fn trailer(&mut self) -> std::io::Result<()> {
        self.header(0, 0, (0, 0), "TRAILER!!!", 0)?;
        self.pad(512)?;
        self.writer.flush()
    }

    /// Magic, thirteen numbers of eight hexadecimal digits, the name with its NUL, padding.
    fn header(
        &mut self,
        inode: u32,
        mode: u32,
        (major, minor): (u32, u32),
        name: &str,
        size: usize,
    ) -> std::io::Result<()> {
        let number = |size: usize| u32::try_from(size).unwrap_or(u32::MAX);
        let fields = [
            inode,
            mode,
            0, // uid
            0, // gid
            1, // links
            0, // time
            number(size),
            0, // device that holds it
            0,
            major,
            minor,
            number(name.len() + 1),
            0, // checksum, which this format has not
        ];
        let mut header = String::from("070701");
        for field in fields {
            let _ = write!(header, "{field:08X}");
        }
        self.put(header.as_bytes())?;
        self.put(name.as_bytes())?;
        self.put(&[0])?;
        self.pad(4)
    }

    fn put(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.length += bytes.len();
        self.writer.write_all(bytes)
    }

    fn pad(&mut self, to: usize) -> std::io::Result<()> {
        let missing = self.length.next_multiple_of(to) - self.length;
        std::io::copy(
            &mut std::io::repeat(0).take(missing as u64),
            &mut self.writer,
        )?;
        self.length += missing;
        Ok(())
    }
}

#[cfg(test)]
#[path = "initramfs_tests.rs"]
mod tests;
