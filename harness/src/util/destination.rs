//! What a path that a user names for output stands for.

use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::path::folder_of;

/// Most links that lead to one file, as many as the kernel follows (MAXSYMLINKS in include/linux/namei.h).
const MOST_LINKS: usize = 40;

/// Where bytes go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Destination {
    /// Standard output: `-`, or `/dev/stdout`, which may be a file that more is printed to.
    Output,
    /// Standard error.
    ErrorOutput,
    /// A pipe, a device, or another file that this program has open: nothing can take its place.
    Stream(PathBuf),
    /// A file, there or not, behind all links to it.
    File(PathBuf),
}

impl Destination {
    /// Of a path as it is named.
    ///
    /// # Errors
    /// It is a folder, links lead in a circle, or it cannot be looked at.
    pub(super) fn find(path: &Path) -> std::io::Result<Destination> {
        if path == Path::new("-") {
            return Ok(Destination::Output);
        }
        let mut at = path.to_owned();
        for _ in 0..MOST_LINKS {
            let kind = match std::fs::symlink_metadata(&at) {
                Ok(about) => about.file_type(),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    return Ok(Destination::File(at));
                }
                Err(error) => return Err(error),
            };
            if kind.is_symlink() {
                if let Some(number) = descriptor(&at) {
                    return Ok(Destination::of_descriptor(number, at));
                }
                let target = std::fs::read_link(&at)?;
                at = folder_of(&at).join(target);
            } else if kind.is_dir() {
                return Err(ErrorKind::IsADirectory.into());
            } else if kind.is_file() {
                return Ok(Destination::File(at));
            } else {
                return Ok(Destination::Stream(at));
            }
        }
        Err(Error::from_raw_os_error(Errno::LOOP.raw_os_error()))
    }

    fn of_descriptor(number: u32, at: PathBuf) -> Destination {
        match number {
            1 => Destination::Output,
            2 => Destination::ErrorOutput,
            _ => Destination::Stream(at),
        }
    }
}

/// 63 of `/dev/fd/63` and of `/proc/self/fd/63`: such a link leads to what a process has open, whatever its text says (proc(5)).
fn descriptor(link: &Path) -> Option<u32> {
    let folder = folder_of(link).canonicalize().ok()?;
    let of_process = folder.starts_with("/proc") && folder.ends_with("fd");
    let name = link.file_name().filter(|_| of_process)?;
    name.to_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_lead_to_the_file_and_special_names_to_what_is_open() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let file = Destination::File(path("sub/file"));
        std::fs::create_dir(path("sub")).expect("a folder");
        symlink("sub/file", path("link")).expect("a link");
        symlink(path("link"), path("sub/back")).expect("a link");
        assert_eq!(Destination::find(&path("sub/back")).expect("a file"), file);
        std::fs::write(path("sub/file"), "").expect("a file");
        assert_eq!(Destination::find(&path("sub/back")).expect("a file"), file);
        for (name, wanted) in [
            ("-", Destination::Output),
            ("/dev/stdout", Destination::Output),
            ("/dev/fd/2", Destination::ErrorOutput),
            ("/dev/null", Destination::Stream("/dev/null".into())),
        ] {
            let found = Destination::find(Path::new(name)).expect("a destination");
            assert_eq!(found, wanted, "{name}");
        }
    }

    #[test]
    fn a_circle_of_links_and_a_folder_are_errors() {
        let folder = tempfile::tempdir().expect("a folder");
        let link = folder.path().join("circle");
        symlink(&link, &link).expect("a link");
        let error = Destination::find(&link).expect_err("a circle");
        assert_eq!(error.raw_os_error(), Some(Errno::LOOP.raw_os_error()));
        let error = Destination::find(folder.path()).expect_err("a folder");
        assert_eq!(error.kind(), ErrorKind::IsADirectory);
    }
}
