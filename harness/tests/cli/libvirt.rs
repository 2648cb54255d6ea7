//! Guests that libvirt starts, and the message where it cannot.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::require::{Capability, require};
use super::world::{Ended, World};

/// A world with two models for lane `libvirt`.
pub fn world() -> Option<World> {
    require(Capability::UserNamespaces)?;
    require(Capability::Libvirt)?;
    let world = World::new(&[], &[])?;
    world.configure(
        "qemu = []\n[default]\ndefinition.models = []\ndefinition.machines = []\ntcg.models = []\nkvm.models = []\n\
         kvm-direct.models = []\nlibvirt.models = [\"Nehalem\", \"max\"]\n",
    );
    Some(world)
}

pub fn domain(world: &World, cpu: &str, argument: &str) -> PathBuf {
    let machine = &world.machines()[0];
    let text = format!(
        "<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><vcpu>1</vcpu>\
         <os><type machine='{machine}'>hvm</type></os>{cpu}\
         <qemu:commandline><qemu:arg value='-global'/><qemu:arg value='{argument}'/></qemu:commandline></domain>"
    );
    world.write("domain.xml", &text)
}

pub const HASWELL: &str =
    "<cpu mode='custom' match='exact' check='none'><model fallback='forbid'>Haswell</model></cpu>";

#[test]
fn guests_that_libvirt_starts_are_as_it_says() {
    let world = or_skip!(world());
    let ended = world.run(&["run", "--lane", "libvirt", "--json", "run.json"]);
    ended.expect(0);
    let cases = world.cases("run.json");
    assert_eq!(cases.len(), 2, "{cases:?}");
    for case in &cases {
        // What the real QEMU contradicts in the architecture the built-in waivers accept.
        let good = case["status"] == "PASS" || case["status"] == "WAIVED";
        assert!(good, "{case}");
        assert_eq!(case["command"][0], "cpuid-fidelity");
    }
    world.assert_clean();
}

#[test]
fn a_guest_that_its_live_xml_lies_about_is_found() {
    let world = or_skip!(world());
    // The level hides leaf 7, and libvirt asks QEMU for feature words, which still have it.
    domain(&world, HASWELL, "Haswell-x86_64-cpu.level=4");
    let ended = world
        .run(&["domain", "--xml", "domain.xml", "--run"])
        .expect(1);
    ended.prints(
        "FAIL lost avx2 CPUID.07H.00H:EBX[5]: set by the live XML (model Haswell), clear in the guest\n",
    );
    world.assert_clean();
}

#[test]
fn a_feature_that_libvirt_saw_go_is_no_finding() {
    let world = or_skip!(world());
    domain(&world, HASWELL, "Haswell-x86_64-cpu.avx2=off");
    let ended = world
        .run(&["domain", "--xml", "domain.xml", "--run"])
        .expect(0);
    ended.prints("PASS domain.xml: the guest is as the live XML says\n");
}

#[test]
fn a_domain_that_libvirt_refuses_is_an_error_in_its_words() {
    let world = or_skip!(world());
    let cpu = HASWELL.replace("check='none'", "check='full'");
    domain(&world, &cpu, "Haswell-x86_64-cpu.avx2=off");
    let ended = world
        .run(&["domain", "--xml", "domain.xml", "--run"])
        .expect(3);
    ended.prints("guest CPU doesn't match specification");
    world.assert_clean();
}

#[test]
fn a_record_holds_libvirts_layers() {
    let world = or_skip!(world());
    let recorded = world.run(&[
        "record",
        "--lane",
        "libvirt",
        "--cpu",
        "Nehalem",
        "--out",
        "r.json",
        "--no-host",
    ]);
    recorded.expect(0);
    let text = std::fs::read_to_string(world.path("r.json")).expect("a record");
    let record: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let layer = &record["libvirt"];
    for (name, part) in [
        ("asked", "Nehalem"),
        ("live", "check='full'"),
        ("capabilities", "<domainCapabilities>"),
    ] {
        let text = layer[name].as_str().unwrap_or_default();
        assert!(text.contains(part), "{name}: {text}");
    }
    assert!(
        layer["claims"]
            .as_array()
            .is_some_and(|claims| claims.len() > 100)
    );
    world.assert_clean();
}

#[test]
fn explain_tells_what_libvirt_took() {
    let world = or_skip!(world());
    let arguments = [
        "explain",
        "--lane",
        "libvirt",
        "--cpu",
        "Nehalem,-sse4.2",
        "--feature",
        "sse4.2",
    ];
    world
        .run(&arguments)
        .expect(0)
        .prints("taken by libvirt: policy disable in the XML");
    let arguments = [
        "explain",
        "--lane",
        "libvirt",
        "--cpu",
        "Nehalem,+xstore",
        "--feature",
        "xstore",
    ];
    world
        .run(&arguments)
        .expect(3)
        .prints("libvirt has no name for it");
}

