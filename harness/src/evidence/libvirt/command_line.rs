//! The arguments of QEMU's that libvirt makes of a domain and that decide what its CPU is, and how those that it made differ.

use std::collections::BTreeSet;

use super::domain::DomainXml;
use crate::vmm::libvirt::setting::{Property, Target};

/// An option of QEMU's, and its argument.
pub type Argument = (&'static str, String);

/// The options that are compared.
const OPTIONS: [&str; 4] = ["-machine", "-accel", "-cpu", "-smp"];

/// What libvirt adds to `-machine` and `-accel` that has no part in what the CPU is.
const NO_PART: [&str; 9] = [
    "usb",
    "dump-guest-core",
    "memory-backend",
    "mem-merge",
    "acpi",
    "hmat",
    "graphics",
    "nvdimm",
    "tb-size",
];

/// The command line for a domain whose `-cpu` argument is this one.
pub fn command_line(domain: &DomainXml, cpu: &str) -> Vec<Argument> {
    let accelerator = match domain.kind.as_deref() {
        Some("qemu") | None => "tcg",
        Some(other) => other,
    };
    let machine = domain.machine.as_deref().unwrap_or("pc");
    vec![
        (
            "-machine",
            with(machine, domain.settings.properties(Target::Machine)),
        ),
        (
            "-accel",
            with(accelerator, domain.settings.properties(Target::Accel)),
        ),
        ("-cpu", cpu.to_owned()),
        ("-smp", smp(domain)),
    ]
}

fn with(first: &str, properties: Vec<Property>) -> String {
    let mut argument = first.to_owned();
    for (name, value) in properties {
        argument += &format!(",{name}={value}");
    }
    argument
}

/// Without a topology libvirt makes a socket of each vCPU (qemuBuildSmpCommandLine).
fn smp(domain: &DomainXml) -> String {
    let placed = domain
        .cpu
        .as_ref()
        .is_some_and(|cpu| cpu.topology.is_some());
    let smp = domain.smp();
    if placed {
        smp
    } else {
        format!("{smp},sockets={},cores=1,threads=1", domain.room)
    }
}

/// The last argument of an option, which is the one that QEMU takes of `-cpu`.
pub fn last<'a>(arguments: &'a [String], option: &str) -> Option<&'a str> {
    let is_it = |word: &String| {
        word.trim_start_matches('-') == option.trim_start_matches('-') && word.starts_with('-')
    };
    let at = arguments.iter().rposition(is_it)?;
    arguments.get(at + 1).map(String::as_str)
}

/// The `-cpu` argument of a domain's own that QEMU takes in place of what libvirt makes of its `<cpu>`.
pub fn overriding<'a>(made: &str, own: &'a [String]) -> Option<&'a str> {
    last(own, "-cpu").filter(|own| *own != made)
}

/// An `-smp` argument with the parts that further ones set: QEMU merges them (machine_merge_property in system/vl.c).
pub fn merged_smp(made: &str, own: &[String]) -> String {
    let mut parts: Vec<(String, String)> = Vec::new();
    let further = own
        .windows(2)
        .filter(|words| words[0].trim_start_matches('-') == "smp");
    let all = [made]
        .into_iter()
        .chain(further.map(|words| words[1].as_str()));
    for part in all.flat_map(|argument| argument.split(',')) {
        let (name, count) = part.split_once('=').unwrap_or(("cpus", part));
        match parts.iter_mut().find(|(own, _)| own == name) {
            Some((_, own)) => count.clone_into(own),
            None => parts.push((name.to_owned(), count.to_owned())),
        }
    }
    let text = |(place, (name, count)): (usize, &(String, String))| {
        if place == 0 && name == "cpus" {
            count.clone()
        } else {
            format!("{name}={count}")
        }
    };
    let parts: Vec<String> = parts.iter().enumerate().map(text).collect();
    parts.join(",")
}

/// A part of a command line in which ours and libvirt's differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// `-cpu enforce: …`.
    pub text: String,
    /// Whether the reason is known.
    pub explained: bool,
}

/// What libvirt's command line has otherwise than ours. `removed` are the features that libvirt turns off by itself.
pub fn differences(ours: &[Argument], theirs: &[String], removed: &[String]) -> Vec<Difference> {
    let mut found = Vec::new();
    for option in OPTIONS {
        let own = ours
            .iter()
            .find(|(name, _)| *name == option)
            .map_or("", |(_, own)| own);
        let first = theirs.iter().position(|word| word == option);
        let other = first
            .and_then(|at| theirs.get(at + 1))
            .map_or("", String::as_str);
        found.extend(between(option, own, other, removed));
    }
    found
}

fn between(option: &str, own: &str, other: &str, removed: &[String]) -> Vec<Difference> {
    let mut found = Vec::new();
    let (first, rest) = own.split_once(',').unwrap_or((own, ""));
    let (their_first, their_rest) = other.split_once(',').unwrap_or((other, ""));
    if first != their_first {
        found.push(of_first(option, first, their_first));
    }
    let parts = |text: &'_ str| -> BTreeSet<String> {
        // libvirt has `hv-crash` and QEMU reads `hv-crash=on`.
        let whole = |part: &str| {
            if part.contains('=') {
                part.to_owned()
            } else {
                format!("{part}=on")
            }
        };
        text.split(',')
            .filter(|part| !part.is_empty())
            .map(whole)
            .collect()
    };
    let (own, other) = (parts(rest), parts(their_rest));
    found.extend(own.difference(&other).map(|part| not_passed(option, part)));
    let added = other
        .difference(&own)
        .map(|part| (part, reason(option, part, removed)));
    let added: Vec<(&String, Reason)> = added.collect();
    for reason in [Reason::NoPart, Reason::Removed, Reason::Unknown] {
        let parts = added.iter().filter(|(_, own)| *own == reason);
        let parts: Vec<&str> = parts.map(|(part, _)| part.as_str()).collect();
        if !parts.is_empty() {
            found.push(reason.difference(option, &parts.join(", ")));
        }
    }
    found
}

