//! Hosts that `fleet` is given: collected by the script, recorded, emulated.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::fleet::Folder;
use super::require::{Capability, require, root};
use super::world::ended;

/// A folder that stands for the root of a host, with CPUID of an input.
fn fake_root(folder: &Path) -> PathBuf {
    let root_folder = folder.join("root");
    let text = std::fs::read_to_string(root().join("harness/tests/inputs/epyc-9334.cpudata.xml"))
        .expect("an input");
    let document = roxmltree::Document::parse(&text).expect("XML");
    for processor in ["0", "1"] {
        let device = root_folder.join("dev/cpu").join(processor).join("cpuid");
        std::fs::create_dir_all(&device).expect("a folder");
        for node in document
            .descendants()
            .filter(|node| node.has_tag_name("cpuid"))
        {
            let number = |name| {
                u32::from_str_radix(&node.attribute(name).expect("a number")[2..], 16)
                    .expect("a number")
            };
            let registers: Vec<u8> = ["eax", "ebx", "ecx", "edx"]
                .into_iter()
                .flat_map(|name| number(name).to_le_bytes())
                .collect();
            std::fs::write(
                device.join(format!("{}.{}", number("eax_in"), number("ecx_in"))),
                registers,
            )
            .expect("a file");
        }
    }
    for (path, text) in [
        ("proc/sys/kernel/hostname", "hv07\n"),
        ("proc/sys/kernel/osrelease", "6.12.1-amd64\n"),
        ("proc/cmdline", "quiet clearcpuid=avx2\n"),
        (
            "sys/devices/system/cpu/cpu0/microcode/version",
            "0xa101148\n",
        ),
        ("sys/module/kvm_amd/parameters/nested", "1\n"),
    ] {
        let path = root_folder.join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    root_folder
}

#[test]
fn what_the_collector_writes_is_read() {
    let folder = Folder::new();
    let fake = fake_root(folder.0.path());
    let script = root().join("scripts/collect-host");
    let output = Command::new("sh")
        .arg(script)
        .env("COLLECT_ROOT", fake)
        .output()
        .expect("the script");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(
        !text.contains("== cpuid 1"),
        "a processor of the same kind is dumped once: {text}"
    );
    folder.write("collected.txt", &text);
    let shown = folder.shows(&["collected.txt"], 0);
    for line in [
        "\n  hv07: AuthenticAMD, Linux 6.12.1-amd64; CPUID of the hardware (predicted);",
        "  without the kernel's parameter clearcpuid=avx2 on hv07: +avx2",
        ",-avx2",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    let json = folder.shows(&["collected.txt", "--format", "json"], 0);
    assert!(
        json.contains(r#""modules":{"kvm_amd.nested":"1"},"microcode":"0xa101148""#),
        "{json}"
    );
    folder.write("newer.txt", &text.replace("collected 1", "collected 2"));
    let error = folder.run(&["newer.txt"]).expect(3).stderr;
    assert!(error.contains("the format is 2, expected 1"), "{error}");
}

#[test]
fn this_host_is_recorded_and_read() {
    let folder = Folder::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_cpuid-fidelity"));
    command
        .args(["record", "--host", "--out", "host.json"])
        .current_dir(folder.0.path());
    ended(
        command
            .env("XDG_CACHE_HOME", folder.0.path())
            .env("PATH", ""),
    )
    .expect(0);
    let shown = folder.run(&["host.json"]).stdout;
    assert!(
        shown.starts_with("1 host in 1 class, QEMU 11.1, pc-q35-11.1\n-cpu "),
        "{shown}"
    );
    // Its own KVM is asked whether it gives the answer, and a KVM that shows more has proven nothing.
    let report = folder.run(&["host.json", "--prove", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&report.stdout).expect("a report");
    let [here] = report["direct"]
        .as_array()
        .expect("what KVM did")
        .as_slice()
    else {
        panic!("{report}");
    };
    let is_tried = here["not_tried"].is_null() && here["differing"].is_null();
    let shown = folder.run(&["host.json", "--prove"]).stdout;
    assert_eq!(
        shown.contains("  this machine: a guest sees the "),
        is_tried,
        "{shown}"
    );
}

#[test]
fn a_guest_of_the_answer_starts_behaves_and_moves_on_emulated_hosts_and_one_feature_more_is_refused()
 {
    or_skip!(require(Capability::Kernel("6.12")));
    or_skip!(require(Capability::QemuRelease("11.1")));
    let mut command = Command::new(env!("CARGO_BIN_EXE_cpuid-fidelity"));
    command.args([
        "fleet",
        "--prove",
        "--qemu",
        "11.1",
        "--lab",
        "amd:rome@6.12",
        "--lab",
        "amd@6.12,clearcpuid=avx2",
    ]);
    let shown = ended(command.current_dir(root()).env_remove("QEMU"))
        .expect(0)
        .stdout;
    let table = "emulated hosts\n  \
                 host                      starts under enforce  sees the same  behaves  with +avx2\n  \
                 amd:rome@6.12             yes                   yes            yes      starts\n  \
                 amd@6.12,clearcpuid=avx2  yes                   yes            yes      refused\n  \
                 moves from                  1      2\n  \
                 1 amd:rome@6.12             -      clean\n  \
                 2 amd@6.12,clearcpuid=avx2  clean  -\n  \
                 tight: +avx2 fails on at least one host\n  \
                 CLEAN\n";
    assert!(shown.contains(table), "{shown}");
    assert!(
        shown.contains("  rests on KVM's word of 2 hosts\n"),
        "{shown}"
    );
    // Each KVM of the fleet gives the answer's table without QEMU; this machine's cannot, or is said to give something else.
    for host in ["amd:rome@6.12", "amd@6.12,clearcpuid=avx2"] {
        let given = format!("\n  {host}: a guest sees the ");
        assert!(shown.contains(&given), "{given}\n{shown}");
    }
    let here = shown
        .lines()
        .find(|line| line.starts_with("  this machine: "));
    let here = here.expect("what this machine's KVM did");
    let is_known = [
        "cannot be tried here: ",
        "not proven here, ",
        "a guest sees the ",
    ];
    assert!(is_known.iter().any(|text| here.contains(text)), "{here}");
}
