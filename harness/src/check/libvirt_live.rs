//! What libvirt's live XML says is what the guest sees, and the command line asks for what the XML asked for.
//!
//! libvirt fills the live XML in after QEMU has made the CPU (qemuProcessUpdateCPU): each feature that the model of its map has and QEMU did not give
//! becomes `disable`, each that QEMU gave beyond the model becomes `require`. From then on the XML is the domain's promise, at
//! migration too.

use std::collections::BTreeSet;

use super::finding::{CheckId, Finding, Kind, Layer};
use super::libvirt_map::{field, spot};
use crate::cpuid::answers::Key;
use crate::cpuid::bit::Bit;
use crate::cpuid::dump::{Dump, Reading};
use crate::cpuid::table::Format;
use crate::cpuid::table::{Space, Table};
use crate::evidence::libvirt::cpu_map::{CpuMap, Spot};
use crate::evidence::libvirt::layer::{LibvirtLayer, Request};
use crate::evidence::libvirt::to_qemu::NEVER_PASSED;
use fidelity_protocol::frame::Phase;

/// Features whose bit follows what an operating system does.
const FOLLOWING: [&str; 2] = ["osxsave", "ospke"];

/// All checks of this file, as far as the layer's accelerator lets them be held.
pub fn all(layer: &LibvirtLayer, guest: &Dump, table: &Table) -> Vec<Finding> {
    let kvm = layer.command.iter().any(|word| word == "kvm");
    let mut changes = live(layer, guest, table, kvm);
    changes.extend(command(layer));
    changes.extend(enlightenments(layer, guest));
    changes
}

/// The leaf in which a hypervisor says that it has Hyper-V's interface, and how (TLFS, "Feature discovery"): `Hv#1`.
const INTERFACE: (u32, u32) = (0x4000_0001, 0x3123_7648);

/// Enlightenments that were asked for are there at all: QEMU drops them without a word where TCG runs the guest.
fn enlightenments(layer: &LibvirtLayer, guest: &Dump) -> Option<Finding> {
    let asked = layer.properties.iter().map(|(name, _)| name.as_str());
    let asked: Vec<&str> = asked.filter(|name| name.starts_with("hv-")).collect();
    let (leaf, signature) = INTERFACE;
    let seen = guest.boot_processor()?.cpuid(leaf, 0).map(|regs| regs[0]);
    if asked.is_empty() || seen == Some(signature) {
        return None;
    }
    let expected = format!("Hv#1, by {} of the XML", asked.join(", "));
    let actual = match seen {
        Some(other) => format!("{other:08x}: no enlightenments"),
        None => "no such leaf: no enlightenments".to_owned(),
    };
    let check = CheckId::LibvirtLive;
    let finding = Finding::new(check, Kind::Lost, "hyperv", expected, actual, Layer::Qemu);
    let bit = Bit {
        key: Key::new(leaf, 0),
        register: 0,
        bit: 0,
    };
    Some(finding.at(Spot::Cpuid(bit)))
}

/// Feature by feature, both ways. `msrs` says whether feature MSRs can be compared, too: under TCG they read 0 whatever QEMU was given.
pub fn live(layer: &LibvirtLayer, guest: &Dump, table: &Table, msrs: bool) -> Vec<Finding> {
    let mut changes = Vec::new();
    for claim in &layer.claims {
        if FOLLOWING.contains(&claim.feature.as_str()) {
            continue;
        }
        for spot in &claim.spots {
            let Some(seen) = seen(guest, *spot, msrs) else {
                continue;
            };
            if seen == claim.has {
                continue;
            }
            let kind = if seen { Kind::Gained } else { Kind::Lost };
            let has = if claim.has { "set" } else { "clear" };
            let expected = format!("{has} by the live XML ({})", claim.by);
            let actual = if seen {
                "set in the guest"
            } else {
                "clear in the guest"
            };
            let name = field(table, *spot).map_or(claim.feature.as_str(), |field| &field.name);
            let check = CheckId::LibvirtLive;
            let finding = Finding::new(check, kind, name, expected, actual, Layer::Libvirt);
            changes.push(finding.at(*spot));
        }
    }
    changes
}

/// Features that the guest has and that no XML can tell, because libvirt has no name for them: what hides behind a model.
pub fn unnamed<'a>(map: &CpuMap, guest: &Dump, table: &'a Table) -> Vec<&'a str> {
    let fields = table.fields().iter().filter(|field| {
        field.qemu.is_some() && field.format == Format::Flag && field.space == Space::Cpuid
    });
    let hidden = fields.filter(|field| {
        let spot = spot(field);
        map.at(spot).is_none() && seen(guest, spot, false) == Some(true)
    });
    hidden.map(|field| field.name.as_str()).collect()
}

