//! Kills at random instants.

use std::fs::File;
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use super::left;
use super::random::{Random, number};
use super::repository::Repository;
use super::verbs::{self, Verb};
use super::world::World;

/// A verb that takes longer than this is not run to its end after each kill.
const SHORT: Duration = Duration::from_secs(8);
/// A verb that takes longer than this is killed within this time.
const LONG: Duration = Duration::from_secs(20);
/// How long what a program started may take to end once that is gone.
const ENDING: Duration = Duration::from_secs(5);
/// How long a program may take to end that is asked to.
const GRACE: Duration = Duration::from_secs(12);

/// Where the verb prints that is killed.
const PRINTED: &str = ".printed";

#[test]
fn kills_leave_no_process_and_no_file_and_whole_results_and_what_resumes_resumes() {
    kill(6, 6);
}

#[test]
#[ignore = "takes many minutes: a part of `make nightly`"]
fn many_kills_of_every_verb_leave_nothing_and_what_resumes_resumes() {
    kill(number("STRESS_KILLS").unwrap_or(200), usize::MAX);
}

/// Kills `count` times, the first `of` verbs in turn.
fn kill(count: u64, of: usize) {
    let (world, repo, mut verbs) = or_skip!(verbs::world());
    verbs.truncate(of);
    world.write(PRINTED, "");
    let mut random = Random::new();
    let mut problems = Vec::new();
    let mut early = 0;
    for (round, index) in (0..count).zip((0..verbs.len()).cycle()) {
        let verb = &mut verbs[index];
        let kill = Kill::random(&mut random, usual(&world, verb).1);
        let what = format!("kill {round}: {} {kill:?}", verb.name);
        let (was_early, found) = kill.problems(&world, &repo, verb);
        early += u64::from(was_early);
        eprintln!("{what}{}", if was_early { "" } else { ": it had ended" });
        problems.extend(found.iter().map(|problem| format!("{what}: {problem}")));
    }
    let found = problems.len();
    eprintln!("{count} kills, {early} before the verb had ended by itself; {found} problems");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// One kill.
#[derive(Debug)]
struct Kill {
    signal: Signal,
    after: Duration,
    /// Whether nothing is known of the QEMU.
    cold: bool,
}

impl Kill {
    /// Of a verb that takes this long.
    fn random(random: &mut Random, usual: Duration) -> Kill {
        let signal = [Signal::KILL, Signal::TERM, Signal::INT][random.below(3) as usize];
        let instants = usual.min(LONG).as_millis() as u64;
        Kill {
            signal,
            after: Duration::from_millis(random.below(instants)),
            cold: random.below(2) == 0,
        }
    }

    /// Whether the verb was still at work, and all that is wrong afterwards.
    fn problems(&self, world: &World, repo: &Repository, verb: &Verb) -> (bool, Vec<String>) {
        prepare(world, verb, self.cold);
        let before = left::files(world);
        let (mut found, was_early) = interrupted(world, verb, self.signal, self.after);
        let mut add = |what: &str, all: Vec<String>| {
            found.extend(all.iter().map(|one| format!("{what}: {one}")));
        };
        add("left running", left::processes(world, ENDING));
        let killed = self.signal == Signal::KILL;
        add("left behind", left::unnamed(world, verb, &before, killed));
        add("not whole", left::cut(world));
        let (status, took) = verb.usual.unwrap_or_default();
        if took < SHORT || ["nightly", "bisect"].contains(&verb.name) {
            found.extend(goes_on(world, repo, verb, status));
        }
        (was_early, found)
    }
}

/// How the verb goes when it is left alone.
fn usual(world: &World, verb: &mut Verb) -> (Option<i32>, Duration) {
    if verb.usual.is_none() {
        let ended = run(world, verb);
        verb.usual = Some((ended.status, ended.took));
    }
    verb.usual.unwrap_or_default()
}

fn run(world: &World, verb: &Verb) -> super::world::Ended {
    let arguments: Vec<&str> = verb.arguments.iter().map(String::as_str).collect();
    world.run(&arguments)
}

/// Has the verb something to do, whatever was done before.
fn prepare(world: &World, verb: &Verb, cold: bool) {
    if verb.name == "bisect" {
        let _ = std::fs::remove_dir_all(world.path(".cache/bisect"));
    }
    if cold {
        let _ = std::fs::remove_dir_all(world.path(".cache/offers"));
    }
}

/// Sends the signal; what is wrong with how the program ended, and whether it had not ended before.
fn interrupted(world: &World, verb: &Verb, signal: Signal, after: Duration) -> (Vec<String>, bool) {
    let arguments: Vec<&str> = verb.arguments.iter().map(String::as_str).collect();
    // In a file: whatever is left over would keep a pipe open.
    let printed = world.path(PRINTED);
    let file = File::create(&printed).expect("a file");
    let mut command = world.command(&arguments);
    command
        .stdout(file.try_clone().expect("a file"))
        .stderr(file);
    let mut child = command.spawn().expect("the binary");
    let early = !ends_within(&child, after);
    let _ = kill_process(Pid::from_child(&child), signal);
    let sent = Instant::now();
    let mut problems = Vec::new();
    if !ends_within(&child, GRACE) {
        problems.push(format!("still there {:?} after the signal", sent.elapsed()));
        let _ = child.kill();
    }
    let status = child.wait().expect("an end");
    let text = std::fs::read(&printed).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    if status.code() == Some(101) || text.contains("panicked at") {
        problems.push(format!("panicked: {text}"));
    }
    (problems, early)
}

fn ends_within(child: &Child, time: Duration) -> bool {
    let pidfd = pidfd_open(Pid::from_child(child), PidfdFlags::empty()).expect("a process");
    let time = Timespec::try_from(time).expect("a time");
    poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&time)) == Ok(1)
}

/// What is wrong when the same command is given again.
fn goes_on(world: &World, repo: &Repository, verb: &Verb, usual: Option<i32>) -> Option<String> {
    let again = run(world, verb);
    if again.status != usual || !again.stdout.contains(verb.prints) {
        return Some(format!(
            "the same command ended with {:?} in place of {usual:?}:\n{}{}",
            again.status, again.stdout, again.stderr
        ));
    }
    if verb.name == "bisect" {
        let wanted = format!("first bad commit: {}", repo.id(9));
        repo.assert_as_found();
        return (!again.stdout.contains(&wanted))
            .then(|| format!("not the commit: {}", again.stdout));
    }
    let part = world.path("out/run.jsonl.part");
    part.exists()
        .then(|| "the run has ended, and its part is left".to_owned())
}
