//! `fleet` over files: answers, what they rest on, bad input, what changed since, and the collector.

use std::process::Command;

use super::require::{Capability, require, root};
use super::world::{Ended, ended};

/// A folder without a configuration, so that the built-in expectations are read.
pub struct Folder(pub tempfile::TempDir);

impl Folder {
    pub fn new() -> Folder {
        Folder(tempfile::tempdir().expect("a folder"))
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }

    /// A file of the tests' inputs, by another name.
    pub fn copy(&self, input: &str, name: &str) {
        let text = std::fs::read_to_string(root().join("harness/tests/inputs").join(input));
        self.write(name, &text.expect("an input"));
    }

    pub fn run(&self, arguments: &[&str]) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cpuid-fidelity"));
        command
            .arg("fleet")
            .args(arguments)
            .current_dir(self.0.path());
        ended(
            command
                .env("XDG_CACHE_HOME", self.0.path())
                .env_remove("QEMU"),
        )
    }

    pub fn shows(&self, arguments: &[&str], status: i32) -> String {
        self.run(arguments).expect(status).stdout
    }
}

/// A host as scripts/collect-host writes it: an EPYC of `flags`, with this kernel and parameter of its module.
pub fn collected(host: &str, kernel: &str, cmdline: &str, nested: &str) -> String {
    let flags = "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 syscall nx mmxext fxsr_opt \
                 pdpe1gb rdtscp lm pni pclmulqdq ssse3 fma cx16 sse4_1 sse4_2 movbe popcnt aes xsave avx f16c rdrand lahf_lm svm cr8_legacy abm \
                 sse4a misalignsse 3dnowprefetch osvw fsgsbase bmi1 avx2 smep bmi2 rdseed adx smap clflushopt sha_ni xsaveopt xsavec xgetbv1 arat \
                 npt nrip_save ibpb";
    format!(
        "# cpuid-fidelity collected 1\n== host\n{host}\n== kernel\n{kernel}\n== cmdline\n{cmdline}\n== microcode\n0x800126e\n== parameters\n\
         kvm_amd.nested={nested}\n== cpuinfo\nprocessor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 23\nmodel\t\t: 1\nmodel name\t: \
         AMD EPYC 7601\nstepping\t: 2\nflags\t\t: {flags}\naddress sizes\t: 48 bits physical, 48 bits virtual\n"
    )
}

/// Registers of one processor with leaf 7.
pub fn cpuid(ebx7: u32, edx7: u32) -> String {
    format!(
        "   0x00000000 0x00: eax=0x00000007 ebx=0x756e6547 ecx=0x6c65746e edx=0x49656e69\n   \
         0x00000001 0x00: eax=0x000906ea ebx=0x00100800 ecx=0x7ffafbbf edx=0xbfebfbff\n   \
         0x00000007 0x00: eax=0x00000000 ebx=0x{ebx7:08x} ecx=0x00000000 edx=0x{edx7:08x}\n   \
         0x80000000 0x00: eax=0x80000001 ebx=0x00000000 ecx=0x00000000 edx=0x00000000\n   \
         0x80000001 0x00: eax=0x00000000 ebx=0x00000000 ecx=0x00000121 edx=0x2c100800\n"
    )
}

#[test]
fn one_host_is_answered_with_all_that_it_gives() {
    let folder = Folder::new();
    folder.copy("epyc-9334.cpudata.xml", "hv01.xml");
    let shown = folder.shows(&["hv01.xml"], 0);
    let wanted = "1 host in 1 class, QEMU 11.1, pc-q35-11.1\n\
                  -cpu EPYC-Genoa-v1,+tsc-deadline,+tsc-adjust,+spec-ctrl,+stibp,+ssbd,+cmp-legacy,+virt-ssbd,-amd-psfd,-no-nested-data-bp,\
                  -lfence-always-serializing,-null-sel-clr-base,-auto-ibrs\n  \
                  a guest gains x86-64-v4, 107 features; every host gives every one of them\n  \
                  rests on CPUID of the hardware (predicted) of 1 host\n";
    assert!(shown.starts_with(wanted), "{shown}");
    // The kernel is not known, and 6.3 is the first that gives these.
    let newer = folder.shows(
        &["hv01.xml", "--assume-kernel", "6.12", "--format", "cpu"],
        0,
    );
    assert!(
        newer.starts_with("-cpu EPYC-Genoa-v3") || !newer.contains("-auto-ibrs"),
        "{newer}"
    );
}

