//! Builds what the harness carries into guests: the agent, for benchmarks a ROM that ends QEMU at once, and /init of Linux guests.
//!
//! The agent is a workspace of its own, built by a nested cargo for one target with flags of its own, and its ELF file is
//! flattened here: `ld --oformat=binary` is silently wrong for it. The same source gives the same bytes in any folder.

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use object::{Object, ObjectSegment};

#[path = "build/probes.rs"]
mod probes;
#[path = "build/version.rs"]
mod version;

/// QEMU maps the last 64 KiB of the BIOS below 1 MiB too, where the agent is linked.
const ROM_SIZE: usize = 0x1_0000;
const ROM_BASE: u64 = 0xF_0000;
/// Offset of the first instruction that a processor executes.
const RESET_VECTOR: usize = 0xFFF0;
const TARGET: &str = "x86_64-unknown-linux-gnu";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(variable("OUT_DIR")?);
    for source in [
        "harness/build.rs",
        "harness/build/probes.rs",
        "harness/build/version.rs",
        "guest-image/Cargo.toml",
        "guest-image/Cargo.lock",
        "guest-image/firmware/Cargo.toml",
        "guest-image/firmware/link.ld",
        "guest-image/firmware/src",
        "guest-image/linux/Cargo.toml",
        "guest-image/linux/build.rs",
        "guest-image/linux/src",
        "guest-image/protocol/Cargo.toml",
        "guest-image/protocol/src",
        probes::TABLE,
    ] {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
    }
    version::emit(&root);
    let rows = out.join("probes.rs");
    probes::write(&root, &rows)?;
    let elf = build_agent(&root, &out.join("firmware"), &rows)?;
    fs::write(out.join("agent.rom"), flatten(&elf)?)?;
    fs::write(out.join("floor.rom"), floor())?;
    let init = build_init(&root, &out.join("linux"))?;
    fs::copy(init, out.join("linux-init"))?;
    Ok(())
}

/// Builds the agent, with `rows` as its table of probes, and returns its ELF file.
fn build_agent(root: &Path, target_dir: &Path, rows: &Path) -> Result<PathBuf> {
    let firmware = root.join("guest-image/firmware");
    let flags = rust_flags(root, &firmware);
    let table = [("FIDELITY_PROBES", rows)];
    let wanted = ["--profile", "release"];
    nested(&firmware, &wanted, target_dir, flags, &table)?;
    Ok(target_dir.join(TARGET).join("release/agent"))
}

/// Builds /init of Linux guests, a static program, and returns its file. It is a member of this workspace with a profile of its own.
fn build_init(root: &Path, target_dir: &Path) -> Result<PathBuf> {
    let flags = [vec!["-Ctarget-feature=+crt-static".into()], remapped(root)].concat();
    let wanted = ["--profile", "guest", "--package", "fidelity-init"];
    nested(root, &wanted, target_dir, flags, &[])?;
    Ok(target_dir.join(TARGET).join("guest/fidelity-init"))
}

/// Runs a nested cargo.
fn nested(
    folder: &Path,
    wanted: &[&str],
    target_dir: &Path,
    flags: Vec<String>,
    environment: &[(&str, &Path)],
) -> Result<()> {
    let mut cargo = Command::new(variable("CARGO")?);
    cargo
        .current_dir(folder)
        .args(["build", "--locked"])
        .args(wanted)
        .args(["--target", TARGET, "--target-dir"])
        .arg(target_dir);
    for (name, _) in env::vars_os() {
        if changes_the_build(&name) {
            cargo.env_remove(name);
        }
    }
    // Empty and not removed: a wrapper from a configuration file would come back otherwise.
    cargo
        .env("RUSTC_WRAPPER", "")
        .env("RUSTC_WORKSPACE_WRAPPER", "")
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
        .envs(environment.iter().copied());
    let status = cargo
        .status()
        .map_err(|error| format!("failed to start {cargo:?}: {error}"))?;
    if !status.success() {
        return Err(format!("failed to build for the guest ({status}): {cargo:?}").into());
    }
    Ok(())
}

