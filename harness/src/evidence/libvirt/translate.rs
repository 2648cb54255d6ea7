//! A QEMU `-cpu` argument as libvirt's `<cpu>`, and back, with what cannot be expressed.

use super::cpu_map::{CpuMap, Feature, Spot};
use super::layer::names;
use crate::vmm::libvirt::domain::{GuestCpu, Policy};

/// A translation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Translated<T> {
    /// As far as it goes.
    pub value: T,
    /// What cannot be expressed, a sentence each.
    pub lost: Vec<String>,
    /// Whether a part of it is lost because libvirt's cpu_map has no name for a feature.
    pub has_nameless: bool,
}

/// `spot` finds where a QEMU feature name's bit is, so that a name which only libvirt spells otherwise is found by its bit.
pub fn to_libvirt(
    argument: &str,
    map: &CpuMap,
    spot: impl Fn(&str) -> Option<Spot>,
) -> Translated<GuestCpu> {
    let mut parts = argument.split(',');
    let (mut lost, mut has_nameless) = (Vec::new(), false);
    let mut cpu = of_model(parts.next().unwrap_or_default(), map, &mut lost);
    for part in parts {
        let (name, on) = match flag(part) {
            Some(flag) => flag,
            None => {
                lost.push(property(part));
                continue;
            }
        };
        match feature(&name, map, &spot) {
            Some(feature) => {
                let policy = if on { Policy::Require } else { Policy::Disable };
                cpu.features.push((feature.name.clone(), policy));
            }
            None if on && ["enforce", "check"].contains(&name.as_str()) => {
                lost.extend(checked(&name, &mut cpu));
            }
            None => {
                let place = spot(&name)
                    .map_or("not a CPUID or MSR bit".to_owned(), |spot| spot.to_string());
                has_nameless = true;
                lost.push(format!("{part}: libvirt has no name for {name} ({place})"));
            }
        }
    }
    lost.retain(|sentence| !sentence.is_empty());
    Translated {
        value: cpu,
        lost,
        has_nameless,
    }
}

fn of_model(name: &str, map: &CpuMap, lost: &mut Vec<String>) -> GuestCpu {
    match name {
        "max" => return GuestCpu::of_mode("maximum"),
        "host" => return GuestCpu::of_mode("host-passthrough"),
        "host-model" => return GuestCpu::of_mode("host-model"),
        _ => {}
    }
    if !map.models.contains_key(name) {
        lost.push(format!(
            "{name}: libvirt has no such model{}",
            family(name, map)
        ));
    }
    GuestCpu::custom(name)
}

/// The unversioned name, which stands for another version on other machine types.
fn family(name: &str, map: &CpuMap) -> String {
    let family = name.rsplit_once("-v").map_or(name, |(family, _)| family);
    if map.models.contains_key(family) {
        format!("; it has {family}, whose version follows the machine type")
    } else {
        String::new()
    }
}

/// `+avx`, `-avx`, `avx=on`, `avx=off`, `avx`.
fn flag(text: &str) -> Option<(String, bool)> {
    let (name, on) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(name), _) => (name, true),
        (_, Some(name)) => (name, false),
        _ => match text.split_once('=').unwrap_or((text, "on")) {
            (name, "on" | "true" | "yes") => (name, true),
            (name, "off" | "false" | "no") => (name, false),
            _ => return None,
        },
    };
    Some((name.to_owned(), on))
}

fn checked(name: &str, cpu: &mut GuestCpu) -> Option<String> {
    match name {
        "enforce" => {
            cpu.check = Some("full".to_owned());
            None
        }
        // QEMU's default: it warns, and libvirt shows no warnings.
        _ => Some("check: libvirt does not pass QEMU's warnings on".to_owned()),
    }
}

/// A property that is no feature.
fn property(text: &str) -> String {
    let name = text.split('=').next().unwrap_or(text);
    let instead = match name {
        "vendor" => "<vendor> only checks the host's",
        "phys-bits" | "host-phys-bits" | "host-phys-bits-limit" => "<maxphysaddr>",
        "migratable" => "the attribute migratable of host-passthrough and maximum",
        "hv-spinlocks" | "hv-vendor-id" => "<hyperv> in <features>",
        _ => "<qemu:commandline>",
    };
    format!("{text}: not a feature; in libvirt: {instead}")
}

fn feature<'a>(
    name: &str,
    map: &'a CpuMap,
    spot: &impl Fn(&str) -> Option<Spot>,
) -> Option<&'a Feature> {
    let same = |spelling: &str| spelling.replace('_', "-") == name.replace('_', "-");
    let spelt = map.features.iter().find(|feature| {
        let mut spellings = feature
            .qemu
            .iter()
            .map(String::as_str)
            .chain([feature.name.as_str()]);
        spellings.any(same)
    });
    spelt.or_else(|| map.at(spot(name)?))
}

