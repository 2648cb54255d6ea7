//! What a test works in: a folder with a configuration, and the binary run there.

use std::ffi::OsString;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use cpuid_fidelity::case::trial::Filter;
use cpuid_fidelity::case::{Qemu, Trial};
use cpuid_fidelity::config::{Config, Profile};
use cpuid_fidelity::expectation::store::Store;
use cpuid_fidelity::expectation::{Expected, Files};
use cpuid_fidelity::lanes::Registry;
use cpuid_fidelity::plan;
use cpuid_fidelity::plan::{Inventory, inventory};
use cpuid_fidelity::run::Engine;
use cpuid_fidelity::run::judge::judge;
use cpuid_fidelity::util::cancel::Cancel;
use cpuid_fidelity::util::signals;
use cpuid_fidelity::vmm::guest::Options;
use serde_json::Value;
use tempfile::TempDir;

use super::events::{self, Milestone};
use super::require::{Capability, NOBODY, require, root};

/// Seconds that any guest that works ends in, on a busy machine.
pub const TIMEOUT: &str = "60";

/// What one run of the binary left.
pub struct Ended {
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

impl Ended {
    /// Itself, if it ended with this status; else it prints all output.
    #[track_caller]
    pub fn expect(self, status: i32) -> Ended {
        let Ended { stdout, stderr, .. } = &self;
        assert_eq!(
            self.status,
            Some(status),
            "stdout:\n{stdout}\nstderr:\n{stderr}"
        );
        self
    }

    /// Lines of stdout that start with `prefix`.
    pub fn lines<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.stdout
            .lines()
            .filter(move |line| line.starts_with(prefix))
    }

    #[track_caller]
    pub fn prints(&self, what: &str) {
        let Ended { stdout, stderr, .. } = self;
        let printed = stdout.contains(what) || stderr.contains(what);
        assert!(
            printed,
            "{what:?} is missing\nstdout:\n{stdout}\nstderr:\n{stderr}"
        );
    }
}

/// A folder to test in.
pub struct World {
    folder: TempDir,
    /// The real QEMU.
    pub real: PathBuf,
    /// What is run in its place.
    pub qemu: PathBuf,
}

impl World {
    /// With the models and machine types that `run` shall take, on the newest QEMU there is.
    pub fn new(models: &[&str], machines: &[&str]) -> Option<World> {
        let real = require(Capability::Qemu)?;
        let folder = tempfile::tempdir().expect("a folder");
        let world = World {
            folder,
            qemu: real.clone(),
            real,
        };
        std::fs::create_dir(world.path("tmp")).expect("a folder");
        std::fs::create_dir(world.path("expectations")).expect("a folder");
        events::make_pipe(&world.path(events::NEVER));
        world.select(models, machines, &[]);
        world.keep_offers();
        Some(world)
    }

    /// Keeps in the cache here what the newest QEMU offers, which is asked once, in the first world.
    fn keep_offers(&self) {
        static OFFERS: OnceLock<Vec<(OsString, Vec<u8>)>> = OnceLock::new();
        let folder = self.path(".cache/offers");
        let ask = || {
            self.offers();
            let files = std::fs::read_dir(&folder).expect("a cache").flatten();
            let whole = |path: &Path| std::fs::read(path).expect("a file");
            files
                .map(|file| (file.file_name(), whole(&file.path())))
                .collect()
        };
        let kept = OFFERS.get_or_init(ask);
        std::fs::create_dir_all(&folder).expect("a folder");
        for (name, text) in kept {
            std::fs::write(folder.join(name), text).expect("a file");
        }
    }

    /// Empties the cache: nothing ran here before.
    pub fn forget_all(&self) {
        std::fs::remove_dir_all(self.path(".cache")).expect("a cache");
    }

    /// With QEMU 10.0, on which expectations of emulated hosts and Linux guests are recorded, and with kernel 6.12: its folder.
    pub fn with_kernel() -> Option<(World, PathBuf)> {
        let qemu = require(Capability::QemuRelease("10.0"))?;
        let kernel = require(Capability::Kernel("6.12"))?;
        let mut world = World::new(&[], &[])?;
        world.configure(&format!("qemu = [{qemu:?}]\n"));
        world.qemu = qemu;
        Some((world, kernel))
    }

    /// With the Bochs that emulates Intel hosts too, in the cache of this world.
    pub fn with_bochs() -> Option<(World, PathBuf)> {
        let bochs = require(Capability::Bochs)?;
        let (world, kernel) = World::with_kernel()?;
        let there = world.path(".cache/bochs/3.0");
        std::fs::create_dir_all(there.parent().expect("a folder")).expect("a folder");
        let folder = bochs.parent().expect("a folder");
        std::os::unix::fs::symlink(folder, there).expect("a link");
        Some((world, kernel))
    }

