//! Each recipe by the tool of its kind, and each script that stands in a recipe by shellcheck. What a tool says of a copy with a fault
//! proves that it looks.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::lines;
use super::site::{read, recipe, text, yaml};
use crate::require::{Capability, require, root};

/// A tool with its arguments, and a fault of a file that it must find: what stands in the sound file, and what in its place.
struct Check<'a> {
    tool: Capability,
    arguments: &'a [&'a str],
    fault: (&'a str, &'a str),
}

impl Check<'_> {
    /// The tool accepts the file, and refuses a copy with the fault.
    fn passes(&self, path: &Path) {
        let program = or_skip!(require(self.tool));
        let (sound, fault) = self.fault;
        let text = read(path);
        assert!(text.contains(sound), "no {sound} in {}", path.display());
        let folder = tempfile::tempdir().expect("a folder");
        let copy = folder.path().join(path.file_name().expect("a name"));
        std::fs::write(&copy, text.replacen(sound, fault, 1)).expect("a copy");
        for (path, accepted) in [(path, true), (&copy, false)] {
            let mut command = Command::new(&program);
            // systemd wants one to be there.
            command.env("XDG_RUNTIME_DIR", folder.path());
            let output = command.args(self.arguments).arg(path).output();
            let output = output.expect("it starts");
            assert_eq!(
                output.status.success(),
                accepted,
                "{}: {output:?}",
                path.display()
            );
        }
    }
}

#[test]
fn the_gitlab_recipe_follows_gitlabs_schema() {
    let check = Check {
        tool: Capability::Lint("check-jsonschema"),
        arguments: &["--builtin-schema", "vendor.gitlab-ci"],
        fault: ("parallel: 4", "parallel: many"),
    };
    check.passes(&recipe("gitlab.yml"));
}

#[test]
fn the_github_recipe_follows_githubs_schema() {
    let check = Check {
        tool: Capability::Lint("check-jsonschema"),
        arguments: &["--builtin-schema", "vendor.github-workflows"],
        fault: ("runs-on:", "runs-in:"),
    };
    check.passes(&recipe("github.yml"));
}

#[test]
fn the_kubernetes_recipe_follows_the_schema_of_a_job() {
    let check = Check {
        tool: Capability::Lint("kubernetes-validate"),
        arguments: &["--strict"],
        fault: ("completions: 4", "completion: 4"),
    };
    check.passes(&recipe("kubernetes.yaml"));
}

#[test]
fn the_yaml_of_the_recipes_is_tidy() {
    let rules = "{extends: default, rules: {line-length: {max: 160}, document-start: disable, truthy: {check-keys: false}}}";
    for (name, key) in [
        ("gitlab.yml", "stages:"),
        ("github.yml", "permissions:"),
        ("kubernetes.yaml", "kind:"),
    ] {
        let twice = format!("{key} twice\n{key}");
        let check = Check {
            tool: Capability::Lint("yamllint"),
            arguments: &["--strict", "-d", rules],
            fault: (key, &twice),
        };
        check.passes(&recipe(name));
    }
}

#[test]
fn the_units_are_sound_for_systemd() {
    for (name, key, wrong) in [
        ("nightly.service", "ExecStart=", "ExecStarr="),
        ("nightly.timer", "OnCalendar=*", "OnCalendar=never *"),
    ] {
        let check = Check {
            tool: Capability::SystemdAnalyze,
            arguments: &["verify", "--user", "--recursive-errors=no"],
            fault: (key, wrong),
        };
        check.passes(&recipe(name));
    }
}

#[test]
fn the_containerfiles_are_sound_for_hadolint() {
    // DL3008: Debian keeps one version of a package, so a pinned one is gone with the next.
    for folder in ["recipes", "dist"] {
        let check = Check {
            tool: Capability::Lint("hadolint"),
            arguments: &[
                "--no-color",
                "--ignore",
                "DL3008",
                "--failure-threshold",
                "warning",
            ],
            fault: ("WORKDIR /", "WORKDIR "),
        };
        check.passes(&root().join("scripts").join(folder).join("Containerfile"));
    }
}

#[test]
fn the_scripts_of_recipes_are_sound_for_shellcheck() {
    for name in ["nextest.sh", "parallel.sh", "slurm.sh"] {
        let check = Check {
            tool: Capability::Shellcheck,
            arguments: &[],
            fault: ("set -euo pipefail\n", "set -euo pipefail\necho $1 *\n"),
        };
        check.passes(&recipe(name));
    }
    let dist = root().join("scripts/dist");
    let check = Check {
        tool: Capability::Shellcheck,
        arguments: &[],
        fault: ("\nset -eu", "\necho $unknown *\nset -eu"),
    };
    check.passes(&dist.join("install.sh"));
    check.passes(&dist.join("build"));
}

#[test]
fn the_scripts_inside_yaml_are_sound_for_shellcheck() {
    let shellcheck = or_skip!(require(Capability::Shellcheck));
    for script in or_skip!(inner_scripts()) {
        let accepts = |script: &str| {
            let mut child = Command::new(&shellcheck)
                // The runner sets them.
                .args(["--shell=bash", "--exclude=SC2154", "-"])
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()
                .expect("shellcheck starts");
            let mut pipe = child.stdin.take().expect("a pipe");
            pipe.write_all(script.as_bytes()).expect("a script");
            drop(pipe);
            child.wait().expect("shellcheck ends").success()
        };
        assert!(accepts(&script), "{script}");
        assert!(!accepts(&format!("{script}\necho $1 *")), "{script}");
    }
}

/// The scripts of the recipes that are YAML, with expressions of GitHub's replaced by a value.
fn inner_scripts() -> Option<Vec<String>> {
    let gitlab = yaml("gitlab.yml")?;
    let mut scripts: Vec<String> = ["part", "merge"]
        .map(|job| lines(&gitlab[job]["script"]).join("\n"))
        .into();
    let github = yaml("github.yml")?;
    for job in ["part", "merge"] {
        let steps = github["jobs"][job]["steps"].as_array().expect("steps");
        let commands = steps.iter().filter_map(|step| step["run"].as_str());
        scripts.extend(commands.map(|command| command.replace("${{ matrix.part }}", "1")));
    }
    let pod = &yaml("kubernetes.yaml")?["spec"]["template"]["spec"]["containers"][0];
    scripts.push(text(&pod["args"][0]).to_owned());
    Some(scripts)
}
