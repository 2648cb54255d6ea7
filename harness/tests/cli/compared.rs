//! `diff` and `check` of files of other programs, alone and with recorded models.

use std::process::{Command, Stdio};

use serde_json::Value;

use super::require::{Capability, require};
use super::world::{Ended, World, ended};

/// A guest of KVM's on a notebook, as `cpuid -r` prints it: a part.
const BEFORE: &str = "CPU 0:
   0x00000000 0x00: eax=0x00000016 ebx=0x756e6547 ecx=0x6c65746e edx=0x49656e69
   0x00000001 0x00: eax=0x000806ea ebx=0x01000800 ecx=0xfffab223 edx=0x0f8bfbff
   0x00000007 0x00: eax=0x00000000 ebx=0x009c4fbb ecx=0x00000004 edx=0xac000400
   0x80000000 0x00: eax=0x80000008 ebx=0x756e6547 ecx=0x6c65746e edx=0x49656e69
   0x80000001 0x00: eax=0x000806ea ebx=0x00000000 ecx=0x00000121 edx=0x2c100800
   0x80000002 0x00: eax=0x65746e49 ebx=0x2952286c ecx=0x726f4320 edx=0x4d542865
   0x80000003 0x00: eax=0x37692029 ebx=0x3536382d ecx=0x43205530 edx=0x40205550
   0x80000004 0x00: eax=0x392e3120 ebx=0x7a484730 ecx=0x00000000 edx=0x00000000
   0x80000008 0x00: eax=0x00003027 ebx=0x0100d000 ecx=0x00000000 edx=0x00000000
";

/// The same after `-cpu host` took the identity of TCG's CPU.
const AFTER: &str = "CPU 0:
   0x00000000 0x00: eax=0x00000016 ebx=0x68747541 ecx=0x444d4163 edx=0x69746e65
   0x00000001 0x00: eax=0x00000663 ebx=0x00000800 ecx=0xfffab223 edx=0x0f8bfbff
   0x00000007 0x00: eax=0x00000000 ebx=0x009c4f9b ecx=0x00000004 edx=0xac000400
   0x80000000 0x00: eax=0x80000008 ebx=0x68747541 ecx=0x444d4163 edx=0x69746e65
   0x80000001 0x00: eax=0x00000663 ebx=0x00000000 ecx=0x00000121 edx=0x2c100800
   0x80000002 0x00: eax=0x554d4551 ebx=0x47435420 ecx=0x55504320 edx=0x72657620
   0x80000003 0x00: eax=0x6e6f6973 ebx=0x352e3220 ecx=0x0000002b edx=0x00000000
   0x80000004 0x00: eax=0x00000000 ebx=0x00000000 ecx=0x00000000 edx=0x00000000
   0x80000008 0x00: eax=0x00003028 ebx=0x0100d000 ecx=0x00000000 edx=0x00000000
";

fn world() -> Option<World> {
    let world = World::new(&[], &[])?;
    world.write("before.txt", BEFORE);
    world.write("after.txt", AFTER);
    Some(world)
}

#[test]
fn two_dumps_of_another_program_are_compared_by_what_differs() {
    let world = or_skip!(world());
    let ended = world.run(&["diff", "before.txt", "after.txt"]).expect(1);
    assert_eq!(
        ended.stdout,
        "\
--- before.txt (cpuid -r)
+++ after.txt (cpuid -r)

identity
  vendor               \"GenuineIntel\" → \"AuthenticAMD\" CPUID.00H.00H
  model                142 → 6                      CPUID.01H.00H
  stepping             10 → 3                       CPUID.01H.00H
  ext-vendor           \"GenuineIntel\" → \"AuthenticAMD\" CPUID.80000000H.00H
  ext-signature        0x806ea → 0x663              CPUID.80000001H.00H
  model-id             \"Intel(R) Core(TM) i7-8650U CPU @ 1.90GHz\" → \"QEMU TCG CPU version 2.5+\" CPUID.80000002H.00H

features
  -avx2                       CPUID.07H.00H:EBX[5]

fields
  phys-bits            39 → 40                      CPUID.80000008H.00H:EAX[7:0]

volatile fields that differ: 1 (--all lists them)
"
    );
    let all = world.run(&["diff", "before.txt", "after.txt", "--all"]);
    all.expect(1).prints(
        "volatile fields that differ: 1\n  initial-apic-id      1 → 0                        CPUID.01H.00H:EBX[31:24]\n",
    );
    let same = world.run(&["diff", "after.txt", "after.txt"]).expect(0);
    assert_eq!(
        same.stdout,
        "--- after.txt (cpuid -r)\n+++ after.txt (cpuid -r)\nno differences\n"
    );
}