    /// Takes over one of the project's own expectations, with all its lines: its base is not in this world.
    pub fn copy_expectation(&self, name: &str) {
        let copy = self.path("expectations").join(name);
        std::fs::create_dir_all(copy.parent().expect("a folder")).expect("a folder");
        std::fs::write(copy, recorded(name)).expect("the expectation");
    }

    /// What `run` shall take: models and machine types in lane `definition`, models in lane `tcg`, and nothing that needs KVM.
    pub fn select(&self, models: &[&str], machines: &[&str], tcg: &[&str]) {
        self.configure(&format!(
            "qemu = []\n[default]\ndefinition.models = {models:?}\ndefinition.machines = {machines:?}\n\
             tcg.models = {tcg:?}\nkvm.models = []\nkvm-direct.models = []\n\
             libvirt.models = []\n"
        ));
    }

    /// Skips the phase in which these models hang.
    pub fn skip_os_enabled(&self, models: &[&str]) {
        let path = self.path("fidelity.toml");
        let text = std::fs::read_to_string(path).expect("the configuration");
        self.configure(&format!(
            "{text}[[skip-phase]]\nlanes = [\"definition\"]\nmodels = {models:?}\nphase = \"os-enabled\"\n\
             reason = \"hangs for ever once CR4.OSXSAVE is set\"\n"
        ));
    }

    pub fn configure(&self, toml: &str) {
        self.write("fidelity.toml", toml);
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A place that a wrapper script gets to: `echo > "${0%/*}/NAME"` there.
    pub fn milestone(&self, name: &str) -> Milestone {
        Milestone::new(&self.path(name))
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// What the real QEMU offers.
    pub fn offers(&self) -> Arc<Qemu> {
        let config = Config::read(&self.path("fidelity.toml")).expect("the configuration");
        let cancel = Cancel::new().expect("an eventfd");
        let found = inventory::inventory(&config, std::slice::from_ref(&self.real), &cancel);
        let [qemu] = found.qemus.as_slice() else {
            panic!("{found:?}")
        };
        Arc::clone(qemu)
    }

    /// `pc-q35-` machine types, newest first.
    pub fn machines(&self) -> Vec<String> {
        let qemu = self.offers();
        let mut names: Vec<String> = qemu
            .offers
            .versioned_machines()
            .map(str::to_owned)
            .collect();
        names.retain(|name| name.starts_with("pc-q35-"));
        names.reverse();
        names
    }

    /// The folder of its release's expectations: `qemu-11.1`.
    pub fn release(&self) -> String {
        self.offers().release_folder()
    }

    /// Takes what the real QEMU shows now for what is expected; returns the trials.
    pub fn record_expectations(&self) -> Vec<Trial> {
        let config = Config::read(&self.path("fidelity.toml")).expect("the configuration");
        let cancel = Cancel::new().expect("an eventfd");
        let store = Store::open(&config).expect("the tables");
        let options = Options {
            timeout: Duration::from_secs(60),
            ..Options::default()
        };
        let engine = Engine::new(store, options, 0, cancel).expect("an engine");
        let inventory = Inventory {
            qemus: vec![self.offers()],
            ..Inventory::default()
        };
        let registry = Registry::default();
        let filter = Filter::default();
        let trials = plan::plan(&registry, &inventory, &config, Profile::Default, &filter);
        let trials = trials.expect("a plan");
        for trial in &trials {
            let path = config.expectations.join(&trial.expectation);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        }
        let record = |trial: &Trial| {
            if let Some(observed) = judge(&engine, trial, &|_| ()).observed {
                let path = config.expectations.join(&trial.expectation);
                std::fs::write(path, format!("---\nsource: a test\n---\n{observed}\n"))
                    .expect("a file");
            }
        };
        engine.bench.pool().install(|| {
            use rayon::prelude::*;
            trials.par_iter().for_each(record);
        });
        trials
    }

    /// Writes an expectation of the release, of no model that there is: the release then counts as recorded.
    pub fn mark_release_as_recorded(&self) {
        let folder = self
            .path("expectations")
            .join(self.offers().release_folder())
            .join("models");
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("Other-v1.snap"), "---\nsource: a test\n---\n").expect("a file");
    }

    /// Puts a shell script in QEMU's place, with `$q` for the real one.
    pub fn replace_qemu(&mut self, script: &str) {
        let text = format!("#!/bin/sh\nq={}\n{script}\n", self.real.display());
        self.qemu = self.executable("qemu-wrapper", &text);
    }

    /// An executable file.
    pub fn executable(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        // A shell writes it: were it open for writing here while another test starts a process, that one would hold it
        // open for a moment, and nothing that is being written can be executed.
        let mut shell = Command::new("sh")
            .args(["-c", "cat > \"$1\" && chmod 755 \"$1\"", "sh"])
            .arg(&path)
            .stdin(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut pipe = shell.stdin.take().expect("a pipe");
        pipe.write_all(text.as_bytes()).expect("a script");
        drop(pipe);
        assert!(shell.wait().expect("a shell").success());
        path
    }

    /// A wrapper that answers every question and does `script` in place of booting a guest.
    pub fn replace_guests(&mut self, script: &str) {
        self.replace_qemu(&format!(
            "case \"$*\" in *-bios*) {script} ;; esac\nexec \"$q\" \"$@\""
        ));
    }

    /// A wrapper that adds arguments.
    pub fn add_arguments(&mut self, arguments: &str) {
        self.replace_qemu(&format!("exec \"$q\" \"$@\" {arguments}"));
    }

    /// Starts the binary here, with its output in pipes.
    pub fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().expect("the binary")
    }

    /// The binary, to be started here, with its output in pipes.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.command_under(&[], arguments)
    }

