//! A QEMU `-cpu` argument as libvirt's elements.

use super::cpu_map::{CpuMap, Feature, Spot};
use super::translate::{Asked, Translated};
use crate::case::cpu_argument;
use crate::vmm::libvirt::cpu_parts::{AddressBits, Cache};
use crate::vmm::libvirt::domain::{GuestCpu, Policy};
use crate::vmm::libvirt::setting::{Row, Rule};

/// `spot` finds where a QEMU feature name's bit is, so that a name which only libvirt spells otherwise is found by its bit.
pub fn to_libvirt(
    argument: &str,
    map: &CpuMap,
    spot: impl Fn(&str) -> Option<Spot>,
) -> Translated<Asked> {
    let mut parts = argument.split(',');
    let mut reading = Reading::new(parts.next().unwrap_or_default(), map);
    let mut parts: Vec<Part<'_>> = parts.map(Part::read).collect();
    // QEMU's order, in which a later one counts.
    parts.sort_by_key(|part| part.turn);
    let passes = |part: &Part<'_>| part.name == "hv-passthrough" && part.on() == Some(true);
    reading.passthrough = parts.iter().any(passes);
    for part in &parts {
        let done = reading.take_own(part) || reading.take_setting(part);
        if !done {
            reading.take_feature(part, map, &spot);
        }
    }
    reading.finish()
}

/// One property.
struct Part<'a> {
    /// As it was given.
    text: &'a str,
    /// Of QEMU's order.
    turn: u8,
    /// With hyphens.
    name: String,
    value: String,
}

impl Part<'_> {
    fn read(text: &str) -> Part<'_> {
        let part = |turn, name: &str, value: &str| Part {
            text,
            turn,
            name: name.replace('_', "-"),
            value: value.to_owned(),
        };
        match (text.strip_prefix('+'), text.strip_prefix('-')) {
            (Some(name), _) => part(1, name, "on"),
            (_, Some(name)) => part(2, name, "off"),
            _ => {
                let (name, value) = text.split_once('=').unwrap_or((text, "on"));
                part(0, name, value)
            }
        }
    }

    fn on(&self) -> Option<bool> {
        cpu_argument::flag(&self.value)
    }

    fn number(&self) -> Option<u32> {
        cpu_argument::number(&self.value)
    }
}

/// What was read so far.
struct Reading {
    asked: Asked,
    lost: Vec<String>,
    has_nameless: bool,
    /// Whether the guest gets all enlightenments of the host.
    passthrough: bool,
    l3_cache: Option<bool>,
    host_cache: Option<bool>,
    phys_bits: Option<u32>,
    host_bits: Option<bool>,
    host_limit: Option<u32>,
}

impl Reading {
    fn new(model: &str, map: &CpuMap) -> Reading {
        let mut lost = Vec::new();
        let cpu = of_model(model, map, &mut lost);
        Reading {
            asked: Asked {
                cpu,
                ..Asked::default()
            },
            lost,
            has_nameless: false,
            passthrough: false,
            l3_cache: None,
            host_cache: None,
            phys_bits: None,
            host_bits: None,
            host_limit: None,
        }
    }

    /// Properties that elements and attributes of `<cpu>` make; whether it was one.
    fn take_own(&mut self, part: &Part<'_>) -> bool {
        let host = self.asked.cpu.is_of_host();
        match part.name.as_str() {
            "l3-cache" if part.on().is_some() => self.l3_cache = part.on(),
            "host-cache-info" if part.on().is_some() => self.host_cache = part.on(),
            "phys-bits" if part.number().is_some() => self.phys_bits = part.number(),
            "host-phys-bits" if part.on().is_some() => self.host_bits = part.on(),
            "host-phys-bits-limit" if part.number().is_some() => self.host_limit = part.number(),
            "migratable" if host && part.on().is_some() => self.asked.cpu.migratable = part.on(),
            "vendor" if !host && part.value.len() == VENDOR_LENGTH => {
                self.asked.cpu.vendor_id = Some(part.value.clone());
            }
            "enforce" if part.on() == Some(true) => {
                self.asked.cpu.check = Some("full".to_owned());
            }
            // QEMU's default: it warns, and libvirt shows no warnings.
            "check" if part.on() == Some(true) => {
                let lost = "check: libvirt does not pass QEMU's warnings on";
                self.lost.push(lost.to_owned());
            }
            _ => return false,
        }
        true
    }

    /// Properties that elements beside `<cpu>` make; whether it was one.
    fn take_setting(&mut self, part: &Part<'_>) -> bool {
        let Some(row) = Row::of_property(&part.name) else {
            return false;
        };
        match row.to_xml(&part.value) {
            Some(value) => {
                if row.to_qemu(&value).is_none() && !self.is_default(row, part) {
                    let attribute = row.attribute;
                    let sentence = format!(
                        "{}: libvirt passes nothing for {attribute}='{value}'",
                        part.text
                    );
                    self.lost.push(sentence);
                }
                self.asked.settings.add(row, &value);
            }
            None if is_default(row, part) => {}
            None => self.lost.push(format!(
                "{}: libvirt's <{}> has no such value",
                part.text, row.path
            )),
        }
        true
    }

