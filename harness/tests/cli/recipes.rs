//! Recipes for runners: their scripts, taken out of their files and run, and their files, checked by the tool of their kind.

use std::process::Command;

use serde_json::Value;

use super::require::root;
use super::world::World;

mod lint;
mod site;

use site::{Site, read, recipe, text, yaml};

/// The models of which each part runs one.
const MODELS: [&str; 4] = ["486-v1", "n270-v1", "EPYC-v1", "Skylake-Server-v4"];

/// A world whose nights have four guests, and which knows what they see.
fn world() -> Option<World> {
    let world = World::new(&MODELS, &[])?;
    world.write("expectations/waivers.toml", "");
    world.record_expectations();
    let text = read(&world.path("fidelity.toml"));
    world.configure(&text.replace("[default]", "[nightly]"));
    Some(world)
}

/// A recipe with parts and a merge, as its runner runs them; the exit statuses of its jobs.
struct Parts {
    part: fn(&Site, usize) -> Option<i32>,
    merge: fn(&Site) -> Option<i32>,
}

const GITLAB: Parts = Parts {
    part: |site, part| gitlab(site, "part", part),
    merge: |site| gitlab(site, "merge", 1),
};
const GITHUB: Parts = Parts {
    part: |site, part| github(site, "part", part),
    merge: |site| github(site, "merge", 1),
};
const KUBERNETES: Parts = Parts {
    part: kubernetes,
    merge: |site| Some(site.run(&["sh", "-c", "cpuid-fidelity merge out/part-*.jsonl"], &[])),
};

/// As a GitLab runner does it: the lines of a job are one script, which ends at the first that fails.
fn gitlab(site: &Site, job: &str, part: usize) -> Option<i32> {
    let recipe = yaml("gitlab.yml")?;
    let lines = lines(&recipe[job]["script"]).join("\n");
    let count = recipe["part"]["parallel"].to_string();
    let index = part.to_string();
    let variables = [("CI_NODE_INDEX", &*index), ("CI_NODE_TOTAL", &*count)];
    Some(site.run(&["bash", "-eo", "pipefail", "-c", &lines], &variables))
}

/// As GitHub does it: a shell a step, with expressions put in before.
fn github(site: &Site, job: &str, part: usize) -> Option<i32> {
    let recipe = yaml("github.yml")?;
    let steps = recipe["jobs"][job]["steps"].as_array().expect("steps");
    let commands = steps.iter().filter_map(|step| step["run"].as_str());
    let commands = commands.map(|command| command.replace("${{ matrix.part }}", &part.to_string()));
    let statuses = commands.map(|command| {
        assert!(!command.contains("${{"), "{command}");
        site.run(&["bash", "-eo", "pipefail", "-c", &command], &[])
    });
    Some(
        statuses
            .into_iter()
            .find(|status| *status != 0)
            .unwrap_or(0),
    )
}

/// As a pod does it: its volume is a folder here.
fn kubernetes(site: &Site, part: usize) -> Option<i32> {
    let recipe = yaml("kubernetes.yaml")?;
    let container = &recipe["spec"]["template"]["spec"]["containers"][0];
    let words = [lines(&container["command"]), lines(&container["args"])].concat();
    let out = format!("{}/", site.path("out").display());
    let words: Vec<String> = words
        .iter()
        .map(|word| word.replace("/out/", &out))
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let index = (part - 1).to_string();
    Some(site.run(&words, &[("JOB_COMPLETION_INDEX", &index)]))
}

fn lines(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().map(text).collect()
}

/// Healthy guests make every part and the merge succeed; one lost feature makes the merge alone fail, with status 1.
fn parts_run_and_the_merge_judges(recipe: &Parts) {
    for (arguments, status) in [("", 0), ("-global EPYC-v1-x86_64-cpu.avx2=off", 1)] {
        let mut world = or_skip!(world());
        world.add_arguments(arguments);
        let site = Site::with_program(world);
        for part in 1..=MODELS.len() {
            assert_eq!(or_skip!((recipe.part)(&site, part)), 0, "part {part}");
        }
        assert_eq!(or_skip!((recipe.merge)(&site)), status);
    }
}

