//! VMX capability MSRs on the command line: what KVM offers as people read it, what differs, and which bit each property moves.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use cpuid_fidelity::expectation::{Expected, Files};
use serde_json::Value;

use super::require::root;
use super::world::World;

/// What KVM of kernel 6.12 offers on Bochs' Skylake-X, in three MSRs and their TRUE ones: 481H and 48DH 0000007F_00000016H, 483H
/// 007FFFFF_00036DFFH and 48FH 007FFFFF_00036DFBH, 48BH 02137BFF_00000000H. The words are those of vmxcap by hand: bit n of the low half
/// clear and bit n of the high half set is `yes`, both clear `no`, both set `forced`; and `default` where they are set and the TRUE MSR has
/// its low one clear.
const SKYLAKE: [&str; 3] = [
    "VMX: Pin-based controls (MSRs 481H and 48DH)
  Must be 1                      0x00000016
  May be 1                       0x0000007f
  External-interrupt exiting     yes
  NMI exiting                    yes
  Virtual NMIs                   yes
  Activate VMX-preemption timer  yes
  Process posted interrupts      no
",
    "VMX: Secondary processor-based controls (MSR 48BH)
  Must be 1                               0x00000000
  May be 1                                0x02137bff
  Virtualize APIC accesses                yes
  Enable EPT                              yes
  Descriptor-table exiting                yes
  Enable RDTSCP                           yes
  Virtualize x2APIC mode                  yes
  Enable VPID                             yes
  WBINVD exiting                          yes
  Unrestricted guest                      yes
  APIC-register virtualization            yes
  Virtual-interrupt delivery              yes
  PAUSE-loop exiting                      no
  RDRAND exiting                          yes
  Enable INVPCID                          yes
  Enable VM functions                     yes
  VMCS shadowing                          yes
  Enable ENCLS exiting                    no
  RDSEED exiting                          yes
  Enable PML                              yes
  EPT-violation #VE                       no
  Conceal VMX from PT                     no
  Enable XSAVES/XRSTORS                   yes
  PASID translation                       no
  Mode-based execute control for EPT      no
  Sub-page write permissions for EPT      no
  Intel PT uses guest physical addresses  no
  Use TSC scaling                         yes
  Enable user wait and pause              no
  Enable PCONFIG                          no
  Enable ENCLV exiting                    no
  Enclave page cache virtualization       no
  VMM bus-lock detection                  no
  Instruction timeout (notify)            no
",
    "VMX: VM-exit controls (MSRs 483H and 48FH)
  Must be 1                        0x00036dff, by the TRUE MSR 0x00036dfb
  May be 1                         0x007fffff
  Save debug controls              default
  Host address-space size          yes
  Load IA32_PERF_GLOBAL_CTRL       yes
  Acknowledge interrupt on exit    yes
  Save IA32_PAT                    yes
  Load IA32_PAT                    yes
  Save IA32_EFER                   yes
  Load IA32_EFER                   yes
  Save VMX-preemption timer value  yes
  Clear IA32_BNDCFGS               no
  Conceal VM exits from PT         no
  Clear IA32_RTIT_CTL              no
  Clear IA32_LBR_CTL               no
  Clear UINV                       no
  Load CET state                   no
  Load PKRS                        no
  Save IA32_PERF_GLOBAL_CTL        no
  Activate secondary controls      no
",
];

/// What a dump says of its guest before its registers.
const HEAD: &str = "\
agent apic-id                   apic-id = 0
agent cpuid                     cpuid = yes
agent mode                      mode = 64
agent phases                    phases = reset,msrs
agent vcpus                     vcpus = 1
";

/// The registers of what was recorded of KVM, as a file that every verb reads, and a changed one.
fn run(arguments: &[&str], changed: impl Fn(&str) -> String) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let files = Files::new(&root().join("expectations"));
    let path = Path::new("kernels/6.12/kvm-corei7_skylake_x.snap");
    let Ok(Expected::Text(recorded)) = files.expectation(path) else {
        panic!("no {}", path.display());
    };
    let own = |line: &&str| line.starts_with("cpuid ") || line.starts_with("msr ");
    let registers: Vec<&str> = recorded.lines().filter(own).collect();
    let text = format!("{HEAD}{}\n", registers.join("\n"));
    fs::write(folder.path().join("a"), &text).expect("a file");
    fs::write(folder.path().join("b"), changed(&text)).expect("a file");
    Command::new(env!("CARGO_BIN_EXE_cpuid-fidelity"))
        .args(arguments)
        .current_dir(folder.path())
        .env("XDG_CACHE_HOME", folder.path())
        .output()
        .expect("the binary runs")
}