    /// The binary by way of `launcher`, a program and its first arguments.
    pub fn command_under(&self, launcher: &[&str], arguments: &[&str]) -> Command {
        let line = [launcher, &[env!("CARGO_BIN_EXE_cpuid-fidelity")], arguments].concat();
        let mut command = Command::new(line[0]);
        // Whoever runs the tests may ignore SIGINT or SIGHUP, as a script's background and nohup do.
        // SAFETY: between fork and exec it makes only system calls.
        unsafe {
            command.pre_exec(signals::set_defaults);
        }
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CPUID_FIDELITY_")
                || ["QEMU", "ACCEL", "TIMEOUT", "CI"].contains(&text.as_ref())
            {
                command.env_remove(&name);
            }
        }
        command
            .current_dir(self.folder.path())
            .env("TMPDIR", self.path("tmp"))
            .env("QEMU", &self.qemu)
            .env("TIMEOUT", TIMEOUT)
            .args(&line[1..])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the binary here to its end as the user `nobody`, whose temporary folder and configuration these are, and who has no home.
    pub fn run_as_nobody(&self, arguments: &[&str]) -> Ended {
        use std::os::unix::fs::{PermissionsExt as _, chown};
        use std::os::unix::process::CommandExt as _;
        let everybody = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(self.folder.path(), everybody).expect("a mode");
        for name in [".", "tmp", "fidelity.toml"] {
            chown(self.path(name), Some(NOBODY), Some(NOBODY)).expect("an owner");
        }
        let mut command = self.command(arguments);
        command.uid(NOBODY).gid(NOBODY).env("HOME", "/nonexistent");
        ended(command.env_remove("XDG_CACHE_HOME"))
    }

    /// Runs the binary here to its end in a shell that does `before` first, as `ulimit -f 0`.
    pub fn run_after(&self, before: &str, arguments: &[&str]) -> Ended {
        let script = format!("{before}; exec \"$0\" \"$@\"");
        let plain = self.command(arguments);
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(script).arg(plain.get_program());
        shell.args(plain.get_args()).current_dir(self.folder.path());
        for (name, value) in plain.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        ended(shell.stdin(Stdio::null()))
    }

    /// Runs the binary here to its end.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        ended(&mut self.command(arguments))
    }

    /// The same with these variables.
    pub fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
        let mut command = self.command(arguments);
        ended(command.envs(variables.iter().copied()))
    }

    /// The same as CI does it.
    pub fn run_in_ci(&self, arguments: &[&str]) -> Ended {
        ended(self.command(arguments).env("CI", "true"))
    }

    /// The cases in the JSON lines of a run.
    pub fn cases(&self, file: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path(file)).expect("JSON lines");
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        let (head, cases) = lines.split_first().expect("a first line");
        assert_eq!(head["version"], 1);
        assert_eq!(head["planned"], cases.len());
        cases.to_vec()
    }

    /// Nothing that was started here is still there, and no temporary file is left.
    #[track_caller]
    pub fn assert_clean(&self) {
        events::assert_no_process_names(self.folder.path());
        let files: Vec<_> = std::fs::read_dir(self.path("tmp"))
            .expect("a folder")
            .collect();
        assert!(files.is_empty(), "left behind: {files:?}");
    }
}

/// Runs a command to its end.
pub fn ended(command: &mut Command) -> Ended {
    let started = Instant::now();
    let output = command.output().expect("the binary's output");
    Ended {
        status: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        took: started.elapsed(),
    }
}

/// An expectation of this repository with all its lines, for a folder that does not have its base.
fn recorded(path: &str) -> String {
    let files = Files::new(&root().join("expectations"));
    match files.expectation(Path::new(path)).expect("an expectation") {
        Expected::Text(text) => format!("---\nsource: a test\n---\n{}\n", text.trim_start()),
        missing => panic!("{path}: {missing:?}"),
    }
}