#[test]
fn a_libvirt_that_dies_costs_its_case_and_leaves_nothing() {
    let world = or_skip!(world());
    let ended = with_virsh(
        &world,
        "[ \"$1\" = --version ] && echo 9.0.0 && exit",
        &["run", "--lane", "libvirt"],
    );
    ended
        .expect(3)
        .prints("failed to start libvirt: out of luck");
    world.assert_clean();
}

#[test]
fn a_virsh_whose_child_keeps_its_output_open_holds_nobody_up() {
    let world = or_skip!(world());
    let left = "[ \"$1\" = --version ] && { setsid sleep 60 & echo $! > \"${0%/*}/child\"; echo 9.0.0; exit; }";
    let ended = with_virsh(&world, left, &["libvirt", "maps", "--check"]);
    let child = std::fs::read_to_string(world.path("bin/child")).expect("a number");
    let child = child.trim().parse().ok().and_then(Pid::from_raw);
    kill_process(child.expect("a number"), Signal::KILL).expect("a process that is still there");
    assert!(ended.took < Duration::from_secs(50), "{:?}", ended.took);
}

/// The end of a verb that has another virsh, which does `first` and then breaks.
fn with_virsh(world: &World, first: &str, verb: &[&str]) -> Ended {
    let fake = world.path("bin");
    std::fs::create_dir(&fake).expect("a folder");
    let script =
        format!("#!/bin/sh\n{first}\nread line; echo \"error: out of luck\" >&2; exit 1\n");
    script_at(&fake.join("virsh"), &script);
    let path = std::env::var("PATH").expect("a PATH");
    let path = format!("{}:{path}", fake.display());
    world.run_with(verb, &[("PATH", &path)])
}

#[test]
fn without_libvirt_the_lane_is_skipped_with_the_reason() {
    let world = or_skip!(World::new(&[], &[]));
    world.configure("qemu = []\n[default]\nlibvirt.models = [\"Nehalem\"]\n");
    let fake = world.path("bin");
    std::fs::create_dir(&fake).expect("a folder");
    // Enough for starters of unpacked QEMUs, which are shell scripts.
    for program in ["sh", "dirname", "readlink", "env"] {
        let real = std::env::split_paths(&std::env::var_os("PATH").expect("a PATH"))
            .map(|folder| folder.join(program))
            .find(|path| path.is_file());
        if let Some(real) = real {
            std::os::unix::fs::symlink(real, fake.join(program)).expect("a link");
        }
    }
    let path = fake.display().to_string();
    let ended = world
        .run_with(&["run", "-v", "--lane", "libvirt"], &[("PATH", &path)])
        .expect(3);
    ended.prints("no virsh in PATH: libvirt is not installed (scripts/setup brings it)");
    let ended = world
        .run_with(&["libvirt", "answers"], &[("PATH", &path)])
        .expect(3);
    ended.prints("no virsh in PATH");
}

#[test]
fn a_broken_map_is_told_by_file_and_place() {
    let world = or_skip!(World::new(&[], &[]));
    std::fs::create_dir(world.path("map")).expect("a folder");
    let refuses = |text: &str, what: &str| {
        world.write("map/index.xml", text);
        world
            .run(&["libvirt", "maps", "--cpu-map", "map"])
            .expect(2)
            .prints(what);
    };
    refuses(
        "<cpus>",
        "map/index.xml: the root node was opened but never closed",
    );
    refuses(
        "<cpus><arch name='x86'><include filename='f.xml'/></arch></cpus>",
        "map/f.xml is missing from libvirt's cpu_map",
    );
    world
        .run(&["libvirt", "maps", "--cpu-map", "nowhere"])
        .expect(2)
        .prints("failed to read nowhere");
}

#[test]
fn an_argument_and_its_xml_are_told_with_what_is_lost() {
    or_skip!(require(Capability::CpuMap));
    let world = or_skip!(World::new(&[], &[]));
    let ended = world
        .run(&["domain", "--cpu", "EPYC,+sse3,-avx2,level=13"])
        .expect(1);
    ended.prints(
        "<feature policy='require' name='pni'/>\n    <feature policy='disable' name='avx2'/>",
    );
    ended.prints("cannot be expressed: level=13: not a feature; in libvirt: <qemu:commandline>");
    let xml = world
        .run(&["domain", "--cpu", "EPYC,+sse3,-avx2"])
        .expect(0)
        .stdout;
    world.write("cpu.xml", &xml);
    let ended = world.run(&["domain", "--xml", "cpu.xml"]).expect(0);
    assert_eq!(ended.stdout, "EPYC,pni=on,avx2=off\n");
    world.write("cpu.xml", "<network/>");
    let ended = world.run(&["domain", "--xml", "cpu.xml"]).expect(2);
    ended.prints("cpu.xml:1:1: <network> where <domain> or <cpu> is due");
}