/// `None` where it cannot be said.
fn seen(guest: &Dump, spot: Spot, msrs: bool) -> Option<bool> {
    let boot = guest.boot_processor()?;
    match spot {
        Spot::Cpuid(Bit { key, .. }) => {
            let Spot::Cpuid(bit) = spot else { return None };
            Some(
                boot.cpuid(key.leaf, key.subleaf)
                    .is_some_and(|regs| bit.is_set(regs)),
            )
        }
        Spot::Msr(..) if !msrs => None,
        Spot::Msr(index, bit) => match boot.phase(Phase::Msrs)?.msrs.get(&index)? {
            Reading::Value(value) => Some(value >> bit & 1 == 1),
            Reading::Fault(_) => Some(false),
        },
    }
}

/// Words behind the model that are no features, and that libvirt adds by itself.
const ADDED: [&str; 1] = ["migratable"];

/// The `-cpu` argument that libvirt made asks for the model and the features that the XML asked for, and for nothing else. `optional` leaves it to
/// libvirt.
pub fn command(layer: &LibvirtLayer) -> Vec<Finding> {
    let finding = |kind, name: &str, expected: &str, actual: &str| {
        let check = CheckId::LibvirtCommand;
        Finding::new(check, kind, name, expected, actual, Layer::Libvirt)
    };
    let Some(argument) = layer.made_argument() else {
        return vec![finding(Kind::Lost, "-cpu", "an argument of QEMU", "none")];
    };
    let mut words = argument.split(',');
    let model = words.next().unwrap_or_default();
    let mut changes = Vec::new();
    let taken = layer.cpu_argument().filter(|taken| *taken != argument);
    if let Some(taken) = taken {
        let expected = format!("{argument} by <cpu>");
        let actual = format!("overridden by -cpu {taken} in <qemu:commandline>");
        changes.push(finding(Kind::Changed, "-cpu", &expected, &actual));
    }
    if let Some(wanted) = &layer.model
        && wanted != model
    {
        changes.push(finding(Kind::Changed, "model", wanted, model));
    }
    let words: BTreeSet<(&str, &str)> = words
        .map(|word| word.split_once('=').unwrap_or((word, "on")))
        .collect();
    let passed = |request: &&Request| !NEVER_PASSED.contains(&request.feature.as_str());
    for request in layer.requests.iter().filter(passed) {
        let Some(on) = request.policy.gives() else {
            continue;
        };
        let wanted = if on { "on" } else { "off" };
        let there = words
            .iter()
            .any(|(name, value)| *value == wanted && request.names.iter().any(|own| own == name));
        if !there {
            let expected = format!(
                "{}={wanted} (policy {})",
                request.feature,
                request.policy.name()
            );
            changes.push(finding(Kind::Lost, &request.feature, &expected, argument));
        }
    }
    for (name, value) in &layer.properties {
        if !words.contains(&(name.as_str(), value.as_str())) {
            let wanted = format!("{name}={value} by the XML");
            changes.push(finding(Kind::Lost, name, &wanted, argument));
        }
    }
    // Without a model in the XML (`host-model`) all that follows is libvirt's choice.
    if layer.model.is_some() {
        let unasked = words.iter().filter(|(name, value)| {
            let mut requests = layer.requests.iter();
            let removed = *value == "off" && layer.removed.iter().any(|own| own == name);
            !removed
                && !ADDED.contains(name)
                && !layer.properties.iter().any(|(own, _)| own == name)
                && !requests.any(|request| request.names.iter().any(|own| own == name))
        });
        changes.extend(unasked.map(|(name, value)| {
            finding(
                Kind::Gained,
                name,
                "not asked for",
                &format!("{name}={value}"),
            )
        }));
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::libvirt::layer::{Claim, Request};
    use crate::vmm::libvirt::domain::Policy;

    fn layer(argument: &str) -> LibvirtLayer {
        let bit = |bit| {
            Spot::Cpuid(Bit {
                key: Key::new(7, 0),
                register: 1,
                bit,
            })
        };
        let claim = |feature: &str, spot, has, by: &str| Claim {
            feature: feature.to_owned(),
            spots: vec![spot],
            has,
            by: by.to_owned(),
        };
        LibvirtLayer {
            asked: String::new(),
            live: String::new(),
            command: ["-cpu", argument].map(str::to_owned).into(),
            capabilities: None,
            model: Some("EPYC".to_owned()),
            removed: vec!["monitor".to_owned()],
            properties: Vec::new(),
            requests: vec![
                Request {
                    feature: "pni".to_owned(),
                    names: vec!["pni".to_owned(), "sse3".to_owned()],
                    policy: Policy::Require,
                },
                Request {
                    feature: "avx".to_owned(),
                    names: vec!["avx".to_owned()],
                    policy: Policy::Forbid,
                },
                Request {
                    feature: "opt".to_owned(),
                    names: vec!["opt".to_owned()],
                    policy: Policy::Optional,
                },
            ],
            claims: vec![
                claim("avx2", bit(5), true, "model EPYC"),
                claim("smep", bit(7), false, "policy disable"),
                claim("rdctl-no", Spot::Msr(0x10A, 0), true, "policy require"),
            ],
        }
    }

    fn guest(ebx: u32) -> Dump {
        Dump::of_answers([(Key::new(7, 0), [0, ebx, 0, 0])].into())
    }

    fn sentences(changes: &[Finding]) -> Vec<String> {
        let text = |change: &Finding| {
            let Finding {
                kind,
                name,
                place,
                expected,
                actual,
                ..
            } = change;
            format!("{} {name} {place}: {expected} / {actual}", kind.name())
        };
        changes.iter().map(text).collect()
    }

    #[test]
    fn a_guest_that_is_as_the_xml_says_is_silent() {
        assert!(live(&layer(""), &guest(1 << 5), &Table::default(), false).is_empty());
    }

    #[test]
    fn what_the_xml_says_wrong_is_told_both_ways() {
        assert_eq!(
            sentences(&live(&layer(""), &guest(1 << 7), &Table::default(), false)),
            [
                "lost avx2 CPUID.07H.00H:EBX[5]: set by the live XML (model EPYC) / clear in the guest",
                "gained smep CPUID.07H.00H:EBX[7]: clear by the live XML (policy disable) / set in the guest",
            ]
        );
    }

    #[test]
    fn what_no_xml_can_tell_is_named() {
        let rows = "cpuid\t0x00000007\t00\tebx\t5\tavx2\tflag\t5.2\tmeasured\t-\n\
                    cpuid\t0x00000007\t00\tebx\t6\tfdp-excptn-only\tflag\t10.0\tmeasured\t-\n";
        let table = Table::parse("features.tsv", rows).expect("a table");
        let index = "<cpus><arch name='x86'><feature name='avx2'><cpuid eax_in='0x07' ebx='0x20'/></feature></arch></cpus>";
        let map =
            CpuMap::parse(&[("index.xml".to_owned(), index.to_owned())].into()).expect("a map");
        assert_eq!(unnamed(&map, &guest(3 << 5), &table), ["fdp-excptn-only"]);
    }

    #[test]
    fn a_command_line_that_asks_for_the_same_is_silent() {
        assert!(command(&layer("EPYC,sse3=on,avx=off,monitor=off")).is_empty());
    }

    #[test]
    fn a_command_line_that_asks_for_something_else_is_told() {
        assert_eq!(
            sentences(&command(&layer("EPYC-v1,sse3=off,pku=on,monitor=on"))),
            [
                "changed model : EPYC / EPYC-v1",
                "lost pni : pni=on (policy require) / EPYC-v1,sse3=off,pku=on,monitor=on",
                "lost avx : avx=off (policy forbid) / EPYC-v1,sse3=off,pku=on,monitor=on",
                "gained monitor : not asked for / monitor=on",
                "gained pku : not asked for / pku=on",
            ]
        );
    }

    #[test]
    fn what_was_asked_for_beside_features_is_no_gain_and_missed_where_it_is_not_there() {
        let mut layer = layer("EPYC,sse3=on,avx=off,l3-cache=on,hv-crash");
        let property = |name: &str| (name.to_owned(), "on".to_owned());
        layer.properties = vec![property("l3-cache"), property("hv-crash")];
        assert!(command(&layer).is_empty());
        layer.properties.push(property("pmu"));
        assert_eq!(
            sentences(&command(&layer)),
            ["lost pmu : pmu=on by the XML / EPYC,sse3=on,avx=off,l3-cache=on,hv-crash"]
        );
    }

    #[test]
    fn enlightenments_that_the_guest_has_not_got_are_found() {
        let mut layer = layer("EPYC");
        layer.properties = vec![("hv-relaxed".to_owned(), "on".to_owned())];
        let guest = |eax| Dump::of_answers([(Key::new(0x4000_0001, 0), [eax, 0, 0, 0])].into());
        assert_eq!(enlightenments(&layer, &guest(0x3123_7648)), None);
        let found = enlightenments(&layer, &guest(0)).expect("a finding");
        assert_eq!(
            sentences(&[found]),
            [
                "lost hyperv CPUID.40000001H.00H:EAX[0]: Hv#1, by hv-relaxed of the XML / 00000000: no enlightenments"
            ]
        );
        layer.properties.clear();
        assert_eq!(enlightenments(&layer, &guest(0)), None);
    }

    #[test]
    fn a_later_cpu_argument_overrides_the_xml() {
        let mut layer = layer("EPYC,sse3=on,avx=off");
        let further = ["-cpu", "Skylake-Server"].map(str::to_owned);
        layer.command.extend(further);
        assert_eq!(
            sentences(&command(&layer)),
            [
                "changed -cpu : EPYC,sse3=on,avx=off by <cpu> / overridden by -cpu Skylake-Server in <qemu:commandline>"
            ]
        );
        assert_eq!(layer.cpu_argument(), Some("Skylake-Server"));
    }
}
