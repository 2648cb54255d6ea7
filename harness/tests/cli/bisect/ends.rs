//! Ends that are none, trees that are not to be touched, builds that cannot go on.

use super::{CASE, DROPS_AVX2, LOST, Repository, commits, plain};
use crate::world::World;

#[test]
fn ends_that_are_none_are_refused() {
    let world = or_skip!(World::new(&["EPYC-v1"], &[]));
    let mut history = commits(8, 5, DROPS_AVX2, &[6]);
    history[6] = plain();
    history[7].script = "case \"$*\" in *-bios*) exit 1 ;; esac".to_owned();
    let repo = Repository::new(&world, history);
    let alike = "nothing to bisect: the two ends do not differ";
    for (ends, status, wanted) in [
        (
            (5, 1),
            2,
            format!("good and bad are swapped: {} came before", repo.id(1)),
        ),
        ((1, 1), 2, "good and bad are the same commit".to_owned()),
        ((1, 3), 2, alike.to_owned()),
        (
            (6, 7),
            3,
            "the good end does not build: cpu.c:7: error: no such thing".to_owned(),
        ),
        (
            (1, 6),
            3,
            "the bad end does not build: cpu.c:7: error: no such thing".to_owned(),
        ),
    ] {
        repo.between(&world, CASE, ends, &[])
            .expect(status)
            .prints(&wanted);
        repo.assert_as_found();
    }
    // Swapped in what they show, though not in their order: the expectation shows it.
    world.record_expectations();
    let case = format!("definition/{}/-/EPYC-v1", world.offers().release_folder());
    let ended = repo.between(&world, &case, (5, 7), &[]).expect(2);
    ended.prints(&format!(
        "good and bad are swapped: the case fails at the good end and holds at the bad one: {LOST}"
    ));
    let ended = repo.between(&world, &case, (1, 2), &[]).expect(2);
    ended.prints("nothing to bisect: the case holds at both ends");
    // A good end that cannot be run.
    let broken = repo.git(&["commit-tree", "main^{tree}", "-p", "main", "-m", "next"]);
    repo.git(&["checkout", "-q", "main"]);
    let folder = repo.folder().display().to_string();
    let good = repo.id(8);
    let arguments = [
        "bisect", "qemu", "--repo", &folder, "--good", &good, "--bad", &broken, "--case", CASE,
        "--build", "true", "--binary", "qemu",
    ];
    let ended = world.run(&arguments).expect(3);
    ended.prints("the case cannot be run at the good end: QEMU exited with status 1");
    world.assert_clean();
}

#[test]
fn what_is_no_repository_no_commit_or_no_case_is_told() {
    let world = or_skip!(World::new(&[], &[]));
    let repo = Repository::new(&world, commits(4, 3, DROPS_AVX2, &[]));
    let folder = repo.folder().display().to_string();
    let tmp = world.path("tmp").display().to_string();
    let run = |repo: &str, bad: &str, case: &str| {
        let arguments = [
            "bisect", "qemu", "--repo", repo, "--good", "main~3", "--bad", bad, "--case", case,
            "--build", "true", "--binary", "qemu",
        ];
        world.run(&arguments).expect(2)
    };
    run(&tmp, "main", CASE).prints("fatal: not a git repository");
    run(&folder, "nonsense", CASE).prints("“nonsense” is no commit in ");
    run(&folder, "main", "EPYC-v1").prints("“EPYC-v1” names no case to bisect");
    run(&folder, "main", "lab/-/kvm").prints("lab/-/kvm varies the kernel: `bisect kernel`");
    repo.assert_as_found();
}

#[test]
fn a_tree_with_local_changes_is_refused_and_untouched() {
    let world = or_skip!(World::new(&[], &[]));
    let repo = Repository::new(&world, commits(4, 3, DROPS_AVX2, &[]));
    let path = repo.folder().join("qemu");
    std::fs::write(&path, "my own work\n").expect("a file");
    let ended = repo.bisect(&world, &[]).expect(2);
    ended.prints("local changes in ");
    ended.prints("which is left as it is; commit or stash them first:  M qemu");
    assert_eq!(
        std::fs::read_to_string(&path).expect("the file"),
        "my own work\n"
    );
    assert!(!repo.folder().join(".git/BISECT_START").exists());
    assert!(repo.built(&world).is_empty());
}

#[test]
fn a_bisect_of_somebody_else_is_left_alone() {
    let world = or_skip!(World::new(&[], &[]));
    let repo = Repository::new(&world, commits(8, 3, DROPS_AVX2, &[]));
    repo.git(&["bisect", "start", "main", "main~7"]);
    let before = repo.git(&["bisect", "log"]);
    let ended = repo.bisect(&world, &[]).expect(2);
    ended.prints("a bisect is under way in ");
    ended.prints("`git bisect reset` ends it");
    assert_eq!(repo.git(&["bisect", "log"]), before);
}

#[test]
fn a_full_disk_ends_the_bisect_and_skips_nothing() {
    let world = or_skip!(World::new(&[], &[]));
    let mut history = commits(16, 3, DROPS_AVX2, &[]);
    for commit in &mut history[1..15] {
        commit.build =
            "echo 'ld: final link failed: No space left on device' >&2; exit 1".to_owned();
    }
    let repo = Repository::new(&world, history);
    let ended = repo.bisect(&world, &[]).expect(3);
    ended
        .prints("error: no space left to build in: ld: final link failed: No space left on device");
    assert!(super::steps(&ended.stdout).is_empty(), "{}", ended.stdout);
    repo.assert_as_found();
    world.assert_clean();
}

#[test]
fn a_build_that_leaves_no_qemu_ends_the_bisect() {
    let world = or_skip!(World::new(&[], &[]));
    let repo = Repository::new(&world, commits(4, 3, DROPS_AVX2, &[]));
    let ended = repo
        .bisect(&world, &["--binary", "other"])
        .status
        .expect("a status");
    assert_eq!(ended, 2, "--binary twice is a mistake");
    let folder = repo.folder().display().to_string();
    let arguments = [
        "bisect", "qemu", "--repo", &folder, "--good", "main~3", "--bad", "main", "--case", CASE,
        "--build", "true",
    ];
    let ended = world.run(&arguments).expect(3);
    ended.prints("the build left no ");
    ended.prints("/build/qemu-system-x86_64; --binary or --image says where it is");
    repo.assert_as_found();
}