fn printed(output: &Output, status: i32) -> String {
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{message}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn controls_are_what_vmxcaps_rules_make_of_both_halves() {
    let shown = printed(&run(&["show", "a"], str::to_owned), 0);
    for section in SKYLAKE {
        assert!(shown.contains(section), "{section}\n{shown}");
    }
    for format in ["markdown", "html"] {
        let shown = printed(&run(&["show", "a", "--format", format], str::to_owned), 0);
        assert!(
            shown.contains("VM-exit controls (MSRs 483H and 48FH)"),
            "{shown}"
        );
    }
}

#[test]
fn json_has_both_halves_and_the_word_of_each_control() {
    let shown = printed(&run(&["show", "a", "--format", "json"], str::to_owned), 0);
    let shown: Value = serde_json::from_str(&shown).expect("an object");
    let all = shown["vmx"].as_array().expect("MSRs");
    let exit = all.iter().find(|own| own["msr"] == 0x483).expect("483H");
    assert_eq!(exit["true-msr"], 0x48F);
    assert_eq!(exit["halves"]["must-be-1"], 0x3_6DFF);
    assert_eq!(exit["halves"]["may-be-1"], 0x7F_FFFF);
    assert_eq!(exit["halves"]["true-must-be-1"], 0x3_6DFB);
    assert_eq!(exit["rows"][0]["value"], "default");
}

/// Without EPT, and with a control that TRUE MSRs no longer let be 0.
fn changed(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.ends_with(" vmx-ept"));
    let lines = lines.map(|line| line.replace("must-be-1 = 0x36dfb", "must-be-1 = 0x36dff") + "\n");
    lines.collect()
}

#[test]
fn diff_names_each_control_that_changes() {
    let shown = printed(&run(&["diff", "a", "b"], changed), 1);
    let section = "what a hypervisor may set of VMX controls\n  \
                   Enable EPT: yes → no (MSR 48BH)\n  \
                   Save debug controls: default → forced (MSRs 483H and 48FH)\n";
    assert!(shown.contains(section), "{shown}");
    assert!(shown.contains("  -vmx-ept "), "{shown}");
    let shown = printed(&run(&["diff", "a", "b", "--json"], changed), 1);
    let control = "{\"what\":\"vmx-control\",\"place\":\"MSR 48BH\",\"control\":\"Enable EPT\",\"a\":\"yes\",\"b\":\"no\"}\n";
    assert!(shown.contains(control), "{shown}");
    let same = printed(&run(&["diff", "a", "a"], changed), 0);
    assert!(!same.contains("VMX controls"), "{same}");
}

#[test]
fn what_catalogue_cannot_measure_or_read_is_refused() {
    let world = or_skip!(World::new(&[], &[]));
    world.write("half", "qemu-11.1\tvmx-ept\n");
    world.write("nothing", "# nothing\n");
    for (arguments, message) in [
        (
            &["--lane", "tcg"][..],
            "properties are measured in lanes definition, kvm and lab",
        ),
        (
            &["--lane", "lab"],
            "--lane lab needs --kernel PATH, as of .cache/kernels",
        ),
        (
            &["--from", "half"],
            "failed to read half: line 1: 2 cells where QEMU, property and bits are due",
        ),
        (
            &["--from", "nothing"],
            "no line of it is one that `catalogue` prints",
        ),
        (&["--from", "half", "--lane", "lab"], "cannot be used with"),
    ] {
        let arguments = [&["catalogue"], arguments].concat();
        world.run(&arguments).expect(2).prints(message);
    }
}

#[test]
fn a_measurement_that_contradicts_the_table_is_found() {
    let world = or_skip!(World::new(&[], &[]));
    let wrong = "# under KVM: qemu-11.1, linux-7.3\nqemu-11.1\tvmx-ept\tMSR.48BH[34]\n";
    world.write("wrong", wrong);
    let ended = world
        .run(&["catalogue", "--check", "--from", "wrong"])
        .expect(1);
    ended.prints(
        "qemu-11.1: vmx-ept moves MSR.48BH[34] (and 0 more), which the table calls vmx-desc-exit",
    );
    ended.prints(
        "qemu-11.1: vmx-ept was measured once; in this release it moves another bit, or none",
    );
}

#[test]
fn what_kvm_of_a_lab_offers_is_shown_and_read_back() {
    let (world, kernel) = or_skip!(World::with_bochs());
    let kernel = kernel.to_string_lossy();
    let offer = ["show", "--kvm", "--kernel", &kernel, "--lab-host", "intel"];
    let lines = world
        .run(&[&offer[..], &["--format", "lines"]].concat())
        .expect(0);
    world.write("offer", &lines.stdout);
    let shown = world.run(&["show", "offer"]).expect(0);
    SKYLAKE.iter().for_each(|section| shown.prints(section));
    world.assert_clean();
}

#[test]
fn under_kvm_a_property_moves_bits_of_msrs_or_is_refused_or_clears_one() {
    let (world, kernel) = or_skip!(World::with_bochs());
    let kernel = kernel.to_string_lossy();
    let ended = world
        .run(&[
            "catalogue",
            "--lane",
            "lab",
            "--kernel",
            &kernel,
            "--lab-host",
            "intel",
            "--property",
            "vmx-invept-single-context",
            "--property",
            "vmx-ple",
            "--property",
            "vmx-exit-nosave-debugctl",
        ])
        .expect(0);
    for line in [
        "\tvmx-exit-nosave-debugctl\tclears: MSR.48FH[2]\n",
        "\tvmx-invept-single-context\tMSR.48CH[25] MSR.48CH[41]\n",
        "\tvmx-ple\trefused: MSR.48BH[42]\n",
    ] {
        ended.prints(line);
    }
    world.assert_clean();
}