#[test]
fn hosts_of_two_vendors_are_answered_each_and_have_no_common_answer() {
    let folder = Folder::new();
    folder.copy("epyc-9334.cpudata.xml", "amd.xml");
    folder.write("intel.txt", &format!("CPU:\n{}", cpuid(0x29c_6fbf, 0)));
    let shown = folder.shows(&["amd.xml", "intel.txt"], 3);
    for line in [
        "  no answer: no CPU is common to hosts of AuthenticAMD and GenuineIntel: guests see the vendor of",
        "an answer for each vendor\n  AuthenticAMD, amd.xml: x86-64-v4; a guest that had to run on all loses avx512f avx512dq avx512ifma",
        "\n-cpu EPYC-Genoa-v1,+tsc-deadline",
        "\n  GenuineIntel, intel.txt: x86-64-v3; a guest that had to run on all loses",
        "\n-cpu Broadwell-v1",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    // Where that is what was asked for, it is a success; a file that says nothing of a host is none.
    let each = folder.shows(&["amd.xml", "intel.txt", "--by-vendor", "--prove"], 0);
    for heading in ["\nproof for AuthenticAMD\n", "\nproof for GenuineIntel\n"] {
        assert!(each.contains(heading), "{heading}\n{each}");
    }
    folder.copy("cache.domain.xml", "domain.xml");
    folder.shows(&["amd.xml", "intel.txt", "domain.xml", "--by-vendor"], 3);
}

#[test]
fn a_file_that_is_named_twice_counts_once() {
    let folder = Folder::new();
    folder.copy("epyc-9334.cpudata.xml", "a.xml");
    let shown = folder.shows(&["a.xml", "./a.xml"], 0);
    assert!(shown.starts_with("1 host in 1 class"), "{shown}");
    assert!(
        shown.contains("./a.xml: named twice; it counts once"),
        "{shown}"
    );
}

#[test]
fn one_host_in_two_files_counts_once_and_two_hosts_of_one_name_are_a_finding() {
    let folder = Folder::new();
    folder.write("a.txt", &collected("hv01", "6.1.0-50-amd64", "quiet", "1"));
    folder.write("b.txt", &collected("hv01", "6.1.0-50-amd64", "quiet", "1"));
    let shown = folder.shows(&["a.txt", "b.txt"], 0);
    assert!(
        shown.contains("  hv01: named twice: it counts once\n"),
        "{shown}"
    );
    folder.write(
        "b.txt",
        &collected("hv01", "6.1.0-50-amd64", "clearcpuid=avx2", "1"),
    );
    let shown = folder.shows(&["a.txt", "b.txt"], 1);
    assert!(
        shown.contains(
            "  FAIL hv01: contradicts itself: two hosts have this name, and they differ\n"
        ),
        "{shown}"
    );
}

#[test]
fn a_guests_dump_is_reported_as_one_and_so_is_that_of_one_processor() {
    let folder = Folder::new();
    folder.copy("t2a.cpuid-r.txt", "guest.txt");
    let shown = folder.shows(&["guest.txt"], 0);
    for line in [
        "  guest.txt: CPUID has the hypervisor bit: the dump is a guest's, or the host is one; what it can",
        "  guest.txt: one processor was dumped: that the others are as it is, nobody looked\n",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
}

#[test]
fn a_hybrid_host_gives_what_all_its_processors_have() {
    let folder = Folder::new();
    let (large, small) = (
        cpuid(0x29c_6fbf | 1 << 16, 1 << 15),
        cpuid(0x29c_6fbf & !(1 << 5), 1 << 15),
    );
    folder.write("hybrid.txt", &format!("CPU 0:\n{large}CPU 1:\n{small}"));
    let shown = folder.shows(&["hybrid.txt"], 0);
    let remark = "  hybrid.txt: its processors differ in avx2 avx512f: a guest moves between them, and has what all";
    assert!(shown.contains(remark), "{shown}");
    let features = folder.shows(&["hybrid.txt", "--format", "traits"], 0);
    assert!(
        features.contains("HW_CPU_X86_AVX=") && !features.contains("HW_CPU_X86_AVX2="),
        "{features}"
    );
}

#[test]
fn bits_without_a_name_are_counted_and_in_no_answer() {
    let folder = Folder::new();
    folder.write(
        "new.txt",
        &format!("CPU:\n{}", cpuid(0x29c_6fbf, 1 << 6 | 1 << 7)),
    );
    let shown = folder.shows(&["new.txt"], 0);
    assert!(
        shown.contains("  new.txt: 2 bits are set that have no name; no answer has them\n"),
        "{shown}"
    );
}

#[test]
fn sources_of_one_host_that_contradict_one_another_are_a_finding() {
    let folder = Folder::new();
    folder.write(
        "a.txt",
        &format!("CPU:\n{}", cpuid(0x29c_6fbf & !(1 << 5), 0)),
    );
    folder.write("a.json", r#"{"return": {"model": {"name": "base", "props": {"avx2": true, "avx": true, "kvmclock": true}}}}"#);
    let shown = folder.shows(&["a=a.txt", "a=a.json"], 1);
    assert!(
        shown.contains(
            "  FAIL a: contradicts itself: a.json: QEMU has avx2, and a.txt: cpuid -r has not\n"
        ),
        "{shown}"
    );
    // In a folder, a folder is a host.
    folder.write(
        "fleet/a/cpuid.txt",
        &format!("CPU:\n{}", cpuid(0x29c_6fbf, 0)),
    );
    folder.write(
        "fleet/a/host.json",
        r#"{"return": {"model": {"name": "base", "props": {"avx2": true, "kvmclock": true}}}}"#,
    );
    let shown = folder.shows(&["fleet"], 0);
    assert!(
        shown.contains("  rests on QEMU's expansion of host of 1 host\n"),
        "{shown}"
    );
}

#[test]
fn what_says_nothing_of_a_host_is_left_out_and_no_success() {
    let folder = Folder::new();
    folder.copy("cache.domain.xml", "domain.xml");
    folder.copy("epyc-9334.cpudata.xml", "a.xml");
    let shown = folder.run(&["domain.xml"]).expect(3).stderr;
    let wanted = "nothing was compared: domain.xml: passed over: domain.xml is libvirt's <cpu> or <domain>: what a guest is to have, and nothing of a \
                  host";
    assert!(shown.contains(wanted), "{shown}");
    let shown = folder.shows(&["a.xml", "domain.xml"], 3);
    assert!(
        shown.contains("  left out: domain.xml: passed over"),
        "{shown}"
    );
    folder.write(
        "tcg.json",
        r#"{"return": {"model": {"name": "base", "props": {"avx2": true, "kvmclock": false}}}}"#,
    );
    let shown = folder.run(&["tcg.json"]).expect(3).stderr;
    assert!(
        shown.contains("QEMU made it under TCG, which says nothing of KVM"),
        "{shown}"
    );
}

#[test]
fn a_host_that_lost_a_bit_changes_the_answer_and_the_cause_is_named() {
    let folder = Folder::new();
    for host in ["hv01", "hv02", "hv03"] {
        folder.write(
            &format!("{host}.txt"),
            &collected(host, "6.1.0-50-amd64", "quiet", "1"),
        );
    }
    let hosts = ["hv01.txt", "hv02.txt", "hv03.txt", "--nested"];
    folder.shows(&[&hosts[..], &["--json", "old.json"]].concat(), 0);
    let again = folder.shows(&[&hosts[..], &["--since", "old.json"]].concat(), 0);
    assert!(
        again.contains("since then\n  the answer is as it was\n"),
        "{again}"
    );
    folder.write(
        "hv02.txt",
        &collected("hv02", "6.1.0-50-amd64", "quiet mitigations=off", "0"),
    );
    folder.write(
        "hv03.txt",
        &collected("hv03", "6.1.0-51-amd64", "quiet clearcpuid=avx2", "1"),
    );
    let shown = folder.shows(&[&hosts[..], &["--since", "old.json"]].concat(), 1);
    for line in [
        "\n  CHANGED the answer was EPYC-v1,+tsc-deadline,+tsc-adjust,+svm,",
        "\n  LOST hv02: npt nrip-save svm svme-addr-chk vmcb-clean (kernel parameter mitigations=off is new;\n      kvm_amd.nested 1 → 0)\n",
        "\n  LOST hv03: avx2 (kernel 6.1.0-50-amd64 → 6.1.0-51-amd64; kernel parameter clearcpuid=avx2 is new)\n",
        "\n    guests of the earlier answer neither start nor arrive there: avx2",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    let broken = folder
        .run(&[&hosts[..], &["--since", "hv01.txt"]].concat())
        .expect(2)
        .stderr;
    assert!(
        broken.contains("hv01.txt is no report of fleet --json"),
        "{broken}"
    );
}

#[test]
fn a_bit_that_microcode_dropped_is_named_with_both_revisions() {
    let folder = Folder::new();
    let host = |revision: &str, edx7: u32| {
        let registers = cpuid(0x29c_6fbf, edx7);
        format!(
            "# cpuid-fidelity collected 1\n== host\nhv01\n== kernel\n6.1.0\n== microcode\n{revision}\n== cpuid 0\n{registers}"
        )
    };
    folder.write("hv01.txt", &host("0xf4", 1 << 10 | 1 << 26));
    folder.shows(&["hv01.txt", "--json", "old.json"], 0);
    folder.write("hv01.txt", &host("0xb4", 1 << 26));
    let shown = folder.shows(&["hv01.txt", "--since", "old.json"], 1);
    assert!(
        shown.contains("\n  LOST hv01: md-clear (microcode 0xf4 → 0xb4)\n"),
        "{shown}"
    );
}

#[test]
fn options_in_the_way_are_named_with_what_they_cost() {
    let folder = Folder::new();
    folder.write(
        "a.txt",
        &collected("hv01", "6.1.0-50-amd64", "clearcpuid=avx2", "0"),
    );
    folder.write("b.txt", &collected("hv02", "6.1.0-50-amd64", "quiet", "1"));
    let shown = folder.shows(&["a.txt", "b.txt", "--nested"], 0);
    for line in [
        "  without the kernel's parameter clearcpuid=avx2 on hv01: +avx2",
        "  without kvm_amd.nested=0 on hv01: +svm npt nrip-save",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
}

#[test]
fn every_host_is_tried_by_what_is_known_of_it() {
    let folder = Folder::new();
    folder.copy("epyc-9334.cpudata.xml", "hv01.xml");
    folder.copy("rome.domcapabilities.xml", "hv02.xml");
    let shown = folder.shows(&["hv01.xml", "hv02.xml", "--prove"], 0);
    let wanted = "  with enforce nothing is filtered on any host, and guests see the same in ";
    assert!(
        shown.contains(wanted) && shown.contains("(a prediction for 1 host)"),
        "{shown}"
    );
}

#[test]
fn the_answer_boots_as_it_says() {
    or_skip!(require(Capability::QemuRelease("11.1")));
    let folder = Folder::new();
    folder.copy("epyc-9334.cpudata.xml", "hv01.xml");
    let configuration = root().join("fidelity.toml");
    let mut command = Command::new(env!("CARGO_BIN_EXE_cpuid-fidelity"));
    command
        .args(["fleet", "hv01.xml", "--prove", "--config"])
        .arg(configuration)
        .current_dir(folder.0.path());
    let shown = ended(command.env_remove("QEMU")).expect(0).stdout;
    let wanted = "  booted here under qemu-11.1 with its features forced: the guest shows what the answer says\n";
    assert!(shown.contains(wanted), "{shown}");
}

#[test]
fn a_node_of_kubevirt_is_a_host() {
    let folder = Folder::new();
    let node = |name: &str, feature: &str| {
        format!(
            r#"{{"kind": "Node", "metadata": {{"name": "{name}", "labels": {{"cpu-vendor.node.kubevirt.io/AMD": "true",
            "cpu-model.node.kubevirt.io/EPYC-Rome": "true", "cpu-feature.node.kubevirt.io/{feature}": "true"}}}}}}"#
        )
    };
    let list = format!(
        r#"{{"apiVersion": "v1", "kind": "List", "items": [{}, {}]}}"#,
        node("n1", "vaes"),
        node("n2", "pcid")
    );
    folder.write("nodes.json", &list);
    let shown = folder.shows(&["nodes.json"], 0);
    assert!(
        shown.starts_with("2 hosts in 2 classes, QEMU 11.1, pc-q35-11.1\n-cpu EPYC-Rome-v1\n"),
        "{shown}"
    );
    assert!(
        shown.contains("  without n1: +pcid\n") && shown.contains("  without n2: +vaes\n"),
        "{shown}"
    );
    folder.write(
        "pods.json",
        r#"{"apiVersion": "v1", "kind": "List", "items": [{"metadata": {"labels": {}}}]}"#,
    );
    let error = folder.run(&["pods.json"]).expect(3).stderr;
    assert!(
        error.contains("expected nodes with labels of KubeVirt"),
        "{error}"
    );
}