/// The `-cpu` argument for a `<cpu>`. `known` decides whether QEMU has a name.
pub fn to_qemu(cpu: &GuestCpu, map: &CpuMap, known: impl Fn(&str) -> bool) -> Translated<String> {
    let mut lost = Vec::new();
    let model = match (cpu.mode.as_str(), &cpu.model) {
        ("host-passthrough", _) => "host".to_owned(),
        ("maximum", _) => "max".to_owned(),
        (_, Some(model)) => model.clone(),
        ("host-model", None) => {
            lost.push(
                "host-model: libvirt makes a model of the host, see `virsh domcapabilities`"
                    .to_owned(),
            );
            "host".to_owned()
        }
        _ => {
            lost.push("no model: libvirt leaves the default to QEMU".to_owned());
            "qemu64".to_owned()
        }
    };
    let mut argument = model;
    for (name, policy) in &cpu.features {
        let spellings = names(map.feature(name), name);
        let Some(own) = spellings.iter().find(|spelling| known(spelling)) else {
            lost.push(format!("{name}: QEMU has no such feature"));
            continue;
        };
        match policy.gives() {
            Some(on) => argument += &format!(",{own}={}", if on { "on" } else { "off" }),
            None => lost.push(format!("{name}: policy optional follows the host")),
        }
    }
    match (cpu.check.as_deref(), cpu.matching.as_deref()) {
        (Some("full"), _) => argument += ",enforce",
        (Some("partial"), _) => lost.push(
            "check partial: libvirt's own comparison with the host, QEMU has none".to_owned(),
        ),
        _ => {}
    }
    if let Some(matching @ ("minimum" | "strict")) = cpu.matching.as_deref() {
        lost.push(format!("match {matching}: follows the host"));
    }
    Translated {
        value: argument,
        lost,
        has_nameless: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpuid::answers::Key;
    use crate::cpuid::bit::Bit;

    fn map() -> CpuMap {
        let text = "<cpus><arch name='x86'><feature name='pni'><alias name='sse3' source='qemu'/>\
            <cpuid eax_in='0x01' ecx='0x1'/></feature><feature name='cmt'><cpuid eax_in='0x07' ebx='0x1000'/></feature>\
            <model name='EPYC'><feature name='pni'/></model></arch></cpus>";
        CpuMap::parse(&[("index.xml".to_owned(), text.to_owned())].into()).expect("a map")
    }

    fn spot(name: &str) -> Option<Spot> {
        let bit = Bit {
            key: Key::new(7, 0),
            register: 1,
            bit: if name == "cqm" { 12 } else { 6 },
        };
        ["cqm", "fdp"].contains(&name).then_some(Spot::Cpuid(bit))
    }

    #[test]
    fn an_argument_becomes_xml_and_what_is_lost_is_reported() {
        let Translated {
            value,
            lost,
            has_nameless,
        } = to_libvirt("EPYC-v4,+sse3,cqm=off,+fdp,level=13,enforce", &map(), spot);
        assert_eq!(
            value.features,
            [
                ("pni".to_owned(), Policy::Require),
                ("cmt".to_owned(), Policy::Disable)
            ]
        );
        assert_eq!(value.check.as_deref(), Some("full"));
        assert!(has_nameless);
        assert_eq!(
            lost,
            [
                "EPYC-v4: libvirt has no such model; it has EPYC, whose version follows the machine type",
                "+fdp: libvirt has no name for fdp (CPUID.07H.00H:EBX[6])",
                "level=13: not a feature; in libvirt: <qemu:commandline>",
            ]
        );
    }

    #[test]
    fn modes_stand_for_models() {
        assert!(!to_libvirt("EPYC,level=13", &map(), spot).has_nameless);
        let mode = |argument: &str| to_libvirt(argument, &map(), spot).value.mode;
        assert_eq!(mode("max"), "maximum");
        assert_eq!(mode("host"), "host-passthrough");
        assert_eq!(mode("EPYC"), "custom");
    }

    #[test]
    fn xml_becomes_an_argument() {
        let mut cpu = GuestCpu::custom("EPYC");
        cpu.check = Some("full".to_owned());
        cpu.matching = Some("strict".to_owned());
        for (name, policy) in [
            ("pni", Policy::Force),
            ("cmt", Policy::Forbid),
            ("xyz", Policy::Require),
        ] {
            cpu.features.push((name.to_owned(), policy));
        }
        let Translated { value, lost, .. } =
            to_qemu(&cpu, &map(), |name| ["sse3", "cmt"].contains(&name));
        assert_eq!(value, "EPYC,sse3=on,cmt=off,enforce");
        assert_eq!(
            lost,
            [
                "xyz: QEMU has no such feature",
                "match strict: follows the host"
            ]
        );
    }
}
