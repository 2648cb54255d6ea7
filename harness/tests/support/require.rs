//! What a test needs of the machine beyond this repository.
//!
//! libtest cannot skip a test at run time, and one that returns early passes. So a test asks here first: what is missing is printed
//! with the test's name, and under CI it fails the test, unless [`Capability::ci_may_lack`] has a reason why CI cannot have it.
//!
//! Unit tests, `tests/cli` and `tests/replay` each include this file.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use cpuid_fidelity::cpuid::dump::Dump;
use cpuid_fidelity::expectation::store::in_ci;
use cpuid_fidelity::host::libvirt::{Installation, LibvirtError};
use cpuid_fidelity::host::native;
use cpuid_fidelity::util::{order, path};
use cpuid_fidelity::vmm::kvm;

/// Something that a test cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// Any QEMU: the newest in `.cache/qemu`, else the one in PATH.
    Qemu,
    /// The QEMU of one release, unpacked.
    QemuRelease(&'static str),
    /// The dumps of one source package of Debian's, as `libcpuid-0.7.1`.
    Dumps(&'static str),
    /// One kernel, unpacked.
    Kernel(&'static str),
    /// The Bochs that emulates Intel hosts, unpacked.
    Bochs,
    /// A /dev/kvm that may be opened.
    Kvm,
    /// CPUID.80000007H:EDX[8] of this processor.
    InvariantTsc,
    /// virsh with libvirt's QEMU driver.
    Libvirt,
    /// The libvirt of one release, unpacked.
    LibvirtRelease(&'static str),
    /// User namespaces, in which libvirt runs apart from the host's own.
    UserNamespaces,
    /// libvirt's table of features.
    CpuMap,
    /// A Chromium.
    Browser,
    /// The program `cpuid`.
    CpuidProgram,
    /// The program `cpio`.
    Cpio,
    /// To be root, in a checkout that other users can read: a test becomes one of them.
    OtherUser,
    /// cargo-deny.
    CargoDeny,
    /// kcidb-io, which validates KCIDB reports.
    Kcidb,
    /// A tool that checks recipes for runners, or the Python that reads them.
    Lint(&'static str),
    /// The program `shellcheck`.
    Shellcheck,
    /// The program `systemd-analyze`.
    SystemdAnalyze,
    /// A program that reports this host's processors, as lscpu and x86info do.
    Reporter(&'static str),
}

use Capability::{
    Bochs, Browser, CargoDeny, Cpio, CpuMap, CpuidProgram, Dumps, InvariantTsc, Kcidb, Kernel, Kvm,
    Libvirt, LibvirtRelease, Lint, OtherUser, Qemu, QemuRelease, Reporter, Shellcheck,
    SystemdAnalyze, UserNamespaces,
};

impl Capability {
    /// What brings it to a machine.
    pub fn brought_by(self) -> &'static str {
        match self {
            QemuRelease(_) => "scripts/setup or scripts/fetch-qemu",
            LibvirtRelease(_) => "scripts/setup or scripts/fetch-libvirt",
            Kernel(_) => "scripts/setup or scripts/fetch-kernel",
            Bochs => "scripts/fetch-bochs",
            Dumps(_) => "scripts/setup or scripts/fetch-dumps",
            Kvm => "a kernel with KVM, and the right to open /dev/kvm",
            InvariantTsc => "a processor that has it",
            UserNamespaces => "the kernel's switches for them",
            OtherUser => "being root, in a checkout that everybody may read",
            SystemdAnalyze => "systemd",
            Reporter(_) => "the distribution's package of it",
            Qemu | Libvirt | CpuMap | Browser | CpuidProgram | Cpio | Kcidb | CargoDeny
            | Lint(_) | Shellcheck => "scripts/setup",
        }
    }

    /// Why CI may be without it. `None`: it may not, and a test that needs it fails there.
    pub fn ci_may_lack(self) -> Option<&'static str> {
        match self {
            Bochs => Some("a run of it takes a core for half a minute"),
            Kvm => Some("hosted runners and containers often have no /dev/kvm"),
            InvariantTsc => Some("the processor of the runner decides"),
            OtherUser => Some("runners may be ordinary users"),
            UserNamespaces => Some("a container's host can forbid them"),
            LibvirtRelease(_) => {
                Some("Debian's unstable suite moves on, and brings a newer one then")
            }
            SystemdAnalyze => Some("containers often have no systemd"),
            Reporter(_) => {
                Some("x86info is in few distributions, and a slim image lacks util-linux")
            }
            Qemu | QemuRelease(_) | Kernel(_) | Libvirt | CpuMap | Browser | CpuidProgram
            | Cpio | Dumps(_) | Kcidb | CargoDeny | Lint(_) | Shellcheck => None,
        }
    }

    /// Where it is; an empty path where it has no place.
    ///
    /// # Errors
    /// What is missing.
    fn find(self) -> Result<PathBuf, String> {
        let nowhere = PathBuf::new();
        match self {
            Qemu => newest_qemu().ok_or("no QEMU in .cache/qemu or PATH".to_owned()),
            LibvirtRelease(release) => cached(&format!("libvirts/{release}/virsh")),
            QemuRelease(release) => cached(&format!("qemu/{release}/qemu-system-x86_64")),
            Bochs => cached("bochs/3.0/bochs"),
            Kernel(version) => cached(&format!("kernels/{version}")),
            Dumps(package) => cached(&format!("dumps/{package}")),
            Kvm => kvm::open()
                .map(|_| nowhere)
                .map_err(|error| error.to_string()),
            InvariantTsc => has_invariant_tsc(&native::this_processor())
                .then_some(nowhere)
                .ok_or("this processor has no invariant TSC".to_owned()),
            Libvirt => Installation::of_path()
                .usable()
                .map(|()| nowhere)
                .map_err(|error| error.to_string()),
            UserNamespaces => match Installation::of_path().usable() {
                Err(error @ LibvirtError::Namespaces(_)) => Err(error.to_string()),
                _ => Ok(nowhere),
            },
            CpuMap => Installation::of_path()
                .map_folder()
                .ok_or("no cpu_map of libvirt's here".to_owned()),
            Browser => program(&["chromium", "chromium-browser", "google-chrome"]),
            CpuidProgram => program(&["cpuid"]),
            Cpio => program(&["cpio"]),
            Kcidb => cached("kcidb/bin/python3"),
            CargoDeny => program(&["cargo-deny"]).or_else(|_| cached("cargo-deny/bin/cargo-deny")),
            OtherUser => other_user().map(|()| nowhere),
            Lint(tool) => cached(&format!("lint/bin/{tool}")),
            Shellcheck => program(&["shellcheck"]),
            SystemdAnalyze => program(&["systemd-analyze"]),
            Reporter(name) => program(&[name]),
        }
    }
}

/// Whether this process may become [`NOBODY`], who can then start what was built here.
fn other_user() -> Result<(), String> {
    use std::os::unix::process::CommandExt as _;
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = std::process::Command::new("test");
    let output = command.arg("-x").arg(own).uid(NOBODY).gid(NOBODY).output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(_) => Err("an ordinary user cannot run what was built here".to_owned()),
        Err(error) => Err(format!(
            "not able to start a program as another user: {error}"
        )),
    }
}

/// The user and the group `nobody`, which own nothing.
pub const NOBODY: u32 = 65534;

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn cached(name: &str) -> Result<PathBuf, String> {
    let path = root().join(".cache").join(name);
    path.exists()
        .then_some(path)
        .ok_or_else(|| format!("no .cache/{name}"))
}

fn program(names: &[&str]) -> Result<PathBuf, String> {
    let found = names.iter().find_map(|name| path::in_path(name));
    found.ok_or_else(|| format!("no {} in PATH", names.join(", ")))
}

/// Every QEMU that is unpacked here, oldest first.
pub fn unpacked_qemus() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join(".cache/qemu"));
    let folders = entries.into_iter().flatten().flatten();
    let mut binaries: Vec<PathBuf> = folders
        .map(|entry| entry.path().join("qemu-system-x86_64"))
        .filter(|path| path.is_file())
        .collect();
    binaries.sort_by_key(|path| order::natural(&path.to_string_lossy()));
    binaries
}

