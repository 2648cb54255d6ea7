//! Lane `lab` on the command line: a real kernel with its KVM on an emulated host.

use std::fs;
use std::path::{Path, PathBuf};

use super::world::{Ended, World, ended};

/// A world for labs of kernel 6.12.
struct Lab {
    world: World,
    kernel: PathBuf,
}

fn lab() -> Option<Lab> {
    let (world, kernel) = World::with_kernel()?;
    world.copy_expectation("kernels/6.12/kvm.snap");
    Some(Lab { world, kernel })
}

impl Lab {
    /// Runs a verb on the kernel `kernel`.
    fn on(&self, kernel: &Path, verb: &[&str], more: &[&str]) -> Ended {
        let kernel = kernel.to_string_lossy();
        let arguments = [verb, &["--kernel", &kernel], more].concat();
        self.world.run(&arguments)
    }

    fn run(&self, verb: &[&str], more: &[&str]) -> Ended {
        self.on(&self.kernel, verb, more)
    }

    /// The kernel with the files of `folders` alone, by links.
    fn part(&self, name: &str, folders: &[(&str, &Path)]) -> PathBuf {
        let path = self.world.path(name);
        fs::create_dir_all(&path).expect("a folder");
        for (name, target) in folders {
            std::os::unix::fs::symlink(target, path.join(name)).expect("a link");
        }
        path
    }
}

#[test]
fn what_the_kernels_command_line_takes_from_kvm_is_named() {
    let lab = or_skip!(lab());
    let ended = lab
        .run(
            &["lab", "--quiet", "--cpu", "486-v1"],
            &["--cmdline", "clearcpuid=avx2", "--json", "run.json"],
        )
        .expect(1);
    ended.prints("avx2 lost at CPUID.07H.00H:EBX[5] (layer host kernel)");
    ended.prints("avx2: disabled on the host kernel's command line by clearcpuid=avx2");
    let cases = lab.world.cases("run.json");
    let failed = |case: &&serde_json::Value| case["status"] == "FAIL";
    assert_eq!(cases.iter().filter(failed).count(), 1, "{cases:?}");
    lab.world.assert_clean();
}

#[test]
fn a_module_option_is_named_as_the_cause() {
    let lab = or_skip!(lab());
    let verb = ["explain", "--lane", "lab", "--cpu", "EPYC-Rome-v2"];
    let more = ["--feature", "svm", "--module-param", "kvm_amd.nested=0"];
    let ended = lab.run(&verb, &more).expect(0);
    ended.prints("disabled by the module option kvm_amd.nested=0");
    ended.prints("in the lab of linux-6.12+kvm_amd.nested=0");
    lab.world.assert_clean();
}

/// Whether a guest in the lab has `avx2`.
fn has_avx2(lab: &Lab) -> bool {
    let verb = ["dump", "--lane", "lab", "--cpu", "EPYC-v4"];
    let ended = lab.run(&verb, &[]).expect(0);
    // What no wrapper takes away, so that an empty dump is no answer.
    assert_eq!(ended.lines("cpuid 0x00000007.00 ebx[ 3]").count(), 1);
    ended.lines("cpuid 0x00000007.00 ebx[ 5]").count() == 1
}

#[test]
fn a_wrapper_script_runs_in_the_lab_as_it_does_here() {
    let mut lab = or_skip!(lab());
    lab.world.real = lab.world.qemu.clone();
    assert!(has_avx2(&lab));
    lab.world
        .add_arguments("-global EPYC-v4-x86_64-cpu.avx2=off");
    assert!(!has_avx2(&lab));
    // A script around the script, which reads a file, starts a program of PATH and stays.
    let off = "[global]\ndriver = \"EPYC-v4-x86_64-cpu\"\nproperty = \"avx2\"\nvalue = \"off\"\n";
    let file = lab.world.write("off.cfg", off);
    let file = file.display();
    lab.world.replace_qemu(&format!(
        "test \"$(head -c 8 {file})\" = '[global]' && \"$q\" \"$@\" -readconfig {file}"
    ));
    assert!(!has_avx2(&lab));
    lab.world.assert_clean();
}

