//! Where a recipe's script runs: a folder like a checkout, with programs in PATH that stand for what only a runner has.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::require::{Capability, require, root};
use crate::world::{TIMEOUT, World};

/// cargo, as far as recipes call it: nothing is built, and `cargo run … -- ARGUMENT…` is the program.
const CARGO: &str = "#!/bin/sh
case \"$1\" in
build) exit 0 ;;
run) while [ \"$1\" != -- ]; do shift; done; shift; exec cpuid-fidelity \"$@\" ;;
*) exit 97 ;;
esac
";

/// sbatch: runs the job at once, once for each index of its array, and prints the job's number.
const SBATCH: &str = "#!/bin/bash
indices=- number=7 depends=
while (($#)); do
    case $1 in
    --array) indices=$(seq \"${2%-*}\" \"${2#*-}\"); shift ;;
    --dependency) depends=$2; shift ;;
    --wrap) wrap=$2; shift ;;
    --output|--job-name|--cpus-per-task) shift ;;
    --parsable) ;;
    *) exit 97 ;;
    esac
    shift
done
[[ $indices != - || $depends = afterany:7 ]] || exit 98
for index in $indices; do
    SLURM_ARRAY_TASK_ID=$index sh -c \"$wrap\"
    echo $? >>statuses
done >&2
echo $number
";

/// A folder in which recipes run.
pub struct Site {
    folder: PathBuf,
    qemu: PathBuf,
    /// Removes the folder in the end.
    _owner: Owner,
}

#[expect(dead_code, reason = "each is held for what its end does")]
enum Owner {
    World(Box<World>),
    Folder(TempDir),
}

impl Site {
    /// With the real program, and the world's selection and QEMU.
    pub fn with_program(world: World) -> Site {
        let program = env!("CARGO_BIN_EXE_cpuid-fidelity");
        let site = Site {
            folder: world.path(""),
            qemu: world.qemu.clone(),
            _owner: Owner::World(Box::new(world)),
        };
        site.furnish(&format!("#!/bin/sh\nexec '{program}' \"$@\"\n"));
        site
    }

    /// With a program that leaves nothing and ends with this status.
    pub fn with_status(status: i32) -> Site {
        let folder = tempfile::tempdir().expect("a folder");
        let site = Site {
            folder: folder.path().to_owned(),
            qemu: PathBuf::new(),
            _owner: Owner::Folder(folder),
        };
        site.furnish(&format!("#!/bin/sh\nexit {status}\n"));
        site
    }

    fn furnish(&self, program: &str) {
        self.script("bin/cpuid-fidelity", program);
        self.script("target/release/cpuid-fidelity", program);
        self.script("bin/cargo", CARGO);
        self.script("bin/sbatch", SBATCH);
        self.script("bin/sudo", "#!/bin/sh\n");
        self.script("scripts/setup", "#!/bin/sh\n");
        std::fs::create_dir_all(self.path("out")).expect("a folder");
    }

    /// A shell writes it: what is open for writing here while another test starts a process cannot be executed.
    fn script(&self, name: &str, text: &str) {
        let mut shell = Command::new("sh");
        shell.args([
            "-euc",
            "mkdir -p \"${1%/*}\"; printf %s \"$2\" >\"$1\"; chmod 755 \"$1\"",
            "sh",
        ]);
        let status = shell.arg(self.path(name)).arg(text).status();
        assert!(status.expect("a shell").success());
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The exit status of a program that is run here with these variables.
    pub fn run(&self, program: &[&str], variables: &[(&str, &str)]) -> i32 {
        let [program, arguments @ ..] = program else {
            panic!("no program")
        };
        let mut command = Command::new(program);
        let Output {
            status,
            stdout,
            stderr,
        } = command
            .args(arguments)
            .current_dir(&self.folder)
            .env_clear()
            .env(
                "PATH",
                format!("{}:/usr/bin:/bin", self.path("bin").display()),
            )
            .env("HOME", &self.folder)
            .env("TMPDIR", self.path("tmp"))
            .env("QEMU", &self.qemu)
            .env("TIMEOUT", TIMEOUT)
            .env("GITHUB_STEP_SUMMARY", self.path("summary.md"))
            .envs(variables.iter().copied())
            .output()
            .expect("it starts");
        // Shown where the test fails.
        print!("{}", String::from_utf8_lossy(&stdout));
        print!("{}", String::from_utf8_lossy(&stderr));
        status.code().unwrap_or(-1)
    }
}

/// A recipe that is YAML, read by the Python of the tools that check it.
pub fn yaml(name: &str) -> Option<Value> {
    let python = require(Capability::Lint("python3"))?;
    let script = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
    let output = Command::new(python)
        .args(["-c", script])
        .arg(recipe(name))
        .output()
        .expect("Python starts");
    assert!(output.status.success(), "{output:?}");
    Some(serde_json::from_slice(&output.stdout).expect("JSON"))
}

/// The file of a recipe.
pub fn recipe(name: &str) -> PathBuf {
    root().join("scripts/recipes").join(name)
}

/// A string of a recipe.
#[track_caller]
pub fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("no string: {value}"))
}

/// All text of a file.
pub fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