/// Properties that libvirt has elements for since 9.3 or later; an older one does not know the elements and drops them, so that the guest
/// is not as the XML asks.
const NEWER: [&str; 3] = [
    "host-phys-bits-limit",
    "hv-tlbflush-direct",
    "hv-tlbflush-ext",
];

fn not_passed(option: &str, part: &str) -> Difference {
    let name = part.split('=').next().unwrap_or(part);
    let (explained, why) = match (option, name) {
        ("-cpu", "enforce") => (true, " (check='full', which libvirt checks itself)"),
        ("-cpu", name) if NEWER.contains(&name) => (false, " (a newer one does)"),
        _ => (false, ""),
    };
    Difference {
        text: format!("{option}: libvirt does not pass {part}{why}"),
        explained,
    }
}

const NEWEST: &str = " (the newest version of it)";

fn of_first(option: &str, own: &str, other: &str) -> Difference {
    let (explained, why) = match (option, own, other) {
        ("-cpu", "qemu64" | "qemu32", "") => (true, " (QEMU's default)"),
        ("-machine", "q35", other) if other.starts_with("pc-q35-") => (true, NEWEST),
        ("-machine", "pc", other) if other.starts_with("pc-i440fx-") => (true, NEWEST),
        _ => (false, ""),
    };
    let other = if other.is_empty() { "nothing" } else { other };
    Difference {
        text: format!("{option}: libvirt passes {other} where {own} is read{why}"),
        explained,
    }
}

/// Why libvirt has something that the XML does not ask for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// It is no part of the CPU.
    NoPart,
    /// libvirt's table of models counts it as gone from the model.
    Removed,
    /// Nobody knows.
    Unknown,
}

impl Reason {
    fn difference(self, option: &str, parts: &str) -> Difference {
        let why = match self {
            Reason::NoPart => " (no part of the CPU)",
            Reason::Removed => " (its cpu_map has it as removed from the model)",
            Reason::Unknown => "",
        };
        Difference {
            text: format!("{option}: libvirt adds {parts}{why}"),
            explained: self != Reason::Unknown,
        }
    }
}

fn reason(option: &str, part: &str, removed: &[String]) -> Reason {
    let name = part.split('=').next().unwrap_or(part);
    let is_off = part.ends_with("=off");
    match option {
        "-cpu" if is_off && removed.iter().any(|own| own == name) => Reason::Removed,
        "-machine" | "-accel" if NO_PART.contains(&name) => Reason::NoPart,
        _ => Reason::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    const THEIRS: &str = "-machine pc-q35-7.2,usb=off,smm=off -accel tcg -cpu EPYC,monitor=off,l3-cache=on -smp 1,sockets=1,cores=1,threads=1";

    fn text(xml: &str, cpu: &str) -> Vec<(String, bool)> {
        let domain = DomainXml::read(xml).expect("a domain");
        let ours = command_line(&domain, cpu);
        let found = differences(&ours, &split(THEIRS), &["monitor".to_owned()]);
        found
            .into_iter()
            .map(|found| (found.text, found.explained))
            .collect()
    }

    #[test]
    fn differences_that_are_known_are_named_with_their_reason() {
        let xml = "<domain type='qemu'><os><type machine='pc-q35-7.2'>hvm</type></os><features><smm state='off'/></features></domain>";
        let wanted = [
            "-machine: libvirt adds usb=off (no part of the CPU)",
            "-cpu: libvirt does not pass enforce=on (check='full', which libvirt checks itself)",
            "-cpu: libvirt adds monitor=off (its cpu_map has it as removed from the model)",
        ];
        let wanted: Vec<_> = wanted
            .iter()
            .map(|text| ((*text).to_owned(), true))
            .collect();
        assert_eq!(text(xml, "EPYC,l3-cache=on,enforce"), wanted);
    }

    #[test]
    fn all_other_differences_are_unexplained() {
        let xml = "<domain type='kvm'><vcpu>2</vcpu><os><type machine='pc-q35-7.2'>hvm</type></os></domain>";
        let found = text(xml, "Rome,avx=off");
        let unexplained: Vec<&str> = found
            .iter()
            .filter(|(_, known)| !known)
            .map(|(text, _)| text.as_str())
            .collect();
        let wanted = [
            "-machine: libvirt adds smm=off",
            "-accel: libvirt passes tcg where kvm is read",
            "-cpu: libvirt passes EPYC where Rome is read",
            "-cpu: libvirt does not pass avx=off",
            "-cpu: libvirt adds l3-cache=on",
            "-smp: libvirt passes 1 where 2 is read",
            "-smp: libvirt does not pass sockets=2",
            "-smp: libvirt adds sockets=1",
        ];
        assert_eq!(unexplained, wanted);
    }

    #[test]
    fn of_several_arguments_qemu_takes_the_last_cpu_and_merges_smp() {
        let own = split("-cpu A -smp 2 --cpu B -smp cores=2");
        assert_eq!(overriding("A", &own), Some("B"));
        assert_eq!(overriding("B", &own), None);
        assert_eq!(
            merged_smp("4,sockets=1,cores=4", &own),
            "2,sockets=1,cores=2"
        );
        assert_eq!(merged_smp("4", &[]), "4");
    }
}