#[test]
fn a_wrapper_that_no_lab_can_run_is_refused_with_the_reason() {
    let mut lab = or_skip!(lab());
    lab.world.real = lab.world.qemu.clone();
    let script = "[ ! -e /no/such/file ] || . /no/such/file; exec \"$q\" \"$@\"";
    lab.world.replace_qemu(script);
    let reason = "cannot be taken into a lab: it names /no/such/file, and nothing is there";
    let dump = ["dump", "--lane", "lab", "--cpu", "486-v1"];
    lab.run(&dump, &[]).expect(2).prints(reason);
    lab.run(&["lab"], &[]).expect(2);
    let qemu = lab.world.qemu.display().to_string();
    let kernel = lab.kernel.display();
    lab.world.configure(&format!(
        "qemu = [{:?}]\n[[kernel]]\npath = \"{kernel}\"\n[default.lab]\nkvm = [\"486-v1\"]\n",
        lab.world.real
    ));
    let run = ["--qemu", &qemu, "run", "--lane", "lab"];
    lab.world.run(&run).expect(2).prints(reason);
    lab.world.assert_clean();
}

#[test]
fn an_l1_that_panics_is_an_error_with_the_consoles_last_lines() {
    let lab = or_skip!(lab());
    let ended = lab
        .run(&["lab"], &["--cmdline", "rdinit=/nothing root=/dev/none"])
        .expect(3);
    ended.prints("did not come up: L1 panicked or rebooted");
    ended.prints("Kernel panic");
    lab.world.assert_clean();
}

#[test]
fn too_little_memory_is_told_before_anything_starts() {
    let lab = or_skip!(lab());
    let ended = lab.run(&["lab"], &["--memory", "64"]).expect(3);
    ended.prints("64 MiB are too little memory for an initramfs of");
}

#[test]
fn a_kernel_without_kvm_says_which_option_is_missing() {
    let lab = or_skip!(lab());
    let boot = lab.kernel.join("boot");
    let image = lab.part("bare", &[("boot", &boot)]);
    lab.on(&image, &["lab"], &[])
        .expect(3)
        .prints("CONFIG_KVM=m, and the package or build tree has no kvm_amd");
    let config = fs::read_dir(&boot)
        .expect("the package")
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.to_string_lossy().contains("config-"))
        .expect("a configuration");
    let text = fs::read_to_string(&config).expect("a text");
    let without = lab.world.path("without/boot");
    fs::create_dir_all(&without).expect("a folder");
    for entry in fs::read_dir(&boot).expect("the package").flatten() {
        let name = entry.file_name();
        if entry.path() == config {
            fs::write(without.join(name), text.replace("CONFIG_KVM_AMD=m\n", ""))
        } else {
            std::os::unix::fs::symlink(entry.path(), without.join(name))
        }
        .expect("a file");
    }
    lab.on(&lab.world.path("without"), &["lab"], &[])
        .expect(3)
        .prints("CONFIG_KVM_AMD is not set in its configuration");
}

#[test]
fn what_is_no_kernel_or_has_the_modules_of_another_is_told() {
    let lab = or_skip!(lab());
    lab.on(Path::new("nothing"), &["lab"], &[])
        .expect(2)
        .prints("no kernel “nothing” here");
    lab.on(Path::new("./nothing"), &["lab"], &[])
        .expect(2)
        .prints("failed to read ./nothing");
    let image = lab.world.write("vmlinuz", "no kernel");
    lab.on(&image, &["lab"], &[]).expect(2);
    lab.run(&["lab"], &["--modules", "."]).expect(2);
    lab.run(&["dump", "--lane", "tcg"], &[])
        .expect(2)
        .prints("lane tcg has no KVM");
}

#[test]
fn a_model_of_which_no_guest_runs_in_the_lab_is_no_pass() {
    let lab = or_skip!(lab());
    lab.run(&["lab"], &["--cpu", "EPYC-v44"])
        .expect(2)
        .prints("no CPU model matches “EPYC-v44”; near to it: EPYC-v4,");
    // Without a QEMU to take along there is KVM alone.
    let kernel = lab.kernel.display().to_string();
    let arguments = ["lab", "--kernel", &kernel, "--cpu", "host"];
    ended(lab.world.command(&arguments).env_remove("QEMU"))
        .expect(3)
        .prints("nothing was compared: KVM alone runs no guest of “host”");
}

