//! Ctrl-C and kill -9 in the middle: the tree is as it was found, nothing runs on, and the same command goes on.

use std::io::Read as _;
use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};

use super::{DROPS_AVX2, Repository, commits};
use crate::events::NEVER;
use crate::world::World;

/// 64 commits, the 41st drops avx2, and while a file `block` is there the build of those from 34 to 48 goes on for ever, once the
/// first few steps are done.
fn blocking() -> Option<(World, Repository)> {
    let world = World::new(&[], &[])?;
    let mut history = commits(64, 41, DROPS_AVX2, &[]);
    let path = |name: &str| world.path(name).display().to_string();
    let build = format!(
        "if [ -e {} ]; then echo > {}; cat {}; fi",
        path("block"),
        path("blocked"),
        path(NEVER)
    );
    for commit in &mut history[33..48] {
        commit.build.clone_from(&build);
    }
    let repo = Repository::new(&world, history);
    world.write("block", "");
    Some((world, repo))
}

/// Starts it, waits until a build hangs, and sends the signal: the program, and all that it printed on standard error.
fn interrupt(world: &World, repo: &Repository, signal: Signal) -> (Child, String) {
    let blocked = world.milestone("blocked");
    let mut child = repo.start(world);
    blocked.wait(&child);
    kill_process(Pid::from_child(&child), signal).expect("a process");
    let mut printed = String::new();
    let mut stderr = child.stderr.take().expect("a pipe");
    stderr.read_to_string(&mut printed).expect("stderr");
    (child, printed)
}

/// Ends with the commit; no commit is built twice but the one that was interrupted.
fn goes_on(world: &World, repo: &Repository) {
    let before = repo.built(world);
    std::fs::remove_file(world.path("block")).expect("the file");
    let ended = repo.bisect(world, &[]).expect(0);
    ended.prints(&format!("first bad commit: {} commit 41\n", repo.id(41)));
    let after = repo.built(world).split_off(before.len());
    let hung = before.last().expect("a commit");
    let again: Vec<_> = after
        .iter()
        .filter(|number| before.contains(number))
        .collect();
    assert!(
        again.is_empty() || again == [hung],
        "built {before:?}, then {after:?}"
    );
    repo.assert_as_found();
    world.assert_clean();
}

#[test]
fn ctrl_c_leaves_the_tree_as_found_and_the_same_command_goes_on() {
    let (world, repo) = or_skip!(blocking());
    let (mut child, printed) = interrupt(&world, &repo, Signal::INT);
    assert_eq!(child.wait().expect("an end").code(), Some(3), "{printed}");
    // The two ends and the first step.
    assert!(
        printed.contains("interrupted: the same command goes on from here; 3 commits are known"),
        "{printed}"
    );
    repo.assert_as_found();
    world.assert_clean();
    goes_on(&world, &repo);
}

#[test]
fn a_bisect_that_was_killed_is_brought_back_and_goes_on() {
    let (world, repo) = or_skip!(blocking());
    let (mut child, _) = interrupt(&world, &repo, Signal::KILL);
    assert_eq!(child.wait().expect("an end").code(), None);
    // Nothing that it started runs on.
    world.assert_clean();
    goes_on(&world, &repo);
}
