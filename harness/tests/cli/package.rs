//! What a package has: man pages and completions that know every verb and option, and a program that needs no checkout.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use super::help::{help, verbs};
use super::require::{Capability, require, root};

const PROGRAM: &str = env!("CARGO_BIN_EXE_cpuid-fidelity");

/// An unpacked tarball, installed by its script below a prefix that has spaces.
struct Installed {
    folder: TempDir,
}

impl Installed {
    fn new() -> Installed {
        let installed = Installed {
            folder: tempfile::tempdir().expect("a folder"),
        };
        let tarball = installed.path("tarball");
        std::fs::create_dir_all(tarball.join("bin")).expect("a folder");
        std::fs::create_dir_all(installed.path("work")).expect("a folder");
        std::fs::copy(PROGRAM, tarball.join("bin/cpuid-fidelity")).expect("a copy");
        let script = tarball.join("install.sh");
        std::fs::copy(root().join("scripts/dist/install.sh"), &script).expect("a copy");
        let mut generate = Command::new(PROGRAM);
        succeed(generate.arg("package-files").arg(tarball.join("share")));
        succeed(Command::new(script).arg(installed.prefix()));
        installed
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn prefix(&self) -> PathBuf {
        self.path("a prefix with spaces")
    }

    /// The page of a verb as a reader sees it: roff's escaped hyphens and dots are plain.
    fn page(&self, verb: &[String]) -> String {
        let name = [&["cpuid-fidelity".to_owned()], verb].concat().join("-");
        let path = self.prefix().join(format!("share/man/man1/{name}.1"));
        let text = std::fs::read_to_string(&path);
        let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        text.replace("\\-", "-").replace("\\&", "")
    }

    /// The installed program, in an empty folder, with a home of its own and nothing else of this environment.
    fn command(&self) -> Command {
        let mut command = Command::new(self.prefix().join("bin/cpuid-fidelity"));
        command
            .current_dir(self.path("work"))
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("TIMEOUT", super::world::TIMEOUT)
            .env("TMPDIR", self.folder.path())
            .env("XDG_CACHE_HOME", self.path("a cache"));
        command
    }

    /// What a shell is offered where this line ends: fish's way to ask, which is the plainest.
    fn offered(&self, line: &[&str]) -> BTreeSet<String> {
        let mut command = self.command();
        command.env("CPUID_FIDELITY_COMPLETE", "fish");
        let output = succeed(command.arg("--").arg("cpuid-fidelity").args(line));
        let names = output.lines().filter_map(|line| line.split('\t').next());
        names.map(str::to_owned).collect()
    }
}

#[track_caller]
fn succeed(command: &mut Command) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().expect("it starts");
    let stdout = String::from_utf8(stdout).expect("UTF-8");
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{command:?}\n{stdout}\n{stderr}");
    stdout
}

/// The options of a help text, `--machine`.
fn options(help: &str) -> BTreeSet<&str> {
    let lines = help.lines().map(str::trim_start);
    let words = lines
        .filter(|line| line.starts_with('-') && !line.starts_with("- "))
        .flat_map(|line| line.split([' ', ',', '[', '=']).take(3));
    words.filter(|word| word.starts_with("--")).collect()
}

#[test]
fn every_verb_has_a_man_page_with_all_its_options() {
    let installed = Installed::new();
    for verb in verbs() {
        let page = installed.page(&verb);
        let help = help(&verb, 100);
        let options = options(&help);
        assert!(options.contains("--help"), "{verb:?}: {options:?}");
        for option in options {
            let listed = page
                .lines()
                .any(|line| line.contains(&format!("\\fB{option}\\fR")));
            assert!(listed, "{verb:?}: no {option} in\n{page}");
        }
        for section in ["NAME", "SYNOPSIS", "OPTIONS", "EXIT STATUS", "SEE ALSO"] {
            let heading = [format!(".SH {section}\n"), format!(".SH \"{section}\"\n")];
            let is_there = heading.iter().any(|heading| page.contains(heading));
            assert!(is_there, "{verb:?}: no {section} in\n{page}");
        }
    }
}

#[test]
fn the_exit_statuses_of_a_bisect_step_stand_in_its_man_page() {
    let page = Installed::new().page(&["bisect".to_owned(), "step".to_owned()]);
    assert!(
        page.contains("\\fB125\\fR\nThe commit cannot be tested."),
        "{page}"
    );
}

