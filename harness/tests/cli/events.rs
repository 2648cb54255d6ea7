//! Waiting for what other processes do: for a script to get somewhere, and for processes to end. Nothing polls on a timer.

use std::fs::OpenOptions;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::Child;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, Mode, OFlags, mkfifoat};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// The named pipe of every world that nobody writes into: `cat "${0%/*}/never"` in a wrapper script never ends.
pub const NEVER: &str = "never";

/// How long a process may take to go that was killed.
const GRACE: Timespec = Timespec {
    tv_sec: 10,
    tv_nsec: 0,
};

/// Makes a pipe with a name.
pub fn make_pipe(path: &Path) {
    mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR).expect("a named pipe");
}

/// A place that a script gets to: `echo > NAME` there.
pub struct Milestone(OwnedFd);

impl Milestone {
    /// In a world's folder, before the script is started.
    pub fn new(path: &Path) -> Milestone {
        make_pipe(path);
        // Open for writing too: the script then never waits, and there is no end of file.
        let pipe = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
            .open(path)
            .expect("a named pipe");
        Milestone(pipe.into())
    }

    /// Returns when the script is there.
    ///
    /// # Panics
    /// `child`, which started it, ends first.
    #[track_caller]
    pub fn wait(&self, child: &Child) {
        let ended = pidfd_open(Pid::from_child(child), PidfdFlags::empty()).expect("a process");
        let mut fds = [
            PollFd::new(&self.0, PollFlags::IN),
            PollFd::new(&ended, PollFlags::IN),
        ];
        poll(&mut fds, None).expect("a poll");
        let there = fds[0].revents().contains(PollFlags::IN);
        assert!(there, "the program ended before the script got there");
    }
}

/// Waits until no process has `folder` on its command line: wrappers, the ROM and helpers lie in a world's folder.
///
/// # Panics
/// One of them does not end.
#[track_caller]
pub fn assert_no_process_names(folder: &Path) {
    loop {
        let Some((pid, line)) = process_that_names(folder) else {
            return;
        };
        // A process that was killed takes a moment to go.
        let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else {
            continue;
        };
        let ended = poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&GRACE));
        assert_eq!(ended, Ok(1), "left running: {line}");
    }
}

fn process_that_names(folder: &Path) -> Option<(Pid, String)> {
    processes_that_name(folder).into_iter().next()
}

/// The processes that have `folder` on their command line, which comes along.
pub fn processes_that_name(folder: &Path) -> Vec<(Pid, String)> {
    let marker = folder.to_string_lossy();
    let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
    let named = processes.filter_map(|process| {
        let line = std::fs::read(process.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        let pid = process.file_name().to_string_lossy().parse().ok()?;
        Some((Pid::from_raw(pid)?, line))
    });
    named
        .filter(|(_, line)| line.contains(marker.as_ref()))
        .collect()
}

/// A child of this process.
pub fn child_of(parent: &Child) -> Option<Pid> {
    let parent = parent.id().to_string();
    let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
    let mut numbers = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
    let is_child = |number: &i32| {
        // pid (name) state ppid
        let stat = std::fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
        let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        rest.split(' ').nth(1) == Some(parent.as_str())
    };
    numbers.find(is_child).and_then(Pid::from_raw)
}
