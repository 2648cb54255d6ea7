//! `bisect`: repositories made for the test, whose commits are wrapper scripts around the real QEMU, and kernels in labs.

mod ends;
mod interrupted;
mod repository;
mod versions;

use repository::{Commit, Repository, commits};

use super::world::World;

/// The case that every repository here is bisected for.
const CASE: &str = "definition/-/-/EPYC-v1";
const LOST: &str = "lost avx2 at CPUID.07H.00H:EBX[5]";
const DROPS_AVX2: &str = "-global EPYC-v1-x86_64-cpu.avx2=off";

/// Lines that a step printed: git's order, one a commit.
fn steps(stdout: &str) -> Vec<&str> {
    let step = |line: &&str| {
        let mut fields = line.split_whitespace();
        ["good", "bad", "skip"].contains(&fields.next().unwrap_or_default())
            && fields.nth(1) == Some("commit")
    };
    stdout.lines().filter(step).collect()
}

#[test]
fn the_commit_that_adds_a_global_is_named_in_seven_steps() {
    let world = or_skip!(World::new(&[], &[]));
    let repo = Repository::new(&world, commits(64, 41, DROPS_AVX2, &[10, 32, 36, 50]));
    let ended = repo.bisect(&world, &[]).expect(0);
    let steps = steps(&ended.stdout);
    assert!(steps.len() <= 7, "{steps:#?}");
    assert!(
        steps.iter().any(|step| step.starts_with("skip")
            && step.ends_with("commit 32  cpu.c:7: error: no such thing")),
        "{steps:#?}"
    );
    ended.prints(&format!("hunted: {LOST}\n"));
    let commit = repo.id(41);
    ended.prints(&format!(
        "first bad commit: {commit} commit 41\n  Tester <tester@example.org>, 2023-11-14T22:14:02Z\n  {LOST} (layer: qemu)\n\
         -cpuid 0x00000007.00 ebx[ 5]     avx2\n\n"
    ));
    // The draft: what a maintainer needs.
    ended.prints(&format!("Subject: target/i386: {LOST}\n"));
    ended.prints(&format!("    commit {commit}\n"));
    ended.prints("    -cpuid 0x00000007.00 ebx[ 5]     avx2\n");
    ended.prints("-cpu EPYC-v1,x-force-features=on");
    ended.prints(&format!("    # first bad commit: [{commit}] commit 41\n"));
    repo.assert_as_found();
    world.assert_clean();
}

#[test]
fn what_cannot_be_built_beside_the_commit_is_told() {
    let world = or_skip!(World::new(&[], &[]));
    let repo = Repository::new(&world, commits(16, 9, DROPS_AVX2, &[7, 8]));
    let ended = repo.bisect(&world, &[]).expect(3);
    ended.prints(&format!(
        "first bad commit that could be tested: {} commit 9\n",
        repo.id(9)
    ));
    let short = |number| repo.id(number)[..12].to_owned();
    for number in [7, 8] {
        ended.prints(&format!("{} commit {number}", short(number)));
    }
    repo.assert_as_found();
}

#[test]
fn a_qemu_that_crashes_is_skipped_where_a_changed_guest_is_hunted() {
    let world = or_skip!(World::new(&[], &[]));
    let mut history = commits(16, 9, DROPS_AVX2, &[]);
    history[7].script = "case \"$*\" in *-bios*) kill -SEGV $$ ;; esac".to_owned();
    let repo = Repository::new(&world, history);
    let ended = repo.bisect(&world, &[]).expect(3);
    ended.prints("commit 8  QEMU was killed by signal 11");
    ended.prints(&format!(
        "first bad commit that could be tested: {}",
        repo.id(9)
    ));
}

#[test]
fn a_crash_is_hunted_where_the_bad_end_crashes() {
    let world = or_skip!(World::new(&[], &[]));
    // In between the guest merely changes, which is good here.
    let mut history = commits(16, 5, DROPS_AVX2, &[]);
    for commit in &mut history[10..] {
        commit.script =
            "case \"$*\" in *-bios*) echo 'qemu: assertion failed' >&2; kill -ABRT $$ ;; esac"
                .to_owned();
    }
    let repo = Repository::new(&world, history);
    let ended = repo.bisect(&world, &[]).expect(0);
    ended.prints("hunted: QEMU was killed by signal 6");
    ended.prints(&format!("first bad commit: {} commit 11\n", repo.id(11)));
    ended.prints("Since then this guest cannot be run to its end:\n");
    ended.prints("qemu: assertion failed");
}