#[test]
fn completion_offers_verbs_options_lanes_models_machine_types_and_features() {
    let installed = Installed::new();
    let cases: [(&[&str], &[&str]); 8] = [
        (&["r"], &["run", "record", "report"]),
        (&["run", "--mach"], &["--machine"]),
        (&["run", "--lane", ""], &["definition", "tcg", "kvm"]),
        (&["run", "--cpu", "EPYC-v"], &["EPYC-v1", "EPYC-v4"]),
        (&["dump", "--cpu", "EPYC-R"], &["EPYC-Rome", "EPYC-Rome-v2"]),
        (
            &["run", "--machine", "pc-q35-1"],
            &["pc-q35-11.1", "pc-q35-10.0"],
        ),
        (&["show", "Skylake-S"], &["Skylake-Server-v1"]),
        (&["explain", "--feature", "avx51"], &["avx512f", "avx512vl"]),
    ];
    for (line, wanted) in cases {
        let offered = installed.offered(line);
        for name in wanted {
            assert!(
                offered.contains(*name),
                "{line:?}: no {name} in {offered:?}"
            );
        }
        let typed = line.last().copied().unwrap_or_default();
        let strange = offered.iter().find(|name| !name.starts_with(typed));
        assert_eq!(strange, None, "{line:?}");
    }
}

#[test]
fn bash_completes_a_model_with_the_installed_script() {
    let installed = Installed::new();
    let script = installed
        .prefix()
        .join("share/bash-completion/completions/cpuid-fidelity");
    let line = "source \"$1\"; COMP_WORDS=(cpuid-fidelity run --cpu EPYC-M); COMP_CWORD=3; COMP_TYPE=9
        _clap_complete_cpuid_fidelity cpuid-fidelity EPYC-M --cpu; printf '%s\\n' \"${COMPREPLY[@]}\"";
    let path = format!("{}:/usr/bin:/bin", installed.prefix().join("bin").display());
    let mut bash = Command::new("bash");
    let offered = succeed(
        bash.args(["-eu", "-c", line, "bash"])
            .arg(script)
            .env("PATH", path),
    );
    assert!(
        offered.lines().any(|name| name == "EPYC-Milan-v2"),
        "{offered}"
    );
}

/// zsh takes what the script does when it is first loaded for the answer: without the call the first Tab offers nothing.
#[test]
fn the_zsh_script_answers_when_it_is_first_loaded() {
    let path = "share/zsh/site-functions/_cpuid-fidelity";
    let script = std::fs::read_to_string(Installed::new().prefix().join(path)).expect("the script");
    assert!(script.starts_with("#compdef cpuid-fidelity\n"), "{script}");
    let last = script.lines().last().unwrap_or_default();
    let function = last.strip_prefix("[[ $funcstack[1] != _cpuid-fidelity ]] || ");
    let function = function.and_then(|call| call.strip_suffix(" \"$@\""));
    let function = function.unwrap_or_else(|| panic!("{script}"));
    assert!(
        script.contains(&format!("function {function}() {{")),
        "{script}"
    );
}

#[test]
fn an_installed_program_without_a_qemu_says_how_to_get_one() {
    let installed = Installed::new();
    let mut command = installed.command();
    let output = command.arg("list").env("PATH", "/nowhere").output();
    let output = output.expect("it starts");
    assert_eq!(output.status.code(), Some(3));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        text.contains("install one (of Debian: qemu-system-x86)"),
        "{text}"
    );
}

#[test]
fn the_version_names_the_commit_or_a_debug_build() {
    let mut command = Command::new(PROGRAM);
    let text = succeed(command.arg("--version"));
    let number = concat!("cpuid-fidelity ", env!("CARGO_PKG_VERSION"), " (");
    let known_by = text.strip_prefix(number).expect("the number");
    let is_commit = known_by.starts_with(|first: char| first.is_ascii_hexdigit());
    assert!(is_commit || known_by == "debug build)\n", "{text}");
}

#[test]
fn an_installed_program_compares_in_an_empty_folder_and_writes_into_its_cache_alone() {
    let qemu = or_skip!(require(Capability::QemuRelease("11.1")));
    let installed = Installed::new();
    let commands: [&[&str]; 5] = [
        &[
            "run",
            "--lane",
            "definition",
            "--cpu",
            "EPYC-v4",
            "--machine",
            "pc-q35-11.1",
        ],
        &["list", "--lane", "definition", "--cpu", "EPYC-v4"],
        &["dump", "--cpu", "EPYC-v4"],
        &["check", "--cpu", "EPYC-v4", "--lane", "definition"],
        &["explain", "--cpu", "EPYC-v4", "--feature", "avx2"],
    ];
    for arguments in commands {
        let mut command = installed.command();
        let printed = succeed(command.arg("--qemu").arg(&qemu).args(arguments));
        assert!(!printed.is_empty(), "{arguments:?}");
    }
    assert_eq!(names(&installed.path("work")), BTreeSet::new());
    assert!(names(&installed.path("a cache")).contains("cpuid-fidelity"));
    let left = names(installed.folder.path());
    let known = ["a cache", "a prefix with spaces", "tarball", "work"];
    assert_eq!(left, known.map(str::to_owned).into());
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    names
        .map(|name| name.into_string().expect("UTF-8"))
        .collect()
}