#[test]
fn differences_are_typed_in_json() {
    let world = or_skip!(world());
    let ended = world
        .run(&["diff", "before.txt", "after.txt", "--json"])
        .expect(1);
    let lines = ended.stdout.lines();
    let lines: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines[0]["what"], "compared");
    assert_eq!(lines[0]["a"], "before.txt (cpuid -r)");
    assert!(lines[0]["compared"].as_u64() > Some(100));
    let of = |name: &str| {
        let mut lines = lines.iter();
        lines.find(|line| line["name"] == name).expect("a line")
    };
    let avx2 = serde_json::json!({
        "what": "difference", "group": "feature", "where": "CPUID.07H.00H:EBX[5]", "name": "avx2", "a": true, "b": false
    });
    assert_eq!(of("avx2"), &avx2);
    assert_eq!(
        (&of("phys-bits")["a"], &of("phys-bits")["b"]),
        (&39.into(), &40.into())
    );
    assert_eq!(of("initial-apic-id")["what"], "volatile");
}

#[test]
fn nothing_in_common_is_no_comparison() {
    let world = or_skip!(world());
    world.write(
        "one.txt",
        "0x00000007 0x00: eax=0x0 ebx=0x0 ecx=0x0 edx=0x0\n",
    );
    world.write(
        "other.txt",
        "0x00000001 0x00: eax=0x0 ebx=0x0 ecx=0x0 edx=0x0\n",
    );
    world
        .run(&["diff", "one.txt", "other.txt"])
        .expect(3)
        .prints("nothing was compared: one.txt (cpuid -r) and other.txt (cpuid -r) say nothing of the same bit");
}

#[test]
fn a_guest_as_another_program_prints_it_is_its_recorded_model() {
    let qemu = or_skip!(require(Capability::QemuRelease("10.0")));
    let world = or_skip!(World::new(&[], &[]));
    let qemu = qemu.display().to_string();
    world.copy_expectation("qemu-10.0/models/EPYC-v4.snap");
    let raw = world
        .run(&[
            "--qemu", &qemu, "dump", "--cpu", "EPYC-v4", "--format", "raw",
        ])
        .expect(0);
    world.write("guest.txt", &raw.stdout);
    let input = std::fs::File::open(world.path("guest.txt")).expect("the file");
    let of_input: Ended = ended(
        world
            .command(&["diff", "-", "EPYC-v4"])
            .stdin(Stdio::from(input)),
    );
    of_input.expect(0).prints("\nno differences\n");
    world
        .run(&["diff", "guest.txt", "EPYC-v4@10.0"])
        .expect(0)
        .prints("+++ CPU model EPYC-v4, recorded of qemu-10.0, lane definition: ");
    let lacking = raw.stdout.replacen(
        "0x00000007 0x00: eax=0x00000000 ebx=0x2",
        "0x00000007 0x00: eax=0x00000000 ebx=0x0",
        1,
    );
    assert_ne!(lacking, raw.stdout);
    world.write("lacking.txt", &lacking);
    world
        .run(&["diff", "lacking.txt", "EPYC-v4"])
        .expect(1)
        .prints("  +sha-ni ");
    let promise = ["--guest", "--cpu", "EPYC-v4", "--smp", "1"];
    world
        .run(&[&["check", "lacking.txt"], &promise[..]].concat())
        .expect(1)
        .prints("lost sha-ni at CPUID.07H.00H:EBX[29]");
    let smp = ["--guest", "--cpu", "EPYC-v4", "--smp", "4"];
    let one_of_four = world
        .run(&[&["check", "guest.txt"], &smp[..]].concat())
        .expect(3);
    one_of_four
        .prints("UNKNOWN guest.txt: it says nothing of 1 that were promised: vCPUs 2 to 4\n");
    one_of_four.prints("FAIL changed topo-shift 2 → 0 at CPUID.0BH.01H:EAX[4:0] (layer: qemu)\n");
}

