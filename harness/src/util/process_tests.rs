use rustix::event::{Timespec, poll};

use super::*;

fn run(script: &str, deadline: Duration) -> Finished {
    let command = ["sh", "-c", script].map(OsString::from);
    let cancel = Cancel::new().expect("an eventfd");
    Process::start(&command, &[], deadline, &cancel)
        .expect("a shell")
        .finish()
}

const LONG: Duration = Duration::from_secs(20);

#[test]
fn status_and_stderr_come_back() {
    let finished = run("echo no such model >&2; exit 3", LONG);
    assert_eq!(finished.ending, Ending::Exited(3));
    assert_eq!(finished.stderr, "no such model\n");
}

#[test]
fn a_signal_is_not_an_exit() {
    assert_eq!(run("kill -9 $$", LONG).ending, Ending::Signalled(9));
}

#[test]
fn a_hang_ends_at_the_deadline_with_all_that_it_started() {
    let finished = run(
        "sleep 987654 & echo $! >&2; wait",
        Duration::from_millis(200),
    );
    assert_gone(&finished);
}

#[test]
fn a_flood_on_stderr_is_cut_and_does_not_block() {
    let finished = run("head -c 300000 /dev/zero >&2", LONG);
    assert_eq!(finished.ending, Ending::Exited(0));
    assert_eq!(finished.stderr.len(), crate::util::limits::OUTPUT);
}

#[test]
fn a_guest_that_kvm_gave_up_on_ends_at_once() {
    let message = "KVM internal error. Suberror: 1\\nemulation failure\\nEAX=0\\nCode=<cf>\\n";
    let finished = run(&format!("printf '{message}' >&2; sleep 987654"), LONG);
    assert_eq!(finished.ending, Ending::Stopped);
    assert!(
        finished.stderr.ends_with("Code=<cf>\n"),
        "{}",
        finished.stderr
    );
}

#[test]
fn a_cancelled_run_ends_at_once() {
    let cancel = Cancel::new().expect("an eventfd");
    cancel.throw();
    let command = ["sleep", "987654"].map(OsString::from);
    let process = Process::start(&command, &[], LONG, &cancel).expect("sleep");
    assert_eq!(process.finish().ending, Ending::Cancelled);
}

/// A process that was started by one that timed out, and printed its number.
#[track_caller]
fn assert_gone(finished: &Finished) {
    assert_eq!(finished.ending, Ending::TimedOut);
    let number = finished.stderr.trim().parse().ok();
    let pid = number.and_then(Pid::from_raw).expect("a process number");
    // Killed, but not by then gone: its end is waited for, and only a process still alive after 10 s is a failure.
    let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else {
        return;
    };
    let at_most = Timespec {
        tv_sec: 10,
        tv_nsec: 0,
    };
    let ended = poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&at_most));
    assert_eq!(ended, Ok(1));
}

#[test]
fn what_left_the_process_group_ends_with_the_process() {
    for script in [
        "setsid -f sh -c 'echo $$ >&2; exec sleep 987655'; sleep 987654",
        "setsid -f sh -c 'setsid -f sh -c \"echo \\$\\$ >&2; exec sleep 987655\"'; sleep 987654",
    ] {
        // Three programs start before the number is printed: 500 ms were too few on a busy machine.
        assert_gone(&run(script, Duration::from_secs(3)));
    }
}

#[test]
fn what_cannot_be_found_and_writes_for_ever_is_not_waited_for() {
    let script = "setsid -f bash -c 'for file in /proc/self/fd/*; do number=${file##*/}; \
                  [ $number -gt 2 ] && eval \"exec $number>&-\"; done; exec yes >&2'; sleep 987654";
    let finished = run(script, Duration::from_millis(500));
    assert_eq!(finished.ending, Ending::TimedOut);
    assert!(finished.stderr.starts_with("y\n"), "{}", finished.stderr);
    assert!(finished.elapsed < LONG);
}

#[test]
fn a_process_starts_with_default_signals() {
    let finished = run("grep '^Sig[BI]' /proc/self/status >&2", LONG);
    let none = "0000000000000000";
    let expected = format!("SigBlk:\t{none}\nSigIgn:\t{none}\n");
    assert_eq!(finished.stderr, expected);
}

#[test]
fn a_process_that_is_paused_stops_and_goes_on() {
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    let cancel = Cancel::new().expect("an eventfd");
    let command = ["sleep", "987654"].map(OsString::from);
    let process = Process::start(&command, &[], LONG, &cancel).expect("sleep");
    let id = Pid::from_child(&process.child);
    let seen = |options: WaitIdOptions| {
        let status = waitid(WaitId::Pid(id), options).expect("a child");
        let status = status.expect("a change of its state");
        (status.stopped(), status.continued())
    };
    process.pause();
    assert_eq!(seen(WaitIdOptions::STOPPED), (true, false));
    process.go_on();
    assert_eq!(seen(WaitIdOptions::CONTINUED), (false, true));
    process.pause();
    // Stopped, it is killed all the same.
    drop(process);
}
