use std::io::Write as _;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;

use super::*;

/// What `read` makes of something that nobody writes to, which must not take for ever.
fn in_time(path: PathBuf, read: fn(&Path) -> std::io::Result<Vec<u8>>) -> std::io::Result<Vec<u8>> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || send.send(read(&path)));
    receive
        .recv_timeout(Duration::from_secs(10))
        .expect("an answer")
}

fn pipe(folder: &TempDir) -> PathBuf {
    let path = folder.path().join("pipe");
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
    path
}

#[test]
fn a_named_pipe_is_no_regular_file_and_nobody_waits_for_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let own_bytes = |path: &Path| own(path).map(|_| Vec::new());
    let readers: [fn(&Path) -> std::io::Result<Vec<u8>>; 2] = [bytes, own_bytes];
    let pipe = pipe(&folder);
    for read in readers {
        let error = in_time(pipe.clone(), read).expect_err("a pipe");
        assert_eq!(
            error.to_string(),
            "a regular file is expected, and this is a named pipe"
        );
    }
}

#[test]
fn what_is_no_regular_file_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
    for (path, kind) in [
        (folder.path(), "a folder"),
        (Path::new("/dev/zero"), "a device"),
        (&socket, "a socket"),
    ] {
        let error = bytes(path).expect_err("no file");
        let wanted = format!("a regular file is expected, and this is {kind}");
        assert_eq!(error.to_string(), wanted);
    }
}

#[test]
fn data_may_come_through_a_pipe_that_is_written_later() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = pipe(&folder);
    let writer = path.clone();
    let written = std::thread::spawn(move || {
        let mut file = File::options().write(true).open(writer)?;
        file.write_all(b"one ")?;
        file.write_all(b"two")
    });
    assert_eq!(in_time(path, data).expect("data"), b"one two");
    written.join().expect("a writer").expect("written");
}

#[test]
fn a_file_that_is_larger_than_any_meant_is_not_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("large");
    let file = File::create(&path).expect("a file");
    file.set_len(LARGEST + 1).expect("a sparse file");
    let error = bytes(&path).expect_err("too large");
    assert!(error.to_string().contains("more than 2048 MiB"), "{error}");
}

#[test]
fn a_link_is_not_ones_own_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, link) = (folder.path().join("file"), folder.path().join("link"));
    std::fs::write(&file, "").expect("a file");
    std::os::unix::fs::symlink(&file, &link).expect("a link");
    assert!(own(&file).is_ok() && own(&link).is_err() && regular(&link).is_ok());
}
