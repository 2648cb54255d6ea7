//! Reproducers of what boots a kernel, of libvirt's guests, of migrations and of pairs of releases: pasted in a folder without a
//! configuration, each shows the same again, of the same case alone.

use std::path::PathBuf;

use super::pasted::{paste, reproducer};
use super::world::{Ended, World};

/// What a run with `outputs` gives: JSON lines, a comment and a page.
const OUTPUTS: [&str; 6] = [
    "--json",
    "run.jsonl",
    "--markdown",
    "report.md",
    "--html",
    "report.html",
];

/// The reproducer of the run's one failure, which its terminal, its comment, its page and its JSON lines share.
#[track_caller]
fn of_one_failure(world: &World, ended: &Ended, program: &str) -> String {
    let printed = format!("{}{}", ended.stdout, ended.stderr);
    let line = reproducer(&printed, program).to_owned();
    let comment = std::fs::read_to_string(world.path("report.md")).expect("the comment");
    assert_eq!(reproducer(&comment, program), line);
    let page = std::fs::read_to_string(world.path("report.html")).expect("the page");
    let page = page.replace("<span>", "").replace("</span>", "");
    assert!(page.contains(&line.replace('\'', "&#39;")), "{line}");
    let cases = world.cases("run.jsonl");
    let mut failed = cases.iter().filter(|case| case["status"] == "FAIL");
    let words = failed.next().expect("a failure")["reproduce"].clone();
    let words: Vec<String> = serde_json::from_value(words).expect("arguments");
    assert_eq!(shlex::split(&line), Some(words));
    assert_eq!(failed.next(), None);
    line
}

/// The pasted line and what it prints, with the rows that it makes.
#[track_caller]
fn pasted_run(world: &World, line: &str, status: i32) -> (Ended, usize) {
    let file = world.path("pasted.jsonl");
    let ended = paste(world, &format!("{line} --json '{}'", file.display())).expect(status);
    (ended, world.cases("pasted.jsonl").len())
}

/// A world of QEMU 10.0 with two kernels, of which one alone is meant.
fn two_kernels(sections: &str) -> Option<(World, PathBuf)> {
    let (world, kernel) = World::with_kernel()?;
    let other = world.path("6.1");
    std::os::unix::fs::symlink(kernel.with_file_name("6.1"), &other).expect("a link");
    world.configure(&format!(
        "qemu = [{:?}]\nemulator = \"10.0\"\n[[kernel]]\npath = {kernel:?}\n[[kernel]]\npath = {other:?}\n{sections}",
        world.qemu
    ));
    Some((world, kernel))
}

#[test]
fn a_linux_guest_is_shown_again_with_its_kernel_and_its_words() {
    let (world, kernel) = or_skip!(two_kernels(
        "[default.linux]\nkernels = [\"linux-6.12\"]\nmodels = [\"EPYC-v4\"]\n"
    ));
    world.copy_expectation("linux-6.12/EPYC-v4.snap");
    let run = ["run", "--lane", "linux", "--append", "clearcpuid=avx2"];
    let ended = world.run(&[&run[..], &OUTPUTS].concat()).expect(1);
    let line = of_one_failure(&world, &ended, "cpuid-fidelity run --qemu ");
    let named = format!("--kernel {} --cmdline clearcpuid=avx2", kernel.display());
    assert!(line.contains(&named), "{line}");
    let (ended, cases) = pasted_run(&world, &line, 1);
    ended.prints("avx2: the guest kernel's command line took it: clearcpuid=avx2");
    assert_eq!(cases, 1);
    let without = line.replace(" --cmdline clearcpuid=avx2", "");
    pasted_run(&world, &without, 0);
    world.assert_clean();
}

#[test]
fn a_linux_guest_that_differs_from_what_was_recorded_is_shown_again() {
    let (world, _) = or_skip!(two_kernels(
        "[default.linux]\nkernels = [\"linux-6.12\"]\nmodels = [\"EPYC-v4\"]\n"
    ));
    world.copy_expectation("linux-6.12/EPYC-v4.snap");
    let path = world.path("expectations/linux-6.12/EPYC-v4.snap");
    let text = std::fs::read_to_string(&path).expect("the expectation");
    let doctored = text.replace("flags                           avx2\n", "");
    assert_ne!(doctored, text);
    std::fs::write(&path, doctored).expect("the expectation");
    let run = ["run", "--lane", "linux"];
    let ended = world.run(&[&run[..], &OUTPUTS].concat()).expect(1);
    let line = of_one_failure(&world, &ended, "cpuid-fidelity run --qemu ");
    let (ended, cases) = pasted_run(&world, &line, 1);
    ended.prints("avx2 gained at /proc/cpuinfo flags");
    assert_eq!(cases, 1);
}