#[test]
fn another_difference_is_left_for_another_bisect() {
    let world = or_skip!(World::new(&[], &[]));
    let mut history = commits(16, 5, DROPS_AVX2, &[]);
    for commit in &mut history[12..] {
        commit
            .added
            .push_str(" -global EPYC-v1-x86_64-cpu.bmi1=off");
    }
    let repo = Repository::new(&world, history);
    let ended = repo.bisect(&world, &[]).expect(0);
    ended.prints(&format!("first bad commit: {} commit 5\n", repo.id(5)));
    ended.prints(
        "the bad end has more, which came later: lost bmi1 at CPUID.07H.00H:EBX[3]; `--feature` singles one out",
    );
    let ended = repo.bisect(&world, &["--feature", "bmi1"]).expect(0);
    ended.prints(&format!("first bad commit: {} commit 13\n", repo.id(13)));
}

#[test]
fn an_expectation_is_what_a_case_is_held_against() {
    let world = or_skip!(World::new(&["EPYC-v1"], &[]));
    world.record_expectations();
    let release = world.offers().release_folder();
    let repo = Repository::new(&world, commits(8, 4, DROPS_AVX2, &[]));
    let case = format!("definition/{release}/-/EPYC-v1");
    let ended = repo.bisect_case(&world, &case, &[]).expect(0);
    ended.prints(&format!("first bad commit: {} commit 4\n", repo.id(4)));
    let ended = repo
        .between(&world, &case, (5, 8), &["--report", "draft.txt"])
        .expect(2);
    ended.prints(&format!(
        "error: the case fails at the good end: {LOST}; `--against good` takes what it shows there for what is expected"
    ));
    assert!(!world.path("draft.txt").exists());
    repo.assert_as_found();
}

#[test]
fn one_step_by_hand_keeps_to_gits_contract() {
    let mut world = or_skip!(World::new(&["EPYC-v1"], &[]));
    world.record_expectations();
    let case = format!("definition/{}/-/EPYC-v1", world.offers().release_folder());
    let step = |world: &World, more: &[&str], status| {
        let qemu = world.qemu.to_string_lossy().into_owned();
        let arguments = [&["--qemu", &qemu, "bisect", "step"], more].concat();
        world.run(&arguments).expect(status)
    };
    step(&world, &["--case", &case], 0).prints("good  definition/");
    step(&world, &["--case", &case, "--build", "exit 7"], 125)
        .prints("the build ended with status 7");
    step(&world, &["--case", "nonsense"], 128).prints("names no case to bisect");
    step(&world, &["--case", CASE], 128)
        .prints("definition/-/-/EPYC-v1 names no expectation, and one step knows no good end: --against FILE");
    step(&world, &["--nonsense"], 128).prints("unexpected argument");
    step(&world, &["--state", "nowhere"], 128).prints("no bisect is kept in nowhere");
    world.add_arguments(DROPS_AVX2);
    step(&world, &["--case", &case], 1).prints(LOST);
    step(&world, &["--case", &case, "--feature", "bmi1"], 0).prints("good  definition/");
    step(&world, &["--case", &case, "--hunt-breakage"], 0).prints("good  definition/");
    world.replace_guests("exit 1");
    step(&world, &["--case", &case], 125).prints("QEMU exited with status 1");
    step(&world, &["--case", &case, "--hunt-breakage"], 1).prints("QEMU exited with status 1");
}

#[test]
fn a_file_is_what_a_step_is_held_against() {
    let mut world = or_skip!(World::new(&[], &[]));
    let dump = world
        .run(&["dump", "--cpu", "EPYC-v1", "--format", "json"])
        .expect(0);
    world.write("good.json", &dump.stdout);
    let arguments = ["bisect", "step", "--case", CASE, "--against", "good.json"];
    let step = |world: &World, status| {
        let qemu = world.qemu.to_string_lossy().into_owned();
        world
            .run(&[&["--qemu", &qemu], &arguments[..]].concat())
            .expect(status)
    };
    step(&world, 0);
    world.add_arguments(DROPS_AVX2);
    step(&world, 1).prints(LOST);
}

/// A commit's QEMU is the real one.
fn plain() -> Commit {
    Commit::default()
}
