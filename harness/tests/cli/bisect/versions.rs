//! Ordered lists: wrappers, and kernels in labs; `bisect kernel`.

use std::path::PathBuf;

use super::{CASE, DROPS_AVX2, LOST, Repository};
use crate::require::{Capability, require, root};
use crate::world::World;

/// Links to two wrappers, in the order of a list that turns at `bad`.
fn list(world: &mut World, count: usize, bad: usize) -> Vec<String> {
    let good = world.real.clone();
    world.add_arguments(DROPS_AVX2);
    let folder = world.path("versions");
    std::fs::create_dir(&folder).expect("a folder");
    let link = |index: usize| {
        let path = folder.join(index.to_string());
        let target = if index < bad { &good } else { &world.qemu };
        // The real one finds its firmware beside itself; a link's own folder has none, which the agent does without.
        std::os::unix::fs::symlink(target, &path).expect("a link");
        path.display().to_string()
    };
    (0..count).map(link).collect()
}

fn bisect(world: &World, list: &[String], more: &[&str]) -> crate::world::Ended {
    let mut arguments = vec!["bisect", "versions", "--qemu"];
    arguments.extend(list.iter().map(String::as_str));
    arguments.extend(more);
    world.run(&arguments)
}

#[test]
fn sixteen_steps_over_binaries_take_less_than_fifteen_seconds() {
    let mut world = or_skip!(World::new(&[], &[]));
    // The steps are what costs: those over 65,537 binaries are as many as over these, each tested.
    let list = list(&mut world, 300, 199);
    let ended = bisect(&world, &list, &["--case", CASE]).expect(0);
    let tests = ended.stderr.matches("tested ").count();
    assert!((10..=11).contains(&tests), "{}", ended.stderr);
    let sixteen = ended.took * 18 / u32::try_from(tests).expect("a few");
    assert!(sixteen.as_secs() < 15, "{sixteen:?}");
    ended.prints(&format!(
        "first to show it: {}; last that does not: {}\n  {LOST} (layer: qemu)\n",
        list[199], list[198]
    ));
    world.assert_clean();
}

#[test]
fn a_list_that_does_not_turn_is_told() {
    let mut world = or_skip!(World::new(&["EPYC-v1"], &[]));
    world.record_expectations();
    let case = format!("definition/{}/-/EPYC-v1", world.offers().release_folder());
    let list = list(&mut world, 4, 2);
    let alike = bisect(&world, &list[..2], &["--case", CASE]).expect(2);
    alike.prints("nothing to bisect: the two ends do not differ");
    let reversed: Vec<String> = list.iter().rev().cloned().collect();
    let swapped = bisect(&world, &reversed, &["--case", &case]).expect(2);
    swapped.prints("good and bad are swapped: the case fails at the good end");
    let one = bisect(&world, &list[..1], &["--case", CASE]).expect(2);
    one.prints("a list of two or more wanted, the good end first");
    let gone = [list[0].clone(), "nowhere".to_owned()];
    bisect(&world, &gone, &["--case", CASE])
        .expect(2)
        .prints("no QEMU “nowhere” here");
    bisect(&world, &list, &["--case", "lab/-/kvm"])
        .expect(2)
        .prints("lab/-/kvm varies the kernel, and the list is of QEMUs");
    let feature = bisect(&world, &list, &["--case", CASE, "--feature", "avx3"]).expect(2);
    feature.prints("no feature “avx3”; near to it: ");
}

/// A world for labs, and those of these kernels that are unpacked: 6.1 and 6.12 at least.
fn kernels(versions: &[&str]) -> Option<(World, Vec<PathBuf>)> {
    require(Capability::Kernel("6.1"))?;
    let (world, _) = World::with_kernel()?;
    let cache = root().join(".cache/kernels");
    let paths = versions.iter().map(|version| cache.join(version));
    let kernels = paths.filter(|path| path.exists()).collect();
    Some((world, kernels))
}

#[test]
fn the_kernel_in_which_a_kvm_feature_first_appears_is_found() {
    let (world, kernels) = or_skip!(kernels(&["5.10", "6.1", "6.12", "7.3"]));
    let mut arguments = vec!["bisect", "versions", "--kernel"];
    let paths: Vec<String> = kernels
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    arguments.extend(paths.iter().map(String::as_str));
    arguments.extend(["--feature", "fzrm"]);
    let ended = world.run(&arguments).expect(0);
    let path = |version: &str| {
        let mut paths = paths.iter();
        paths
            .find(|path| path.ends_with(version))
            .expect("a kernel")
    };
    ended.prints(&format!(
        "first to show it: {}; last that does not: {}\n  gained fzrm at CPUID.07H.01H:EAX[10] (layer: kvm)\n",
        path("/6.12"),
        path("/6.1")
    ));
    ended.prints("cpuid-fidelity dump --view kvm --kernel ");
    world.assert_clean();
}

#[test]
fn a_kernel_commit_is_found_in_the_lab() {
    let (world, _) = or_skip!(kernels(&["6.1", "6.12"]));
    let cache = root().join(".cache/kernels");
    let version = |version: &str| format!("ln -sfn {} out\n", cache.join(version).display());
    let (old, new) = (version("6.1"), version("6.12"));
    let broken = "echo 'no rule to make target' >&2; exit 2\n";
    let files = |build| [("build.sh", build), (".gitignore", "out\n")];
    let history = [&old, broken, &old, &new, &new].map(|build: &str| files(build));
    let history: Vec<&[(&str, &str)]> = history.iter().map(|files| &files[..]).collect();
    let repo = Repository::of_files(&world, &history);
    let folder = repo.folder().display().to_string();
    let ended = world
        .run(&[
            "bisect",
            "kernel",
            "--repo",
            &folder,
            "--good",
            "main~4",
            "--bad",
            "main",
            "--feature",
            "fzrm",
            "--build",
            "sh build.sh",
            "--image",
            "out",
        ])
        .expect(0);
    ended.prints(&format!(
        "first bad commit: {} commit 4\n  Tester <tester@example.org>, ",
        repo.id(4)
    ));
    ended.prints("  gained fzrm at CPUID.07H.01H:EAX[10] (layer: kvm)\n");
    ended.prints("Subject: KVM: x86: gained fzrm at CPUID.07H.01H:EAX[10]\n");
    repo.assert_as_found();
    world.assert_clean();
}