#[test]
fn what_kvm_of_a_kernel_offers_is_shown_again_and_no_guest_runs() {
    let (world, kernel) = or_skip!(two_kernels(""));
    world.copy_expectation("kernels/6.12/kvm.snap");
    let kernel = kernel.display().to_string();
    let words = "clearcpuid=avx2 kvm_amd.nested=0";
    let lab = ["lab", "--kernel", &kernel, "--cpu", "486-v1", "--cmdline"];
    let ended = world
        .run(&[&lab[..], &[words], &OUTPUTS].concat())
        .expect(1);
    let line = of_one_failure(&world, &ended, "cpuid-fidelity run --lane lab ");
    let named = format!("--machine - --kernel {kernel} --cmdline '{words}'");
    assert!(line.contains(&named), "{line}");
    let (ended, cases) = pasted_run(&world, &line, 1);
    ended.prints("avx2: disabled on the host kernel's command line by clearcpuid=avx2");
    ended.prints("kvm_amd.nested=0");
    assert_eq!(cases, 1);
    world.assert_clean();
}

#[test]
fn a_guest_in_a_lab_is_shown_again_in_the_lab_of_the_same_kernel() {
    let (mut world, kernel) = or_skip!(two_kernels(""));
    world.copy_expectation("kernels/6.12/kvm.snap");
    world.copy_expectation("qemu-10.0/models/EPYC-Rome-v2.snap");
    world.real = world.qemu.clone();
    world.add_arguments("-global EPYC-Rome-v2-x86_64-cpu.avx2=off");
    let kernel = kernel.display().to_string();
    let lab = ["lab", "--kernel", &kernel, "--cpu", "EPYC-Rome-v2"];
    let ended = world.run(&[&lab[..], &OUTPUTS].concat()).expect(1);
    let line = of_one_failure(&world, &ended, "cpuid-fidelity check --qemu ");
    let ended = paste(&world, &line).expect(1);
    ended.prints("FAIL check/lab/");
    ended.prints("lost avx2 set in the reviewed definition → clear, and not filtered at CPUID.07H.00H:EBX[5]");
}

#[test]
fn a_guest_that_libvirt_starts_is_shown_again() {
    let mut world = or_skip!(super::libvirt::world());
    let text = std::fs::read_to_string(world.path("fidelity.toml")).expect("a configuration");
    world.configure(&text.replace("\"Nehalem\", \"max\"", "\"Haswell\""));
    // The level hides leaf 7, and libvirt asks QEMU for feature words, which still have it.
    world.add_arguments("-global Haswell-x86_64-cpu.level=4");
    let run = ["run", "--lane", "libvirt"];
    let ended = world.run(&[&run[..], &OUTPUTS].concat()).expect(1);
    let line = of_one_failure(&world, &ended, "cpuid-fidelity check --qemu ");
    let ended = paste(&world, &line).expect(1);
    ended.prints("FAIL check/libvirt/");
    ended.prints("avx2");
}

#[test]
fn a_migration_that_loses_a_feature_is_shown_again() {
    let mut world = or_skip!(World::new(&[], &[]));
    world.add_arguments("-global Skylake-Server-v4-x86_64-cpu.avx2=off");
    let paths = [&world.real, &world.qemu].map(|path| path.display().to_string());
    let migrate = ["migrate", "--from", &paths[0], "--to", &paths[1]];
    let more = ["--cpu", "Skylake-Server-v4", "--lane", "definition"];
    let ended = world.run(&[&migrate[..], &more].concat()).expect(1);
    // Without --machine the newest one that both have.
    let newest = &world.machines()[0];
    ended.prints(&format!("/{newest}/live/Skylake-Server-v4"));
    let line = reproducer(&ended.stdout, "cpuid-fidelity migrate --from ");
    let again = paste(&world, line).expect(1);
    let lost = |ended: &Ended| ended.lines("  lost avx2 ").count();
    assert_eq!((lost(&ended), lost(&again)), (1, 1), "{}", again.stdout);
}

#[test]
fn a_pair_of_releases_is_compared_again() {
    let mut world = or_skip!(World::new(&[], &[]));
    world.add_arguments("-global Skylake-Server-v4-x86_64-cpu.avx2=off");
    let paths = [&world.real, &world.qemu].map(|path| path.display().to_string());
    let machine = world.machines()[0].clone();
    let run = [
        "run",
        "--compat",
        &paths[0],
        &paths[1],
        "--machine",
        &machine,
    ];
    let more = ["--cpu", "Skylake-Server-v[45]"];
    let ended = world.run(&[&run[..], &more, &OUTPUTS].concat()).expect(1);
    let line = of_one_failure(&world, &ended, "cpuid-fidelity run --lane ");
    let (ended, cases) = pasted_run(&world, &line, 1);
    ended.prints("avx2 lost at CPUID.07H.00H:EBX[5]");
    assert_eq!(cases, 1);
}

#[test]
fn what_a_waiver_would_hide_is_shown_again_without_waivers() {
    let world = or_skip!(World::new(&[], &[]));
    world.select(&[], &[], &["EPYC-v4"]);
    world.record_expectations();
    let root = super::require::root();
    let waivers = "expectations/waivers.toml";
    std::fs::copy(root.join(waivers), world.path(waivers)).expect("the waivers");
    let run = ["run", "--lane", "tcg", "--no-waivers"];
    let ended = world.run(&[&run[..], &OUTPUTS].concat()).expect(1);
    let line = of_one_failure(&world, &ended, "cpuid-fidelity ");
    assert!(line.ends_with(" --no-waivers"), "{line}");
    pasted_run(&world, &line, 1);
    pasted_run(&world, &line.replace(" --no-waivers", ""), 0);
}
