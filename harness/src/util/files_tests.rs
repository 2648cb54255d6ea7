use std::io::Read as _;
use std::os::unix::fs::symlink;
use std::time::SystemTime;

use tempfile::TempDir;

use super::*;

struct Folder(TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A file that holds `old`, with this mode.
    fn file(&self, name: &str, mode: u32) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, "old").expect("a file");
        std::fs::set_permissions(&path, Permissions::from_mode(mode)).expect("a mode");
        path
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).expect("a folder");
        let names = entries
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a file")
}

fn mode(path: &Path) -> u32 {
    path.metadata().expect("a file").mode() & 0o7777
}

#[test]
fn asking_leaves_an_old_file_as_it_is() {
    let folder = Folder::new();
    let path = folder.path("new/result.json");
    assert!(writable(&path).is_ok() && !path.exists());
    write_whole(&path, b"old").expect("a file");
    writable(&path).expect("a file that can be written");
    assert_eq!(text(&path), "old");
}

#[test]
fn a_folder_is_no_file() {
    let folder = Folder::new();
    assert!(writable(folder.0.path()).is_err());
    let file = folder.file("file", 0o644);
    assert!(writable(&file.join("result.json")).is_err());
}

#[test]
fn a_link_stays_and_the_file_behind_it_is_replaced() {
    let folder = Folder::new();
    let file = folder.file("file", 0o644);
    symlink("file", folder.path("link")).expect("a link");
    write_whole(&folder.path("link"), b"new").expect("a file");
    assert_eq!(text(&file), "new");
    assert!(folder.path("link").is_symlink());
    symlink("later", folder.path("dangling")).expect("a link");
    write_whole(&folder.path("dangling"), b"new").expect("a file");
    assert_eq!(text(&folder.path("later")), "new");
}

#[test]
fn permissions_are_those_of_the_old_file_or_of_the_umask() {
    let folder = Folder::new();
    let old = folder.file("old", 0o640);
    write_whole(&old, b"new").expect("a file");
    assert_eq!((mode(&old), text(&old).as_str()), (0o640, "new"));
    let (ours, plain) = (folder.path("ours"), folder.path("plain"));
    write_whole(&ours, b"new").expect("a file");
    std::fs::write(&plain, "").expect("a file");
    assert_eq!(mode(&ours), mode(&plain));
}

#[test]
fn a_pipe_gets_the_bytes_and_stays_a_pipe() {
    let folder = Folder::new();
    let pipe = folder.path("pipe");
    let kind = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, kind, 0o600.into(), 0).expect("a pipe");
    writable(&pipe).expect("a pipe that nobody reads can be asked about");
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || text(&pipe)
    });
    write_whole(&pipe, b"new").expect("a reader");
    assert_eq!(reader.join().expect("a reader"), "new");
    assert_eq!(folder.names(), ["pipe"]);
}

#[test]
fn a_file_that_is_open_here_goes_on_where_it_ends() {
    let folder = Folder::new();
    let path = folder.file("file", 0o644);
    let mut file = File::options().read(true).open(&path).expect("a file");
    let number = std::os::fd::AsRawFd::as_raw_fd(&file);
    write_whole(Path::new(&format!("/dev/fd/{number}")), b"er").expect("a file");
    let mut all = String::new();
    file.read_to_string(&mut all).expect("the same file");
    assert_eq!(all, "older");
}

#[test]
fn a_file_that_cannot_be_written_whole_stays_as_it_was() {
    let folder = Folder::new();
    let path = folder.file("file", 0o644);
    let mut new = Replacement::beside(&path).expect("a file").expect("a file");
    new.file.write_all(b"ne").expect("a part");
    drop(new);
    assert_eq!(text(&path), "old");
    assert_eq!(folder.names(), ["file"]);
    let error = write_whole(Path::new("/dev/full"), b"new").expect_err("a full disk");
    assert_eq!(error.kind(), ErrorKind::StorageFull);
}

#[test]
fn what_a_killed_run_left_is_removed_after_a_day_and_nothing_else() {
    let folder = Folder::new();
    let age = |name: &str, age: Duration| {
        let file = File::create(folder.path(name)).expect("a file");
        file.set_modified(SystemTime::now() - age).expect("a time");
    };
    age(".cpuid-fidelity-old", 2 * UNFINISHED);
    age(".cpuid-fidelity-new", UNFINISHED / 2);
    age(".config", 2 * UNFINISHED);
    std::fs::create_dir(folder.path(".cpuid-fidelity-folder")).expect("a folder");
    symlink(".config", folder.path(".cpuid-fidelity-link")).expect("a link");
    write_whole(&folder.path("result"), b"").expect("a file");
    let left = [
        ".config",
        ".cpuid-fidelity-folder",
        ".cpuid-fidelity-link",
        ".cpuid-fidelity-new",
        "result",
    ];
    assert_eq!(folder.names(), left);
}
