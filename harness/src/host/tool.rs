//! Programs of this host that do a piece of work: git, and what builds a commit. They may run for hours, in a folder of their own, and
//! what they print is read as it comes.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::util::cancel::Cancel;
use crate::util::output::Lines;
use crate::util::process::{Ending, Process};
use crate::util::spawn::{OnCancel, Start, Streams};

/// How long a program that was interrupted may take to end.
const GRACE: Duration = Duration::from_secs(10);

/// Runs `program` in `folder` to its end, without standard input. `take` gets every line that it and what it starts print, standard
/// output and error alike. The lines' bytes that are no UTF-8 are replaced.
///
/// The program leads a process group. When `cancel` is thrown the group gets SIGTERM, and after ten
/// seconds SIGKILL; whatever is left of the group when the program has ended is killed too.
///
/// # Errors
/// The program cannot be started.
pub fn run(
    program: &Path,
    arguments: &[impl AsRef<OsStr>],
    folder: &Path,
    variables: &[(&str, &OsStr)],
    cancel: &Cancel,
    take: &mut dyn FnMut(&str),
) -> std::io::Result<Ending> {
    let arguments = arguments.iter().map(|argument| argument.as_ref().into());
    let command: Vec<OsString> = [program.into()].into_iter().chain(arguments).collect();
    let start = Start {
        command: &command,
        folder: Some(folder),
        variables,
        streams: Streams::OutputAndError,
        inherit: &[],
        deadline: Duration::MAX,
        cancel,
        on_cancel: OnCancel::Terminate(GRACE),
    };
    Ok(Process::spawn(start, Lines::new(take))?.end())
}

/// Throws `cancel` when the process `id` is over: what `git bisect run` started outlives both git and the one that started git,
/// where that one is killed outright.
///
/// # Errors
/// No thread, or no file descriptor, is left.
pub fn cancel_after(id: i32, cancel: &Cancel) -> std::io::Result<()> {
    let other = Pid::from_raw(id).ok_or(Errno::INVAL)?;
    let pidfd = match pidfd_open(other, PidfdFlags::empty()) {
        Ok(pidfd) => pidfd,
        Err(Errno::SRCH) => {
            cancel.throw();
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let cancel = cancel.clone();
    let wait = move || {
        let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
        while poll(&mut fds, None) == Err(Errno::INTR) {}
        cancel.throw();
    };
    std::thread::Builder::new().spawn(wait).map(drop)
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Instant;

    use super::*;

    fn shell(script: &str, cancel: &Cancel, take: &mut dyn FnMut(&str)) -> Ending {
        let arguments = ["-c", script];
        let variables = [("TEXT", OsStr::new("sesame"))];
        run(
            Path::new("/bin/sh"),
            &arguments,
            Path::new("/"),
            &variables,
            cancel,
            take,
        )
        .expect("a shell")
    }

    #[test]
    fn every_line_is_handed_on_and_the_status_comes_back() {
        let cancel = Cancel::new().expect("an eventfd");
        let mut lines = Vec::new();
        let ending = shell(
            "pwd; echo $TEXT >&2; printf half; exit 3",
            &cancel,
            &mut |line| {
                lines.push(line.to_owned());
            },
        );
        assert_eq!(ending, Ending::Exited(3));
        assert_eq!(lines, ["/", "sesame", "half"]);
    }

    #[test]
    fn what_outlives_the_program_is_killed_and_not_waited_for() {
        let cancel = Cancel::new().expect("an eventfd");
        let started = Instant::now();
        let ending = shell("sleep 987653 & echo there", &cancel, &mut |_| {});
        assert_eq!(ending, Ending::Exited(0));
        assert!(started.elapsed() < Duration::from_secs(60));
    }

    #[test]
    fn the_end_of_another_process_cancels() {
        let cancel = Cancel::new().expect("an eventfd");
        let mut other = Command::new("sleep")
            .arg("987651")
            .spawn()
            .expect("a process");
        let id = i32::try_from(other.id()).expect("a number");
        cancel_after(id, &cancel).expect("a thread");
        assert!(!cancel.thrown());
        other.kill().expect("a process");
        other.wait().expect("an end");
        let mut fds = [PollFd::new(&cancel, PollFlags::IN)];
        assert_eq!(poll(&mut fds, None), Ok(1));
        let over = Cancel::new().expect("an eventfd");
        cancel_after(id, &over).expect("nothing to wait for");
        assert!(over.thrown());
    }

    #[test]
    fn cancelled_it_is_asked_to_end_and_may_tidy_up() {
        let cancel = Cancel::new().expect("an eventfd");
        let mut lines = Vec::new();
        let switch = cancel.clone();
        let script = "trap 'echo tidied; exit 1' TERM; echo up; sleep 987652 & wait";
        let ending = shell(script, &cancel, &mut |line| {
            lines.push(line.to_owned());
            if line == "up" {
                switch.throw();
            }
        });
        assert_eq!(ending, Ending::Cancelled);
        assert_eq!(lines, ["up", "tidied"]);
    }
}
