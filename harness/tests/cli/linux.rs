//! Lane `linux` on the command line: real kernels in real guests.

use std::fs;
use std::path::PathBuf;

use super::world::{Ended, World};

/// A world with the QEMU on which expectations of Linux guests are recorded, and the kernel that set-up fetches.
pub struct Linux {
    pub world: World,
    kernel: PathBuf,
}

/// A world for Linux guests.
pub fn linux() -> Option<Linux> {
    let (world, kernel) = World::with_kernel()?;
    let qemu = &world.qemu;
    world.configure(&format!(
        "qemu = [{qemu:?}]\nemulator = \"10.0\"\n[[kernel]]\npath = {kernel:?}\n[default.linux]\nmodels = [\"EPYC-v4\"]\n"
    ));
    world.copy_expectation("linux-6.12/EPYC-v4.snap");
    Some(Linux { world, kernel })
}

impl Linux {
    fn run(&self, more: &[&str]) -> Ended {
        self.world
            .run(&[&["run", "--lane", "linux"], more].concat())
    }

    fn dump(&self, cpu: &str, more: &[&str]) -> Ended {
        let arguments = ["dump", "--lane", "linux", "--cpu", cpu];
        self.world.run(&[&arguments[..], more].concat())
    }
}

#[test]
fn a_guest_that_shows_what_is_expected_passes_and_its_flags_are_in_the_json() {
    let linux = or_skip!(linux());
    linux.run(&["--json", "run.json"]).expect(0);
    let cases = linux.world.cases("run.json");
    let [case] = &cases[..] else {
        panic!("{cases:?}")
    };
    assert_eq!(case["case"], "linux/qemu-10.0/linux-6.12/EPYC-v4");
    let flags = case["linux"]["flags"].as_array().expect("flags");
    assert!(flags.iter().any(|flag| flag == "avx2"), "{case}");
    assert!(
        case["linux"]["release"]
            .as_str()
            .is_some_and(|release| release.starts_with("6.12."))
    );
    linux.world.assert_clean();
}

#[test]
fn what_the_guest_kernels_command_line_takes_is_found_and_named() {
    let linux = or_skip!(linux());
    let ended = linux.run(&["-v", "--append", "clearcpuid=avx2"]).expect(1);
    ended.prints("lost avx2 at /proc/cpuinfo flags (layer: guest kernel)");
    ended.prints("-flags                           avx2");
    ended.prints("avx2: the guest kernel's command line took it: clearcpuid=avx2");
    let arguments = [
        "explain",
        "--lane",
        "linux",
        "--cpu",
        "EPYC-v4",
        "--feature",
        "avx2",
    ];
    let more = ["--append", "clearcpuid=avx2"];
    let ended = linux.world.run(&[&arguments[..], &more].concat()).expect(0);
    ended.prints("the guest kernel's command line took it: clearcpuid=avx2");
    linux.world.assert_clean();
}

#[test]
fn a_dump_shows_cpuinfo_vulnerabilities_and_topology_of_every_cpu() {
    let linux = or_skip!(linux());
    let more = ["--smp", "2,cores=2", "--machine", "pc"];
    let ended = linux.dump("Skylake-Server-v4", &more).expect(0);
    for line in [
        "flags                           smep",
        "bugs                            spectre_v1",
        "vuln  meltdown                  Mitigation: PTI",
        "topo  cpu1/core_id              core_id = 1",
        "info  cpu-cores                 cpu-cores = 2",
        "agent vcpus                     vcpus = 2",
        "msr   0x0000010a                zero",
    ] {
        ended.prints(line);
    }
}

#[test]
fn a_kernel_that_panics_is_an_error_with_the_consoles_last_lines() {
    let linux = or_skip!(linux());
    let ended = linux
        .dump("EPYC-v4", &["--append", "rdinit=/nothing"])
        .expect(3);
    ended.prints("the guest's kernel ended before /init had reported");
    ended.prints("Kernel panic - not syncing: ");
}

#[test]
fn a_kernel_without_a_serial_console_reports_all_the_same() {
    let linux = or_skip!(linux());
    let ended = linux
        .dump("EPYC-v4", &["--append", "console=null"])
        .expect(0);
    ended.prints("flags                           avx2");
}

#[test]
fn a_processor_without_long_mode_is_refused_with_the_reason() {
    let linux = or_skip!(linux());
    let ended = linux.dump("athlon-v1", &[]).expect(3);
    ended.prints("athlon-v1 has no long mode, and a 64-bit kernel does not start without");
}