    /// Whether QEMU does what the part says without it: enlightenments are off, and paravirtual features are off in named models.
    fn is_default(&self, row: &Row, part: &Part<'_>) -> bool {
        match (row.rule, part.on()) {
            (Rule::Hides, on) => on == Some(true),
            (Rule::Number, _) => part.number() == Some(0),
            (Rule::Off, on) => on == Some(true) && self.asked.cpu.is_of_host(),
            (Rule::On, _) if row.path.starts_with("features/kvm/poll") => {
                !self.asked.cpu.is_of_host()
            }
            (_, on) => on == Some(false) && !self.passthrough,
        }
    }

    fn take_feature(
        &mut self,
        part: &Part<'_>,
        map: &CpuMap,
        spot: &impl Fn(&str) -> Option<Spot>,
    ) {
        let Some(on) = part.on() else {
            return self.lost.push(property(part));
        };
        match feature(&part.name, map, spot) {
            Some(feature) => {
                let policy = if on { Policy::Require } else { Policy::Disable };
                let features = &mut self.asked.cpu.features;
                // libvirt refuses a feature that is there twice.
                features.retain(|(name, _)| *name != feature.name);
                features.push((feature.name.clone(), policy));
            }
            None if spot(&part.name).is_none()
                && IN_XML.iter().any(|(name, _)| *name == part.name) =>
            {
                self.lost.push(property(part));
            }
            None => {
                let place = spot(&part.name);
                let place =
                    place.map_or("not a CPUID or MSR bit".to_owned(), |spot| spot.to_string());
                self.has_nameless = true;
                let (text, name) = (part.text, &part.name);
                self.lost
                    .push(format!("{text}: libvirt has no name for {name} ({place})"));
            }
        }
    }

    fn finish(mut self) -> Translated<Asked> {
        self.take_caches();
        self.take_address();
        Translated {
            value: self.asked,
            lost: self.lost,
            notes: Vec::new(),
            has_nameless: self.has_nameless,
        }
    }

    fn take_caches(&mut self) {
        let host = self.asked.cpu.is_of_host();
        match (self.l3_cache, self.host_cache) {
            (None, None) => return,
            // Only a host's CPU has the host's caches.
            (None, Some(false)) if !host => return,
            _ => {}
        }
        let cache = Cache::of_properties(self.l3_cache, self.host_cache);
        let cache = cache.filter(|cache| cache.refusal(host).is_none());
        if cache.is_none() {
            let shown = [
                ("l3-cache", self.l3_cache),
                ("host-cache-info", self.host_cache),
            ];
            let shown = shown.into_iter().filter_map(|(name, on)| {
                Some(format!("{name}={}", if on? { "on" } else { "off" }))
            });
            let shown: Vec<String> = shown.collect();
            self.lost.push(format!(
                "{}: no <cache> makes that of mode {}",
                shown.join(","),
                self.asked.cpu.mode
            ));
        }
        self.asked.cpu.cache = cache;
    }

    fn take_address(&mut self) {
        // A host's CPU has the host's address bits, whatever `phys-bits` says, unless it is kept from them.
        if !self.asked.cpu.is_of_host() && self.phys_bits.is_some() && self.host_bits == Some(false)
        {
            self.host_bits = None;
        }
        let address = |mode: &str, bits, limit| {
            let mode = mode.to_owned();
            Some(AddressBits { mode, bits, limit })
        };
        self.asked.cpu.address = match (self.host_bits, self.phys_bits, self.host_limit) {
            (Some(true), None, limit) => address("passthrough", None, limit),
            (None, Some(bits), None) => address("emulate", Some(bits), None),
            (Some(false), None, None) => address("emulate", None, None),
            (None, None, None) => None,
            (host, bits, limit) => {
                let given = [
                    host.map(|on| format!("host-phys-bits={}", if on { "on" } else { "off" })),
                    bits.map(|bits| format!("phys-bits={bits}")),
                    limit.map(|limit| format!("host-phys-bits-limit={limit}")),
                ];
                let given: Vec<String> = given.into_iter().flatten().collect();
                self.lost
                    .push(format!("{}: no <maxphysaddr> makes that", given.join(",")));
                None
            }
        };
    }
}

/// Letters of a vendor (VIR_CPU_VENDOR_ID_LENGTH).
const VENDOR_LENGTH: usize = 12;