#[test]
fn what_is_said_of_kernel_and_host_is_refused_where_no_guest_has_them() {
    let lab = or_skip!(lab());
    let lanes = ["--lane", "definition", "--lane", "lab"];
    lab.run(&["run"], &lanes)
        .expect(2)
        .prints("guests of lane definition have no kernel that could be named: --kernel is for lanes lab and linux");
    let text = format!(
        "[[kernel]]\npath = {:?}\n[default.linux]\nmodels = [\"486-v1\"]\n",
        lab.kernel
    );
    lab.world.configure(&text);
    for verb in ["run", "list"] {
        lab.run(&[verb], &["--lane", "linux", "--without", "avx2"])
            .expect(2);
    }
}

/// A world for labs of kernel 6.12 on an emulated Intel host.
fn intel_lab() -> Option<Lab> {
    let (world, kernel) = World::with_bochs()?;
    world.copy_expectation("kernels/6.12/kvm-corei7_skylake_x.snap");
    Some(Lab { world, kernel })
}

#[test]
fn a_parameter_of_kvm_intel_takes_from_kvm_what_it_names() {
    let lab = or_skip!(intel_lab());
    let ended = lab
        .run(
            &["lab", "--host", "intel", "--quiet", "--cpu", "486-v1"],
            &["--module-param", "kvm_intel.nested=0"],
        )
        .expect(1);
    ended.prints("hv-evmcs, msr-480h, msr-481h, ");
    ended.prints(" and 12 more lost (layer kvm)");
    ended.prints("hv-evmcs-version-high, hv-evmcs-version-low 1 → 0 (layer kvm)");
    let why = "  18 VMX MSRs, hv-evmcs, hv-evmcs-version-high, hv-evmcs-version-low and vmx: disabled by the module option kvm_intel.nested=N";
    assert_eq!(ended.lines(why).count(), 1, "once for all that it took");
    ended.prints("kvm-intel has enable_apicv=0 there");
    lab.world.assert_clean();
}

#[test]
fn a_kernel_without_kvm_for_intel_says_which_option_is_missing() {
    let lab = or_skip!(intel_lab());
    let boot = lab.kernel.join("boot");
    let without = lab.world.path("without/boot");
    fs::create_dir_all(&without).expect("a folder");
    for entry in fs::read_dir(&boot).expect("the package").flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        if name.to_string_lossy().starts_with("config-") {
            let text = fs::read_to_string(&path).expect("a text");
            let text = text.replace("CONFIG_KVM_INTEL=m\n", "");
            fs::write(without.join(name), text).expect("a file");
        } else {
            std::os::unix::fs::symlink(path, without.join(name)).expect("a link");
        }
    }
    let kernel = lab.world.path("without");
    lab.on(&kernel, &["lab", "--host", "intel"], &[])
        .expect(3)
        .prints("CONFIG_KVM_INTEL is not set in its configuration");
}

#[test]
fn what_no_intel_host_can_be_made_of_is_told_before_anything_starts() {
    let lab = or_skip!(lab());
    lab.run(&["lab", "--host", "intel"], &[])
        .expect(3)
        .prints("/bochs/3.0/bochs: run scripts/fetch-bochs");
    lab.run(&["lab", "--host", "intel:pentium"], &[])
        .expect(2)
        .prints("no processor “pentium” with VMX and EPT in Bochs");
    lab.run(&["lab", "--host", "riscv"], &[])
        .expect(2)
        .prints("there are amd, intel");
    lab.run(&["lab"], &["--without", "avx2"])
        .expect(2)
        .prints("--without goes with a processor that is named");
}

#[test]
fn an_intel_host_that_gives_up_is_an_error_with_its_message() {
    let lab = or_skip!(intel_lab());
    let ended = lab
        .run(&["lab", "--host", "intel"], &["--without", "avx2"])
        .expect(3);
    ended.prints("AVX-512 is enabled when AVX2 is not supported");
    lab.world.assert_clean();
}