#[test]
fn several_files_are_checked_at_once_and_each_has_its_line() {
    let world = or_skip!(world());
    let ended = world.run(&["check", "before.txt", "after.txt"]).expect(1);
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(
        lines[0],
        "PASS before.txt: it is an excerpt, and what it leaves out was not compared"
    );
    for line in [
        "FAIL after.txt: changed signature a family of AuthenticAMD's with long mode: 15 or higher → family 6, model 6 \
         at CPUID.01H.00H:EAX[31:0]",
        "FAIL after.txt: gained mpx clear on AuthenticAMD: Intel's extensions; reserved in APM vol. 3, Fn0000_0007 → set \
         at CPUID.07H.00H:EBX[14]",
    ] {
        assert!(lines.contains(&line), "{}", ended.stdout);
    }
    let json = world
        .run(&["check", "before.txt", "after.txt", "--json"])
        .expect(1);
    let first: Value =
        serde_json::from_str(json.stdout.lines().next().expect("a line")).expect("JSON");
    assert_eq!(
        first,
        serde_json::json!({"file": "before.txt", "status": "pass", "findings": [],
            "remark": "it is an excerpt, and what it leaves out was not compared"})
    );
    let unread = world.run(&["check", "before.txt", "nothing.txt"]).expect(3);
    assert_eq!(
        unread.stdout,
        "PASS before.txt: it is an excerpt, and what it leaves out was not compared\n"
    );
    unread.prints("ERROR failed to read nothing.txt: no such file");
}

#[test]
fn what_a_guest_was_promised_needs_the_word_that_it_is_one() {
    let world = or_skip!(world());
    world
        .run(&["check", "before.txt", "--cpu", "EPYC-v4"])
        .expect(2)
        .prints("a FILE is compared with --cpu, --smp and --machine where --guest says that it is such a guest's");
}

/// In a folder without a configuration, where the built-in expectations are compared with.
fn checked(content: &str, arguments: &[&str]) -> Ended {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("guest.txt"), content).expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_cpuid-fidelity"));
    let command = command.args(["check", "guest.txt"]).args(arguments);
    let command = command.current_dir(folder.path());
    ended(command.env("XDG_CACHE_HOME", folder.path()))
}

#[test]
fn an_excerpt_that_lacks_what_was_promised_does_not_pass() {
    let guest = ["--guest", "--cpu", "Skylake-Client-v4"];
    let ended = checked(BEFORE, &guest).expect(3);
    ended.prints("UNKNOWN guest.txt: it says nothing of ");
    ended.prints(" xsavec");
}

#[test]
fn a_pass_of_an_excerpt_says_that_it_is_one() {
    let ended = checked(
        &BEFORE[..BEFORE.find("   0x00000001").expect("a leaf")],
        &[],
    );
    let expected = "PASS guest.txt: it is an excerpt, and what it leaves out was not compared\n";
    assert_eq!(ended.expect(0).stdout, expected);
}

#[test]
fn a_record_is_compared_with_what_it_says_itself() {
    let world = or_skip!(World::new(&[], &[]));
    let record = [
        "record",
        "--out",
        "record.json",
        "--lane",
        "definition",
        "--cpu",
        "486-v1",
    ];
    world.run(&record).expect(0);
    let text = std::fs::read_to_string(world.path("record.json")).expect("a record");
    checked(&text, &["--guest", "--cpu", "486-v1"])
        .expect(2)
        .prints("a record says which guest it is of");
}

/// A guest of QEMU 11.1 that is what its argument says, as `cpuid -r` prints it; `smp` is one of its `-smp` arguments.
fn whole_guest(smp: &str) -> Option<String> {
    let qemu = require(Capability::QemuRelease("11.1"))?;
    let world = World::new(&[], &[])?;
    let qemu = qemu.display().to_string();
    let dump = [
        "dump", "--format", "raw", "--qemu", &qemu, "--cpu", ASKED, "--smp", smp,
    ];
    Some(world.run(&dump).expect(0).stdout)
}

