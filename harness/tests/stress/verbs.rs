//! The verbs as they are killed: their arguments, and the files that they name.

use std::time::Duration;

use super::CASE;
use super::repository::{Repository, commits};
use super::require::{Capability, require};
use super::world::World;

/// A command line.
pub struct Verb {
    /// For messages.
    pub name: &'static str,
    pub arguments: Vec<String>,
    /// Folders and files that it may leave, below the world's folder.
    pub named: &'static [&'static str],
    /// Part of a line that it prints at its end, however often it was interrupted.
    pub prints: &'static str,
    /// How it goes when it is left alone.
    pub usual: Option<(Option<i32>, Duration)>,
}

/// One by its command line.
pub fn verb(
    name: &'static str,
    line: &str,
    named: &'static [&'static str],
    prints: &'static str,
) -> Verb {
    Verb {
        name,
        arguments: line.split(' ').map(str::to_owned).collect(),
        named,
        prints,
        usual: None,
    }
}

/// A world with results, expectations and a repository, and its verbs; those that go on where they were interrupted come first.
pub fn world() -> Option<(World, Repository, Vec<Verb>)> {
    let qemu = require(Capability::QemuRelease("10.0"))?;
    let mut world = World::new(&[], &[])?;
    world.real.clone_from(&qemu);
    world.qemu = qemu;
    world.select(&["486-v1", "EPYC-v1"], &["pc-q35-9.2"], &["n270-v1"]);
    world.record_expectations();
    let text = std::fs::read_to_string(world.path("fidelity.toml")).expect("the configuration");
    // Named there, too, it emulates hosts.
    let text = text.replace("qemu = []", &format!("qemu = [{:?}]", world.qemu));
    let (head, selection) = text.split_once("[default]").expect("a selection");
    world.configure(&format!("{head}[default]{selection}[nightly]{selection}"));
    let repo = Repository::new(
        &world,
        commits(16, 9, "-global EPYC-v1-x86_64-cpu.avx2=off", &[]),
    );
    let verbs = verbs(&world, &repo);
    world.run(&["run", "--json", "in.jsonl"]);
    Some((world, repo, verbs))
}

fn verbs(world: &World, repo: &Repository) -> Vec<Verb> {
    let qemu = world.qemu.display();
    let migrate = format!("migrate --from {qemu} --to {qemu} --machine pc-q35-10.0 --cpu EPYC-v1");
    let bisect = Verb {
        arguments: repo.arguments(CASE, (1, 16), &[]),
        ..verb("bisect", "", &["repo", "built.log"], "first bad commit: ")
    };
    let run = "run --json out/run.jsonl --resume --junit out/run.xml --ktap out/run.ktap --markdown out/run.md --html out/run.html";
    let mut verbs = vec![
        verb(
            "nightly",
            "nightly --history nights",
            &["nights"],
            "kept in ",
        ),
        bisect,
        verb("run", run, &["out"], " run: "),
        verb(
            "migrate",
            &format!("{migrate} --both --json out/migrate.jsonl"),
            &["out"],
            "CLEAN ",
        ),
        verb(
            "save",
            &format!("{migrate} --save=out/saved"),
            &["out"],
            "CLEAN ",
        ),
        verb(
            "record",
            "record --cpu EPYC-v1 --lane tcg --out out/record.json",
            &["out"],
            "",
        ),
        verb("dump", "dump --cpu EPYC-v1", &[], "avx2"),
        verb("list", "list", &[], "definition/qemu-10.0/-/486-v1"),
        verb(
            "check",
            "check --cpu EPYC-v1 --lane tcg",
            &[],
            "check/tcg/qemu-10.0/",
        ),
        verb(
            "explain",
            "explain --cpu EPYC-v1 --feature avx2 --lane tcg",
            &[],
            "avx2",
        ),
        verb("show", "show 486-v1", &[], "fpu"),
        verb("diff", "diff 486-v1 n270-v1", &[], "pni"),
        verb(
            "merge",
            "merge in.jsonl --json out/merge.jsonl --html out/merge.html",
            &["out"],
            " run: ",
        ),
        verb(
            "report",
            "report in.jsonl --html out/report.html --kcidb out/report.kcidb",
            &["out"],
            " run: ",
        ),
        verb("catalogue", "catalogue --check", &[], ""),
    ];
    verbs.extend(of_kernel());
    verbs.extend(of_libvirt());
    verbs
}

fn of_kernel() -> Option<Verb> {
    let kernel = require(Capability::Kernel("6.12"))?;
    let line = format!(
        "lab --quiet --cpu 486-v1 --json out/lab.jsonl --kernel {}",
        kernel.display()
    );
    Some(verb("lab", &line, &["out"], " run: "))
}

fn of_libvirt() -> Vec<Verb> {
    let all = [
        Capability::UserNamespaces,
        Capability::Libvirt,
        Capability::CpuMap,
    ];
    if all.into_iter().any(|needed| require(needed).is_none()) {
        return Vec::new();
    }
    let check = "check --cpu Nehalem --lane libvirt";
    vec![
        verb("libvirt guest", check, &[], "check/libvirt/qemu-10.0/"),
        verb("libvirt", "libvirt maps", &[], ""),
        verb("domain", "domain --cpu EPYC-v4", &[], "EPYC"),
    ]
}
