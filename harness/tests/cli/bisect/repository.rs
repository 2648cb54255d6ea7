//! A repository whose commits are wrapper scripts.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::world::{Ended, World};

/// One commit.
#[derive(Clone, Debug, Default)]
pub struct Commit {
    /// Arguments that its QEMU adds.
    pub added: String,
    /// What its QEMU does before it starts the real one.
    pub script: String,
    /// What its build does.
    pub build: String,
}

/// `count` commits, numbered from 1; from `bad` on QEMU adds `arguments`; those in `unbuildable` do not build.
pub fn commits(count: usize, bad: usize, arguments: &str, unbuildable: &[usize]) -> Vec<Commit> {
    let commit = |number: usize| Commit {
        added: if number >= bad { arguments } else { "" }.to_owned(),
        script: String::new(),
        build: if unbuildable.contains(&number) {
            "echo 'cpu.c:7: error: no such thing' >&2; exit 2".to_owned()
        } else {
            String::new()
        },
    };
    (1..=count).map(commit).collect()
}

/// Commit times count seconds from here. Names depend on it, and with names how many steps git takes around commits that do not build.
const EPOCH: usize = 1_700_000_001;

/// A folder with a repository.
pub struct Repository {
    folder: PathBuf,
    count: usize,
}

impl Repository {
    /// One commit after the other; the last is on branch `main` and checked out.
    pub fn new(world: &World, history: Vec<Commit>) -> Repository {
        let folder = world.path("repo");
        std::fs::create_dir(&folder).expect("a folder");
        let repo = Repository {
            folder,
            count: history.len(),
        };
        repo.git(&["init", "-q", "-b", "main"]);
        // No path of this test is in a file: commits have the same names in every run, and git decides between equals by name.
        std::os::unix::fs::symlink(&world.real, world.path("real")).expect("a link");
        let mut stream = String::new();
        for (number, commit) in (1..).zip(history) {
            let script = format!(
                "#!/bin/sh\n# {number}\n{}\nexec \"$(readlink -f \"${{0%/*}}/../real\")\" \"$@\" {}\n",
                commit.script, commit.added
            );
            let build = format!("echo {number} >> ../built.log\n{}\nexit 0\n", commit.build);
            let time = EPOCH + number;
            let _ = write!(
                stream,
                "commit refs/heads/main\ncommitter Tester <tester@example.org> {time} +0000\n{}{}{}",
                data(&format!("commit {number}")),
                file("755", "qemu", &script),
                file("644", "build.sh", &build)
            );
        }
        repo.import(&stream);
        repo
    }

    /// From files by commit: `(name, content)`.
    pub fn of_files(world: &World, history: &[&[(&str, &str)]]) -> Repository {
        let folder = world.path("repo");
        std::fs::create_dir(&folder).expect("a folder");
        let repo = Repository {
            folder,
            count: history.len(),
        };
        repo.git(&["init", "-q", "-b", "main"]);
        let mut stream = String::new();
        for (number, files) in (1..).zip(history) {
            let time = EPOCH + number;
            let _ = write!(
                stream,
                "commit refs/heads/main\ncommitter Tester <tester@example.org> {time} +0000\n{}",
                data(&format!("commit {number}"))
            );
            for (name, content) in *files {
                stream.push_str(&file("644", name, content));
            }
        }
        repo.import(&stream);
        repo
    }

    fn import(&self, stream: &str) {
        let mut import = Command::new("git")
            .args(["fast-import", "--quiet"])
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .spawn()
            .expect("git");
        let mut pipe = import.stdin.take().expect("a pipe");
        pipe.write_all(stream.as_bytes()).expect("a stream");
        drop(pipe);
        assert!(import.wait().expect("git").success());
        self.git(&["checkout", "-q", "-f", "main"]);
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The standard output of git.
    pub fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(arguments)
            .current_dir(&self.folder)
            .output()
            .expect("git");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "git {arguments:?}: {stderr}");
        String::from_utf8(output.stdout)
            .expect("UTF-8")
            .trim_end()
            .to_owned()
    }

    /// The commit of that number, in full.
    pub fn id(&self, number: usize) -> String {
        self.git(&["rev-parse", &format!("main~{}", self.count - number)])
    }

    /// The command line that bisects between two commits, by number.
    pub fn arguments(&self, case: &str, (good, bad): (usize, usize), more: &[&str]) -> Vec<String> {
        let folder = self.folder.display().to_string();
        let (good, bad) = (self.id(good), self.id(bad));
        let arguments = [
            "bisect",
            "qemu",
            "--repo",
            &folder,
            "--good",
            &good,
            "--bad",
            &bad,
            "--case",
            case,
            "--build",
            "sh build.sh",
            "--binary",
            "qemu",
        ];
        let arguments = arguments
            .iter()
            .chain(more)
            .map(|argument| (*argument).to_owned());
        arguments.collect()
    }

    pub fn between(&self, world: &World, case: &str, ends: (usize, usize), more: &[&str]) -> Ended {
        let arguments = self.arguments(case, ends, more);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        world.run(&arguments)
    }

    /// Starts a bisect between the first and the last commit.
    pub fn start(&self, world: &World) -> Child {
        let arguments = self.arguments(super::CASE, (1, self.count), &[]);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        world.start(&arguments)
    }

    /// Bisects between the first and the last commit.
    pub fn bisect_case(&self, world: &World, case: &str, more: &[&str]) -> Ended {
        self.between(world, case, (1, self.count), more)
    }

    pub fn bisect(&self, world: &World, more: &[&str]) -> Ended {
        self.bisect_case(world, super::CASE, more)
    }

    /// Numbers of the commits that were built, in that order.
    pub fn built(&self, world: &World) -> Vec<usize> {
        let text = std::fs::read_to_string(world.path("built.log")).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).collect()
    }

    /// The branch is checked out, nothing is changed, and nobody bisects.
    #[track_caller]
    pub fn assert_as_found(&self) {
        assert_eq!(self.git(&["symbolic-ref", "--short", "HEAD"]), "main");
        assert_eq!(self.git(&["status", "--porcelain"]), "");
        assert!(!self.folder.join(".git/BISECT_START").exists());
        assert_eq!(self.git(&["for-each-ref", "refs/bisect"]), "");
    }
}

fn data(text: &str) -> String {
    format!("data {}\n{text}\n", text.len())
}

fn file(mode: &str, name: &str, content: &str) -> String {
    format!("M 100{mode} inline {name}\n{}", data(content))
}