#[test]
fn what_a_domain_would_do_beside_its_cpu_is_refused_without_trust() {
    let world = or_skip!(world());
    let text = domain(&world, HASWELL, "Haswell-x86_64-cpu.avx2=off");
    let text = std::fs::read_to_string(text).expect("the XML");
    let argument = format!("file,id=x,path={}", world.path("created").display());
    let hostile = format!(
        "<qemu:arg value='-chardev'/><qemu:arg value='{argument}'/></qemu:commandline><devices><disk/></devices><vcpus/>"
    );
    world.write("domain.xml", &text.replace("</qemu:commandline>", &hostile));
    let run = ["domain", "--xml", "domain.xml", "--run"];
    let ended = world.run(&run).expect(2);
    ended.prints(&format!(
        "not about the CPU: -chardev {argument}; --trust passes them to QEMU"
    ));
    assert!(!world.path("created").exists());
    let ended = world.run(&[&run[..], &["--trust"]].concat()).expect(0);
    ended.prints("NOTE not read from domain.xml, and could matter to the CPU: vcpus\n");
    assert!(world.path("created").exists());
}

pub fn script_at(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text).expect("a script");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("a mode");
}

#[test]
fn a_killed_run_leaves_no_guest_and_the_next_one_cleans_up() {
    let world = or_skip!(world());
    let mut child = world.start(&["run", "-v", "--jobs", "1", "--lane", "libvirt"]);
    let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut line = String::new();
    while !line.contains("PASS ") {
        line.clear();
        assert!(
            stderr.read_line(&mut line).expect("stderr") > 0,
            "nothing passed"
        );
    }
    child.kill().expect("a process");
    child.wait().expect("an end");
    // Its folder is left, with a lock that nobody holds; another one's is not touched.
    std::fs::create_dir(world.path("tmp/cpuid-fidelity-libvirt-foreign")).expect("a folder");
    world.run(&["run", "--lane", "libvirt"]).expect(0);
    std::fs::remove_dir(world.path("tmp/cpuid-fidelity-libvirt-foreign")).expect("the folder");
    world.assert_clean();
}

#[test]
fn an_error_without_a_cause_is_told_with_what_libvirts_log_has() {
    let world = or_skip!(world());
    // What stands in for libvirt logs its error in the folder that it is started in, and prints none.
    let answers = "[ \"$1\" = --version ] && echo 9.0.0 && exit\nwhile read -r line; do\n  echo \"virsh # $line\"\n  case $line in\n  \
        domcapabilities*) echo '2026-11-28 14:00:00.000+0000: 2: error : qemuMonitorIO:575 : internal error: End of file from qemu monitor' \
        >>libvirt.log; echo 'error: failed to get emulator capabilities'; echo 'error: An error occurred, but the cause is unknown';;\n  \
        echo*) echo \"${line#echo }\";;\n  esac\ndone\nexit";
    let ended = with_virsh(&world, answers, &["libvirt", "answers"]).expect(3);
    ended.prints(
        "libvirt: failed to get emulator capabilities: An error occurred, but the cause is unknown; \
         libvirt's log has: qemuMonitorIO:575 : internal error: End of file from qemu monitor\n",
    );
}

#[test]
fn a_qemu_that_is_too_old_for_libvirt_is_skipped_in_libvirts_words() {
    let world = or_skip!(world());
    let refuses = "[ \"$1\" = --version ] && echo 12.8.0 && exit\nwhile read -r line; do\n  echo \"virsh # $line\"\n  case $line in\n  \
        create*) echo 'error: unsupported configuration: QEMU version >= 99.0.0 is required, but 11.1.3 found';;\n  \
        echo*) echo \"${line#echo }\";;\n  esac\ndone\nexit";
    let ended = with_virsh(&world, refuses, &["run", "-v", "--lane", "libvirt"]).expect(3);
    ended.prints("SKIP");
    ended.prints("unsupported configuration: QEMU version >= 99.0.0 is required, but 11.1.3 found");
}

#[test]
fn a_baseline_has_nothing_that_a_host_lacks() {
    let world = or_skip!(world());
    world.write(
        "a.xml",
        "<cpu mode='custom' match='exact'><model>Haswell</model></cpu>",
    );
    world.write("b.xml", "<cpu mode='custom' match='exact'><model>Nehalem</model><feature policy='require' name='vmx'/></cpu>");
    let ended = world
        .run(&["libvirt", "answers", "--host", "a.xml", "--host", "b.xml"])
        .expect(0);
    let baselines: Vec<&str> = ended.lines("PASS cpu-baseline").collect();
    assert_eq!(baselines.len(), 3, "{}", ended.stdout);
    assert!(
        baselines.iter().all(|line| line.contains(": Nehalem and ")),
        "{baselines:?}"
    );
    world.assert_clean();
}