/// Whether leaving a property out is what it says, of those that XML has no value for.
fn is_default(row: &Row, part: &Part<'_>) -> bool {
    matches!(row.rule, Rule::Named(_)) && part.on() == Some(false)
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

/// Properties that libvirt has a place for, which takes not every value.
const IN_XML: [(&str, &str); 6] = [
    (
        "vendor",
        "vendor_id of <model>, 12 letters of a named model",
    ),
    ("phys-bits", "<maxphysaddr>"),
    ("host-phys-bits", "<maxphysaddr>"),
    ("host-phys-bits-limit", "<maxphysaddr>"),
    (
        "migratable",
        "the attribute migratable of host-passthrough and maximum",
    ),
    ("l3-cache", "<cache>"),
];

/// A property that is no feature.
fn property(part: &Part<'_>) -> String {
    let known = IN_XML.iter().find(|(name, _)| *name == part.name);
    let instead = known.map_or("<qemu:commandline>", |(_, instead)| instead);
    format!("{}: not a feature; in libvirt: {instead}", part.text)
}

fn feature<'a>(
    name: &str,
    map: &'a CpuMap,
    spot: &impl Fn(&str) -> Option<Spot>,
) -> Option<&'a Feature> {
    let same = |spelling: &str| spelling.replace('_', "-") == name;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpuid::answers::Key;
    use crate::cpuid::bit::Bit;
    use crate::evidence::libvirt::fixture::map;

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
            ..
        } = to_libvirt("EPYC-v4,+sse3,cqm=off,+fdp,level=13,enforce", &map(), spot);
        assert_eq!(
            value.cpu.features,
            [
                ("cmt".to_owned(), Policy::Disable),
                ("pni".to_owned(), Policy::Require)
            ]
        );
        assert_eq!(value.cpu.check.as_deref(), Some("full"));
        assert!(has_nameless);
        assert_eq!(
            lost,
            [
                "EPYC-v4: libvirt has no such model; it has EPYC, whose version follows the machine type",
                "level=13: not a feature; in libvirt: <qemu:commandline>",
                "+fdp: libvirt has no name for fdp (CPUID.07H.00H:EBX[6])",
            ]
        );
    }

    #[test]
    fn modes_stand_for_models() {
        assert!(!to_libvirt("EPYC,level=13", &map(), spot).has_nameless);
        let mode = |argument: &str| to_libvirt(argument, &map(), spot).value.cpu.mode;
        assert_eq!(mode("max"), "maximum");
        assert_eq!(mode("host"), "host-passthrough");
        assert_eq!(mode("EPYC"), "custom");
    }

    #[test]
    fn of_flags_that_contradict_one_another_the_one_that_qemu_takes_last_counts() {
        let features = to_libvirt("EPYC,-sse3,sse3=on", &map(), spot)
            .value
            .cpu
            .features;
        assert_eq!(features, [("pni".to_owned(), Policy::Disable)]);
    }

    fn lost(argument: &str) -> Vec<String> {
        to_libvirt(argument, &map(), spot).lost
    }

    #[test]
    fn what_no_element_makes_is_lost_with_its_reason() {
        for (argument, sentence) in [
            (
                "EPYC,migratable=on",
                "migratable=on: not a feature; in libvirt: the attribute migratable of host-passthrough and maximum",
            ),
            (
                "EPYC,vendor=AMD",
                "vendor=AMD: not a feature; in libvirt: vendor_id of <model>, 12 letters of a named model",
            ),
            (
                "EPYC,hv-spinlocks=7",
                "hv-spinlocks=7: libvirt's <features/hyperv/spinlocks> has no such value",
            ),
            (
                "host,-kvm-poll-control",
                "-kvm-poll-control: libvirt passes nothing for state='off'",
            ),
            (
                "EPYC,kvm-pv-ipi=on",
                "kvm-pv-ipi=on: libvirt passes nothing for state='on'",
            ),
            (
                "host,hv-passthrough=on,hv-ipi=off",
                "hv-ipi=off: libvirt passes nothing for state='off'",
            ),
            (
                "EPYC,host-cache-info=on",
                "host-cache-info=on: no <cache> makes that of mode custom",
            ),
            (
                "host,hv-ipi=off,hv-passthrough=on",
                "hv-ipi=off: libvirt passes nothing for state='off'",
            ),
            (
                "host,phys-bits=40,host-phys-bits=off",
                "host-phys-bits=off,phys-bits=40: no <maxphysaddr> makes that",
            ),
            (
                "EPYC,phys-bits=40,host-phys-bits=on",
                "host-phys-bits=on,phys-bits=40: no <maxphysaddr> makes that",
            ),
        ] {
            assert_eq!(lost(argument), [sentence], "{argument}");
        }
        for argument in [
            "EPYC,hv-ipi=off,kvm=on,tsc-frequency=0",
            "EPYC,kvm-poll-control=off",
            "host,+kvm-pv-ipi",
        ] {
            assert_eq!(lost(argument), Vec::<String>::new(), "{argument}");
        }
    }
}