/// A part succeeds where it left results, whatever they are: 0, 1 and 3. Any other status is its own failure.
fn a_part_fails_only_without_results(recipe: &Parts) {
    for status in [0, 1, 2, 3, 101, 137] {
        let site = Site::with_status(status);
        let succeeded = or_skip!((recipe.part)(&site, 1)) == 0;
        assert_eq!(succeeded, [0, 1, 3].contains(&status), "status {status}");
    }
}

#[test]
fn the_gitlab_recipe_runs_its_parts_and_its_merge_judges() {
    parts_run_and_the_merge_judges(&GITLAB);
}

#[test]
fn the_github_recipe_runs_its_parts_and_its_merge_judges() {
    parts_run_and_the_merge_judges(&GITHUB);
}

#[test]
fn the_kubernetes_recipe_runs_its_parts_and_a_merge_judges() {
    parts_run_and_the_merge_judges(&KUBERNETES);
}

#[test]
fn a_gitlab_part_fails_only_without_results() {
    a_part_fails_only_without_results(&GITLAB);
}

#[test]
fn a_github_part_fails_only_without_results() {
    a_part_fails_only_without_results(&GITHUB);
}

#[test]
fn a_kubernetes_part_fails_only_without_results() {
    a_part_fails_only_without_results(&KUBERNETES);
}

#[test]
fn the_slurm_recipe_merges_what_its_array_left() {
    for (arguments, status) in [("", 0), ("-global EPYC-v1-x86_64-cpu.avx2=off", 1)] {
        let mut world = or_skip!(world());
        world.add_arguments(arguments);
        let site = Site::with_program(world);
        let script = recipe("slurm.sh");
        let submitted = site.run(&[&script.to_string_lossy(), "4", "a folder"], &[]);
        assert_eq!(submitted, 0);
        let statuses = read(&site.path("statuses"));
        let statuses: Vec<&str> = statuses.lines().collect();
        assert_eq!(statuses.len(), 5, "{statuses:?}");
        assert_eq!(statuses[4], status.to_string(), "{statuses:?}");
    }
}

#[test]
fn the_script_for_one_machine_has_the_status_of_its_merge() {
    for (arguments, status) in [("", 0), ("-global EPYC-v1-x86_64-cpu.avx2=off", 1)] {
        let mut world = or_skip!(world());
        world.add_arguments(arguments);
        let site = Site::with_program(world);
        let script = recipe("parallel.sh");
        let run = [
            &*script.to_string_lossy(),
            "2",
            "a folder",
            "--profile",
            "nightly",
        ];
        assert_eq!(site.run(&run, &[]), status);
        assert!(site.path("a folder/report.html").is_file());
    }
}

#[test]
fn the_service_runs_the_nightly_selection() {
    let site = Site::with_program(or_skip!(world()));
    let unit = read(&recipe("nightly.service"));
    let start = unit
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart="));
    let start: Vec<&str> = start.expect("ExecStart").split(' ').collect();
    std::fs::create_dir_all(site.path("scripts")).expect("a folder");
    for file in ["Makefile", "scripts/nightly"] {
        std::fs::copy(root().join(file), site.path(file)).expect("a copy");
    }
    assert_eq!(site.run(&start, &[]), 0);
    let nights = std::fs::read_dir(site.path(".cache/nights")).expect("nights");
    // The lock lies beside them.
    let folders = nights.flatten().filter(|night| night.path().is_dir());
    assert_eq!(folders.count(), 1);
}

#[test]
fn the_recipes_that_are_run_here_are_all_there_are_but_the_images_and_nextest() {
    let output = Command::new("git")
        .args(["ls-files", "scripts/recipes"])
        .current_dir(root())
        .output()
        .expect("git starts");
    let names = String::from_utf8(output.stdout).expect("UTF-8");
    let mut names: Vec<&str> = names
        .lines()
        .filter_map(|path| path.rsplit('/').next())
        .collect();
    names.retain(|name| *name != "README.md");
    let known = [
        "Containerfile",
        "github.yml",
        "gitlab.yml",
        "kubernetes.yaml",
        "nextest.sh",
        "nightly.service",
        "nightly.timer",
        "parallel.sh",
        "slurm.sh",
    ];
    assert_eq!(names, known);
    let readme = read(&recipe("README.md"));
    for name in names {
        assert!(
            readme.contains(&format!("`{name}`")),
            "README.md does not name {name}"
        );
    }
}
