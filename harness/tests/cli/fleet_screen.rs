//! What `fleet` prints by default: a screen, of four hosts and of thousands.

use std::process::Command;

use super::fleet::{Folder, collected, cpuid};
use super::world::ended;

#[test]
fn four_hosts_are_answered_in_one_screen() {
    let folder = Folder::new();
    folder.copy("epyc-9334.cpudata.xml", "racks/hv01.xml");
    folder.copy("rome.domcapabilities.xml", "racks/hv02.xml");
    folder.copy("t2a.cpuid-r.txt", "racks/hv03.txt");
    folder.write(
        "racks/hv04.txt",
        &collected("hv04", "6.1.0-50-amd64", "clearcpuid=avx2", "0"),
    );
    let files = [
        "racks/hv01.xml",
        "racks/hv02.xml",
        "racks/hv03.txt",
        "racks/hv04.txt",
    ];
    let shown = folder.shows(&files, 0);
    assert!(shown.lines().count() <= 40, "{shown}");
    let long = shown
        .lines()
        .filter(|line| !line.starts_with("-cpu ") && line.chars().count() > 100);
    assert_eq!(long.collect::<Vec<_>>(), Vec::<&str>::new());
    // A host is called as in its folder, whichever way it is named.
    for line in [
        "4 hosts in 4 classes, QEMU 11.1, pc-q35-11.1\n-cpu ",
        "\n  --format cpu|libvirt|proxmox|nova|kubevirt|traits prints it as they take it; -v prints all\n",
        "\nwhy not more\n",
        "\nwhat would give more\n  without hv0",
        "\npools, in each of which guests move\n  1 of 2: ",
        "\nhosts\n  hv01.xml: AuthenticAMD; ",
        "\nto know\n  hv03.txt: ",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    assert_eq!(folder.shows(&["racks"], 0), shown);
    let all = folder.shows(&[&files[..], &["-v"]].concat(), 0);
    assert!(
        all.contains("\nalternatives\n") && all.lines().count() > 50,
        "{all}"
    );
}

#[test]
fn files_of_one_name_are_two_hosts_and_keep_their_paths() {
    let folder = Folder::new();
    folder.copy("epyc-9334.cpudata.xml", "a/host.xml");
    folder.copy("rome.domcapabilities.xml", "b/host.xml");
    let shown = folder.shows(&["a/host.xml", "b/host.xml"], 0);
    assert!(
        shown.contains("\n  a/host.xml: AuthenticAMD; ") && shown.contains("\n  b/host.xml: "),
        "{shown}"
    );
}

#[test]
fn thousands_of_hosts_are_folded_within_seconds_and_little_memory() {
    let folder = Folder::new();
    // Twenty kinds of hosts, each without other bits of leaf 7.
    let kinds = (0..20_u32).map(|kind| cpuid(0x29c_6fbf & !(1 << kind), kind << 10));
    let kinds: Vec<String> = kinds.map(|kind| format!("CPU:\n{kind}")).collect();
    for (host, kind) in (0..2000).zip(kinds.iter().cycle()) {
        folder.write(&format!("racks/hv{host:04}.txt"), kind);
    }
    // A build that is not optimised takes 4 s of processor time for them; the limits are of processor time, in seconds, and of data, in KiB.
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "ulimit -t 40; ulimit -d 512000; exec \"$0\" fleet racks",
    ]);
    command.arg(env!("CARGO_BIN_EXE_cpuid-fidelity"));
    command.current_dir(folder.0.path());
    command.env("XDG_CACHE_HOME", folder.0.path());
    let shown = ended(command.env_remove("QEMU")).expect(0).stdout;
    let heading = shown.lines().next().unwrap_or_default();
    assert!(
        heading.starts_with("2000 hosts in ")
            && heading.ends_with(" classes, QEMU 11.1, pc-q35-11.1"),
        "{shown}"
    );
    assert!(shown.lines().count() <= 40, "{shown}");
}