fn newest_qemu() -> Option<PathBuf> {
    unpacked_qemus()
        .pop()
        .or_else(|| path::in_path("qemu-system-x86_64"))
}

fn has_invariant_tsc(dump: &Dump) -> bool {
    let regs = dump
        .boot_processor()
        .and_then(|boot| boot.cpuid(0x8000_0007, 0));
    regs.is_some_and(|regs| regs[3] & 1 << 8 != 0)
}

/// What becomes of a test whose capability is missing.
#[derive(Debug, PartialEq, Eq)]
pub enum Missing {
    /// It is skipped, with this message.
    Skip(String),
    /// It fails, with this message.
    Fail(String),
}

/// Decides it: `reason` says what is missing.
pub fn decide(capability: Capability, reason: &str, in_ci: bool) -> Missing {
    let message = format!("{reason}; brought by {}", capability.brought_by());
    match (in_ci, capability.ci_may_lack()) {
        (false, _) => Missing::Skip(message),
        (true, Some(why)) => Missing::Skip(format!("{message}; CI may lack it: {why}")),
        (true, None) => Missing::Fail(format!("{message}; CI must have it")),
    }
}

/// Where the capability is, or `None` once the skip is printed.
///
/// # Panics
/// It is missing, and CI must have it.
#[track_caller]
pub fn require(capability: Capability) -> Option<PathBuf> {
    let reason = match capability.find() {
        Ok(path) => return Some(path),
        Err(reason) => reason,
    };
    match decide(capability, &reason, in_ci()) {
        Missing::Fail(message) => panic!("{message}"),
        Missing::Skip(message) => print_skip(&message),
    }
    None
}

/// Prints on standard error past libtest, which keeps what a passing test prints to itself.
fn print_skip(message: &str) {
    static SKIPPED: AtomicUsize = AtomicUsize::new(0);
    let count = SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    let line = format!("SKIP {test}: {message} [{count} skipped in this program]\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// The value, or the end of the test: [`require`] has printed why.
macro_rules! or_skip {
    ($found:expr) => {
        match $found {
            Some(found) => found,
            None => return,
        }
    };
}