/// Whether an environment variable, set for the outer build, would change the agent's.
fn changes_the_build(name: &std::ffi::OsStr) -> bool {
    let Some(name) = name.to_str() else {
        return false;
    };
    let prefixes = ["CARGO_BUILD_", "CARGO_PROFILE_", "CARGO_TARGET_"];
    let names = ["RUSTFLAGS", "CARGO_INCREMENTAL", "CARGO_UNSTABLE_BUILD_STD"];
    names.contains(&name) || prefixes.iter().any(|prefix| name.starts_with(prefix))
}

/// The agent's own flags: code for a fixed address, linked with nothing, and no folder of this machine in it.
///
/// No SSE, because KVM's instruction emulator dies on it, and so that nothing of CR4 but PAE is set before the first dump.
/// rustc warns that one day it will refuse to do without SSE for this target (rust-lang/rust#116344); the target
/// x86_64-unknown-none, which has none, is then the way, at the price of a `rustup target add`.
fn rust_flags(root: &Path, firmware: &Path) -> Vec<String> {
    let script = firmware.join("link.ld");
    let flags = [
        "-Ctarget-feature=-sse".into(),
        "-Crelocation-model=static".into(),
        // No SSE but where the source says so: KVM's instruction emulator knows few of its instructions, and a KVM that
        // emulates ring 0 ends the guest at a XORPS that clears a struct.
        "-Cllvm-args=-force-attribute=noimplicitfloat".into(),
        "-Clink-arg=-nostartfiles".into(),
        "-Clink-arg=-nostdlib".into(),
        "-Clink-arg=-static".into(),
        "-Clink-arg=-no-pie".into(),
        "-Clink-arg=-Wl,--build-id=none,--gc-sections".into(),
        format!("-Clink-arg=-T{}", script.display()),
    ];
    [flags.to_vec(), remapped(root)].concat()
}

/// No folder of this machine in what is built.
fn remapped(root: &Path) -> Vec<String> {
    let cargo_home = env::var_os("CARGO_HOME").map_or_else(
        || Path::new(&env::var_os("HOME").unwrap_or_default()).join(".cargo"),
        PathBuf::from,
    );
    vec![
        format!("--remap-path-prefix={}=/cpuid-fidelity", root.display()),
        format!("--remap-path-prefix={}=/cargo", cargo_home.display()),
    ]
}

/// The ROM's bytes: every loaded byte of the ELF file at its place.
fn flatten(elf: &Path) -> Result<Vec<u8>> {
    let file = fs::read(elf)?;
    let file = object::File::parse(&*file)?;
    let mut rom = vec![0; ROM_SIZE];
    for segment in file.segments() {
        let data = segment.data()?;
        if data.is_empty() {
            continue;
        }
        let start = segment.address().checked_sub(ROM_BASE);
        let place = start
            .and_then(|start| usize::try_from(start).ok())
            .and_then(|start| rom.get_mut(start..start + data.len()));
        match place {
            Some(place) => place.copy_from_slice(data),
            None => {
                let address = segment.address();
                let length = data.len();
                return Err(format!(
                    "{length} bytes at {address:#x} lie outside the ROM: initialised writable data, or the agent is too large"
                )
                .into());
            }
        }
    }
    if rom[RESET_VECTOR] != 0xEA || rom[RESET_VECTOR + 3..][..2] != [0x00, 0xF0] {
        return Err("no far jump to segment 0xF000 at the reset vector".into());
    }
    Ok(rom)
}

/// A ROM whose first instructions write `EXIT_OK` to isa-debug-exit: what a QEMU process costs without an agent.
fn floor() -> Vec<u8> {
    let code = [
        0xBA, 0x01, 0x05, // mov $0x501, %dx
        0xB0, 0x10, // mov $0x10, %al
        0xEE, // out %al, %dx
        0xF4, // hlt
        0xEB, 0xFD, // jmp to the hlt
    ];
    let mut rom = vec![0; ROM_SIZE];
    rom[RESET_VECTOR..][..code.len()].copy_from_slice(&code);
    rom
}

fn variable(name: &str) -> Result<OsString> {
    env::var_os(name).ok_or_else(|| format!("cargo did not set {name}").into())
}
