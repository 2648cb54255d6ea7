//! How the stream goes: a socket pair handed to both QEMUs, or a file. No socket has a name, so none can be left over.

use std::fs::File;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use rustix::fs::{MemfdFlags, SeekFrom, memfd_create, seek};
use serde_json::{Value, json};

use super::end::Machine;
use crate::case::migration::{Journey, Way};
use crate::util::files::Replacement;
use crate::util::limits::GUEST_STATE;
use crate::util::open;
use crate::vmm::monitor::{Answer, Gone, command_with};

/// The name under which a descriptor is known to a monitor.
const NAME: &str = "stream";

/// Where the stream goes.
#[derive(Debug)]
pub enum Stream {
    /// A socket pair: the source's end, handed over when the migration begins; the destination's, which it inherits; and the number
    /// that this one has. Neither is kept once it is handed over: where one QEMU dies the other must see the stream end.
    Socket(Option<OwnedFd>, Option<OwnedFd>, i32),
    /// A file that both QEMUs have open.
    File(SaveFile),
}

/// The file of a saved guest: in memory, or beside the file that was named, whose place it takes once the guest was saved whole.
#[derive(Debug)]
pub struct SaveFile {
    file: OwnedFd,
    replaces: Option<Replacement>,
    /// Whether the guest was restored from it.
    whole: bool,
}

impl SaveFile {
    fn new(path: Option<&PathBuf>) -> std::io::Result<SaveFile> {
        let Some(path) = path else {
            let file = memfd_create("guest-state", MemfdFlags::CLOEXEC)?;
            return Ok(SaveFile::open(file, None));
        };
        let replaces = Replacement::beside(path)?;
        let file = match &replaces {
            Some(new) => new.file().try_clone()?,
            // A device takes what is written to it.
            None => File::options().read(true).write(true).open(path)?,
        };
        Ok(SaveFile::open(file.into(), replaces))
    }

    fn open(file: OwnedFd, replaces: Option<Replacement>) -> SaveFile {
        SaveFile {
            file,
            replaces,
            whole: false,
        }
    }

    fn end(self) -> std::io::Result<()> {
        let replaces = self.replaces.filter(|_| self.whole);
        replaces.map_or(Ok(()), |new| new.finish().map(drop))
    }

    /// Its name in a child that inherits it.
    fn name(&self) -> String {
        format!("file:/proc/self/fd/{}", self.file.as_raw_fd())
    }
}

impl Stream {
    /// As the journey wants it.
    ///
    /// # Errors
    /// The file cannot be made, or no descriptor is left.
    pub fn new(journey: &Journey) -> std::io::Result<Stream> {
        match journey.way {
            Way::File => SaveFile::new(journey.file.as_ref()).map(Stream::File),
            Way::Live => {
                let (source, destination) = UnixStream::pair()?;
                let number = destination.as_raw_fd();
                Ok(Stream::Socket(
                    Some(source.into()),
                    Some(destination.into()),
                    number,
                ))
            }
        }
    }

    /// A file in memory with the stream of a guest that was saved.
    ///
    /// # Errors
    /// The kernel refuses the memory.
    pub fn filled(bytes: &[u8]) -> std::io::Result<Stream> {
        let save = SaveFile::new(None)?;
        std::io::Write::write_all(&mut File::from(save.file.try_clone()?), bytes)?;
        Ok(Stream::File(save))
    }

    /// What was saved.
    ///
    /// # Errors
    /// It cannot be read, or is no file.
    pub fn bytes(&self) -> std::io::Result<Vec<u8>> {
        match self {
            Stream::Socket(..) => Err(std::io::ErrorKind::Unsupported.into()),
            Stream::File(save) => {
                seek(&save.file, SeekFrom::Start(0))?;
                open::all(File::from(save.file.try_clone()?), GUEST_STATE)
            }
        }
    }

    /// What the source must inherit.
    pub fn for_source(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Stream::Socket(..) => None,
            Stream::File(save) => Some(save.file.as_fd()),
        }
    }

    /// What the destination must inherit.
    pub fn for_destination(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Stream::Socket(_, destination, _) => destination.as_ref().map(OwnedFd::as_fd),
            Stream::File(save) => Some(save.file.as_fd()),
        }
    }

    /// Both QEMUs have been started.
    pub fn handed_over(&mut self) {
        if let Stream::Socket(_, destination, _) = self {
            *destination = None;
        }
    }

    /// Has the source send. Older QEMUs know no `file:` (8.2 brought it); newer ones want no file behind `fd:` (deprecated in 9.1).
    ///
    /// # Errors
    /// The connection is gone.
    pub fn send(&mut self, source: &mut Machine) -> Result<Answer, Gone> {
        match self {
            Stream::Socket(theirs, ..) => {
                let theirs = theirs.take().ok_or(Gone)?;
                send_fd(source, theirs.as_fd())
            }
            Stream::File(save) => match source.execute("migrate", uri(&save.name()))? {
                Err(message) if unknown(&message) => {
                    // That attempt counts as a migration that failed (7.2's qmp_migrate), and there was an event to say so.
                    source.monitor.forget_events();
                    send_fd(source, save.file.as_fd())
                }
                answer => Ok(answer),
            },
        }
    }

    /// Has the destination receive.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn receive(&self, destination: &mut Machine) -> Result<Answer, Gone> {
        let save = match self {
            Stream::Socket(.., number) => {
                return destination.execute("migrate-incoming", uri(&format!("fd:{number}")));
            }
            Stream::File(save) => save,
        };
        // A file behind `fd:` is one open file for all three of us, and the source has left it at its end.
        seek(&save.file, SeekFrom::Start(0)).map_err(|_| Gone)?;
        match destination.execute("migrate-incoming", uri(&save.name()))? {
            Err(message) if unknown(&message) => {
                let number = format!("fd:{}", save.file.as_raw_fd());
                destination.execute("migrate-incoming", uri(&number))
            }
            answer => Ok(answer),
        }
    }

    /// The guest was restored: what it was saved to is whole.
    pub fn keep(&mut self) {
        if let Stream::File(save) = self {
            save.whole = true;
        }
    }

    /// Puts a file that is whole into its place.
    ///
    /// # Errors
    /// It cannot be renamed.
    pub fn end(self) -> std::io::Result<()> {
        match self {
            Stream::Socket(..) => Ok(()),
            Stream::File(save) => save.end(),
        }
    }
}

fn uri(uri: &str) -> Value {
    json!({ "uri": uri })
}

/// Whether QEMU does not know the way at all (`migrate_uri_parse` and its forerunners: "unknown migration protocol: %s").
fn unknown(message: &str) -> bool {
    message.contains("unknown migration protocol")
        || message.contains("Parameter 'uri' expects a valid migration protocol")
}

fn send_fd(source: &mut Machine, file: BorrowedFd<'_>) -> Result<Answer, Gone> {
    let handed = command_with("getfd", json!({ "fdname": NAME }));
    match source.monitor.execute_with(&handed, file)? {
        Ok(_) => source.execute("migrate", uri(&format!("fd:{NAME}"))),
        refused => Ok(refused),
    }
}
