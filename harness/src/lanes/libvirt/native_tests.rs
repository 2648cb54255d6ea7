//! The command lines that the installed libvirt makes of domains that vary in all that decides what a CPU is, compared with ours.

use std::time::Duration;

use super::maps;
use crate::cpuid::table::Table;
use crate::evidence::libvirt::command_line::{command_line, differences};
use crate::evidence::libvirt::cpu_map::CpuMap;
use crate::evidence::libvirt::domain::DomainXml;
use crate::evidence::libvirt::fixture::{DOMAINS, domain};
use crate::evidence::libvirt::layer::removed;
use crate::evidence::libvirt::to_qemu::to_qemu;
use crate::host::libvirt::Installation;
use crate::require::{Capability, require};
use crate::util::cancel::Cancel;
use crate::vmm::libvirt::session::{Session, SessionError, quoted};

const TIMEOUT: Duration = Duration::from_secs(120);

/// Elements that libvirt 9.0 refuses, and newer ones take.
const NEW: [&str; 2] = ["<emsr_bitmap state='on'/>", "<xmm_input state='on'/>"];

/// What of libvirt's answer nobody can explain, a line each.
fn unexplained(
    text: &str,
    answer: Result<String, SessionError>,
    map: &CpuMap,
    table: &Table,
) -> Vec<String> {
    let read = DomainXml::read(text).expect("a domain");
    let known = |name: &str| table.named(name).is_some_and(|field| field.qemu.is_some());
    let made = to_qemu(&read, map, known);
    let theirs = match answer {
        Ok(answer) => shlex::split(&answer).expect("a command line"),
        Err(reason) => return vec![reason.to_string()],
    };
    let removed = removed(map, read.cpu.as_ref().expect("a CPU"));
    let found = differences(&command_line(&read, &made.value), &theirs, &removed);
    let unexplained = found.into_iter().filter(|found| !found.explained);
    unexplained.map(|found| found.text).collect()
}

/// One of the domains; libvirt takes a TSC frequency only near that of the host, hence there is one more.
fn text(number: u64, host: &str) -> String {
    if number == DOMAINS {
        return format!(
            "<domain type='qemu'><name>x</name><memory>131072</memory><vcpu current='1'>2</vcpu>\
             <os><type arch='x86_64' machine='q35'>hvm</type></os><cpu mode='maximum'/>\
             <clock><timer name='tsc' frequency='{host}'/></clock><devices></devices></domain>"
        );
    }
    domain(number).replace(" frequency='2000000000'", "")
}

/// The host's TSC frequency, of `virsh capabilities`; 0 where libvirt does not know it, which asks for none.
fn frequency(capabilities: &str) -> &str {
    let counter = capabilities.split("<counter name='tsc' frequency='").nth(1);
    counter
        .and_then(|rest| rest.split('\'').next())
        .unwrap_or("0")
}

#[test]
fn libvirt_makes_the_command_lines_that_are_read() {
    or_skip!(require(Capability::UserNamespaces));
    or_skip!(require(Capability::Libvirt));
    or_skip!(require(Capability::Kvm));
    let qemu = or_skip!(require(Capability::Qemu));
    let libvirt = Installation::of_path();
    let folder = libvirt.map_folder().expect("a cpu_map");
    let map = maps::read(&folder).expect("a cpu_map");
    let table = include_str!("../../../../expectations/features.tsv");
    let table = Table::parse("features.tsv", table).expect("a table");
    let cache = tempfile::tempdir().expect("a folder");
    let cancel = Cancel::new().expect("an eventfd");
    let mut session =
        Session::start(&libvirt.virsh, cache.path(), TIMEOUT, &cancel).expect("libvirt");
    let emulator = format!("<emulator>{}</emulator></devices>", qemu.display());
    let host = session.run("capabilities", TIMEOUT).expect("capabilities");
    let mut ask = |text: &str| {
        let file = cache.path().join("domain.xml");
        std::fs::write(&file, text.replace("</devices>", &emulator)).expect("a file");
        let path = quoted(&file.to_string_lossy());
        session.run(&format!("domxml-to-native qemu-argv --xml {path}"), TIMEOUT)
    };
    let mut wrong = Vec::new();
    for number in 0..=DOMAINS {
        let mut text = text(number, frequency(&host));
        let mut answer = ask(&text);
        if answer.is_err() && NEW.iter().any(|new| text.contains(new)) {
            text = NEW.iter().fold(text, |text, new| text.replace(new, ""));
            answer = ask(&text);
        }
        let newer = |line: &String| line.ends_with("(a newer one does)");
        let lines = unexplained(&text, answer, &map, &table);
        for line in lines.into_iter().filter(|line| !newer(line)) {
            wrong.push(format!("{number}: {line} of {text}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