/// Without what TCG announces and cannot have.
const ASKED: &str = "EPYC-v4,-monitor,-xsaves";

#[test]
fn what_a_guests_argument_and_model_promise_is_compared_or_unknown() {
    let text = or_skip!(whole_guest("1"));
    let without = |what: &[&str]| -> String {
        let kept = text
            .lines()
            .filter(|line| !what.iter().any(|leaf| line.contains(leaf)));
        kept.map(|line| format!("{line}\n")).collect()
    };
    let (no7, no_names) = (
        without(&["0x00000007 "]),
        without(&["0x80000002 ", "0x00000000 "]),
    );
    let rows: [(&str, &str, &str, i32, &str); 9] = [
        (&text, "", "1", 0, "PASS guest.txt\n"),
        (
            &text,
            ",+avx512f",
            "1",
            1,
            "FAIL lost avx512f turned on by a flag → clear at CPUID.07H.00H:EBX[16]",
        ),
        (
            &text,
            ",-avx2",
            "1",
            1,
            "FAIL gained avx2 turned off by a flag → set at CPUID.07H.00H:EBX[5]",
        ),
        (
            &text,
            ",+nosuchfeature",
            "1",
            2,
            "no feature “nosuchfeature”",
        ),
        (
            &text,
            "",
            "8,sockets=8,cores=1,threads=1",
            3,
            "vCPUs 2 to 8",
        ),
        (
            &no7,
            "",
            "1",
            3,
            "UNKNOWN guest.txt: it says nothing of 14 that were promised: fsgsbase bmi1 avx2",
        ),
        (&no_names, "", "1", 3, "max-leaf model-id-0"),
        (&without(&["0x80000000 "]), "", "1", 3, "max-ext-leaf"),
        (&text, ",rdpid=off", "1", 0, "PASS guest.txt\n"),
    ];
    for (text, flags, smp, status, prints) in rows {
        let cpu = format!("{ASKED}{flags}");
        let guest = ["--guest", "--release", "11.1", "--cpu", &cpu, "--smp", smp];
        checked(text, &guest).expect(status).prints(prints);
    }
    let gained = text.replacen(
        "0x00000007 0x00: eax=0x00000000 ebx=0x2",
        "0x00000007 0x00: eax=0x00000000 ebx=0xf",
        1,
    );
    let guest = ["--guest", "--release", "11.1", "--cpu", ASKED];
    checked(&gained, &guest).expect(1).prints(
        "clear in the reviewed definition, and no flag gives it → set at CPUID.07H.00H:EBX[31]",
    );
    checked(&text, &["--guest", "--cpu", "host"])
        .expect(3)
        .prints("identity and features of host, which nobody recorded");
}

#[test]
fn a_vcpu_that_lacks_a_feature_is_found_in_any_dump_of_a_guest() {
    let text = or_skip!(whole_guest("2,sockets=2"));
    let (boot, other) = text.split_once("CPU 1:").expect("two vCPUs");
    let leaf = other.find("0x00000007 0x00").expect("leaf 7");
    let ebx = other[leaf..].find("ebx=").expect("EBX") + leaf;
    let lost = format!(
        "{boot}CPU 1:{}ebx=0x00000000{}",
        &other[..ebx],
        &other[ebx + 14..]
    );
    checked(&lost, &[])
        .expect(1)
        .prints("FAIL changed avx2 1 → 0 at vcpu1 CPUID.07H.00H:EBX[5]");
    let folder = tempfile::tempdir().expect("a folder");
    for (name, content) in [("two", lost.as_str()), ("one", boot)] {
        std::fs::write(folder.path().join(name), content).expect("a file");
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_cpuid-fidelity"));
    let command = command
        .args(["diff", "one", "two"])
        .current_dir(folder.path());
    ended(command.env("XDG_CACHE_HOME", folder.path()))
        .expect(1)
        .prints("-avx2");
}