#[test]
fn names_that_are_wrong_are_refused() {
    let folder = Folder::new();
    folder.copy("epyc-9334.cpudata.xml", "a.xml");
    for (arguments, wanted) in [
        (
            ["a.xml", "--machine", "pc-q35-82"],
            "no machine type pc-q35-82 is recorded in qemu-11.1; near to it: pc-q35-8.2",
        ),
        (
            ["a.xml", "--release", "eleven"],
            "no release of QEMU “eleven”: expected one as 11.1",
        ),
        (
            ["a.xml", "--assume-kernel", "6"],
            "a release of Linux is expected, as 6.1",
        ),
        (
            ["a.xml", "--lab", "amd"],
            "expected HOST@KERNEL, as amd:rome@6.12,clearcpuid=avx2",
        ),
        (["a.xml", "b.xml", "--plain"], "failed to read b.xml"),
    ] {
        let error = folder.run(&arguments).expect(2).stderr;
        assert!(error.contains(wanted), "{wanted}\n{error}");
    }
}

#[test]
fn the_oldest_release_counts() {
    let folder = Folder::new();
    folder.copy("epyc-9334.cpudata.xml", "a.xml");
    let both = folder.shows(&["a.xml", "--release", "11.1", "--release", "7.2"], 0);
    assert!(
        both.starts_with("1 host in 1 class, QEMU 7.2, pc-q35-7.2\n-cpu EPYC-Milan-v"),
        "{both}"
    );
}