/// A file with the header of a bzImage of release 6.12.9, and these flags at 236H.
fn image(xloadflags: u16) -> Vec<u8> {
    let mut image = vec![0; 2048];
    image[0x1F1] = 1;
    image[0x202..0x206].copy_from_slice(b"HdrS");
    image[0x206..0x208].copy_from_slice(&0x20Fu16.to_le_bytes());
    image[0x20E..0x210].copy_from_slice(&0x100u16.to_le_bytes());
    image[0x236..0x238].copy_from_slice(&xloadflags.to_le_bytes());
    image[0x300..0x307].copy_from_slice(b"6.12.9 ");
    image
}

#[test]
fn kernels_that_cannot_start_our_init_are_refused() {
    let linux = or_skip!(linux());
    let boot = linux.world.path("odd/boot");
    fs::create_dir_all(&boot).expect("a folder");
    let path = boot.join("vmlinuz-6.12.9");
    let refuses = |what: &str| {
        let kernel = linux.world.path("odd");
        let ended = linux.dump("EPYC-v4", &["--kernel", &kernel.to_string_lossy()]);
        ended.expect(3).prints(what);
    };
    fs::write(&path, image(0)).expect("an image");
    refuses("a 32-bit kernel: its image has no 64-bit entry");
    fs::write(&path, image(1)).expect("an image");
    fs::write(boot.join("config-6.12.9"), "CONFIG_64BIT=y\n").expect("a configuration");
    refuses("CONFIG_BLK_DEV_INITRD is not set, so this kernel starts no /init of ours");
    for (name, reason) in [
        ("nowhere", "no kernel “nowhere” here"),
        ("./nowhere", "failed to read ./nowhere"),
    ] {
        let ended = linux.dump("EPYC-v4", &["--kernel", name]).expect(2);
        ended.prints(reason);
    }
    let kernel = linux.kernel.to_string_lossy();
    let ended = linux
        .world
        .run(&["dump", "--lane", "tcg", "--append", "x"])
        .expect(2);
    ended.prints("--append goes with --lane linux");
    let ended = linux
        .world
        .run(&["dump", "--lane", "tcg", "--kernel", &kernel])
        .expect(2);
    ended.prints("--kernel goes with lanes lab, linux, kvm and kvm-direct");
}

#[test]
fn user_space_tries_what_needs_no_privilege() {
    let linux = or_skip!(linux());
    let ended = linux.dump("EPYC-v4", &[]).expect(0);
    for line in [
        "tried vpaddd                    runs",
        "tried rdtscp                    ecx=0x0",
        "tried page-nx                   #PF",
        "tried ud2                       #UD",
        // EPYC-v4 has no UMIP, so this is the real limit of Linux' GDT.
        "tried sgdt                      line=0x7f",
        "state os-enabled.xcr0           xcr0 = 0x7",
    ] {
        ended.prints(line);
    }
    // Without a kernel it was refused, and it is privileged.
    for name in ["vaddps-zmm", "rdmsr"] {
        let line = format!("tried {name} ");
        assert!(!ended.stdout.contains(&line), "{}", ended.stdout);
    }
    let tried = |more: &[&str]| {
        let ended = linux.dump("EPYC-v4", more).expect(0);
        let lines = ended
            .stdout
            .lines()
            .filter(|line| line.starts_with("tried "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(tried(&["--probes", "none"]), Vec::<String>::new());
    let all = tried(&["--probes", "all", "--skip-probe", "vpaddd"]);
    let has = |name: &str| all.iter().any(|line| line.starts_with(name));
    assert!(has("tried vaddps-zmm ") && !has("tried vpaddd "), "{all:?}");
}

#[test]
fn what_the_kernel_keeps_from_user_space_and_what_it_only_hides_is_listed() {
    let linux = or_skip!(linux());
    let check = ["check", "--lane", "linux", "--cpu", "EPYC-v4"];
    let append = ["--append", "clearcpuid=avx2 nofsgsbase"];
    let ended = linux.world.run(&[&check[..], &append].concat()).expect(0);
    ended.prints("behaviour: hidden, and runs all the same: vpaddd (avx2)");
    ended.prints("behaviour: kept from user space by the kernel: rdfsbase #UD (fsgsbase)");
    let explain = ["explain", "--lane", "linux", "--cpu", "EPYC-v4"];
    let ended = linux
        .world
        .run(&[&explain[..], &["--feature", "avx2"]].concat())
        .expect(0);
    ended.prints("tried: announced, and vpaddd works");
    ended.prints("user space: shown by the kernel, and vpaddd works");
    linux.world.assert_clean();
}
