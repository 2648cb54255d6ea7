//! libvirt's elements as a QEMU `-cpu` argument, as libvirt itself makes it (qemuBuildCpuCommandLine in src/qemu/qemu_command.c).

use super::cpu_map::{CpuMap, Feature};
use super::domain::DomainXml;
use super::translate::Translated;
use crate::vmm::libvirt::domain::GuestCpu;
use crate::vmm::libvirt::setting::{Property, Settings, Target};

/// Features that libvirt passes to no QEMU (virQEMUCapsCPUFilterFeatures).
pub const NEVER_PASSED: [&str; 5] = ["cmt", "mbm_total", "mbm_local", "osxsave", "ospke"];

/// Names that libvirt translates; it passes all others on as they are (virQEMUCapsCPUFeaturesX86).
const TRANSLATED: [(&str, &str); 11] = [
    ("cmp_legacy", "cmp-legacy"),
    ("ds_cpl", "ds-cpl"),
    ("fxsr_opt", "fxsr-opt"),
    ("kvm_pv_eoi", "kvm-pv-eoi"),
    ("kvm_pv_unhalt", "kvm-pv-unhalt"),
    ("lahf_lm", "lahf-lm"),
    ("nodeid_msr", "nodeid-msr"),
    ("pclmuldq", "pclmulqdq"),
    ("perfctr_core", "perfctr-core"),
    ("perfctr_nb", "perfctr-nb"),
    ("tsc_adjust", "tsc-adjust"),
];

/// Spellings of a feature on QEMU's command line.
pub fn names(feature: Option<&Feature>, name: &str) -> Vec<String> {
    let aliases = feature.into_iter().flat_map(|feature| &feature.qemu);
    let all = [name.to_owned()].into_iter().chain(aliases.cloned());
    all.collect()
}

/// Spellings of a feature, libvirt's own for QEMU first.
fn spellings(name: &str, map: &CpuMap) -> Vec<String> {
    let own = TRANSLATED.iter().find(|(libvirt, _)| *libvirt == name);
    let own = own.map(|(_, qemu)| (*qemu).to_owned());
    own.into_iter()
        .chain(names(map.feature(name), name))
        .collect()
}

/// The `-cpu` argument for a domain's CPU. `known` decides whether QEMU has a name.
pub fn to_qemu(
    domain: &DomainXml,
    map: &CpuMap,
    known: impl Fn(&str) -> bool,
) -> Translated<String> {
    let empty = GuestCpu::default();
    let cpu = domain.cpu.as_ref().unwrap_or(&empty);
    let mut made = Translated {
        value: String::new(),
        lost: domain.refused.clone(),
        notes: Vec::new(),
        has_nameless: false,
    };
    made.value = model(domain, cpu, &mut made);
    push(&mut made.value, before_features(cpu));
    features(cpu, map, known, &mut made);
    push(&mut made.value, after_features(cpu, &domain.settings));
    compared(cpu, &mut made);
    made
}

/// What stands before the features.
pub fn before_features(cpu: &GuestCpu) -> Vec<Property> {
    let property = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    // libvirt fills it in with host-passthrough (qemuDomainDefCPUPostParse).
    let migratable = match cpu.mode.as_str() {
        "host-passthrough" => Some(cpu.migratable.unwrap_or(true)),
        "maximum" => cpu.migratable,
        _ => None,
    };
    let migratable = migratable.map(|on| property("migratable", if on { "on" } else { "off" }));
    let vendor = cpu.vendor_id.as_ref().filter(|_| !cpu.is_of_host());
    let vendor = vendor.map(|vendor| property("vendor", vendor));
    migratable.into_iter().chain(vendor).collect()
}

/// What stands behind the features.
pub fn after_features(cpu: &GuestCpu, settings: &Settings) -> Vec<Property> {
    let mut all = settings.properties(Target::Cpu);
    let cache = cpu.cache.as_ref();
    all.extend(cache.map_or(Vec::new(), |cache| cache.properties(cpu.is_of_host())));
    let address = cpu.address.as_ref();
    all.extend(address.map_or(Vec::new(), |address| address.properties()));
    all
}

fn push(argument: &mut String, properties: Vec<Property>) {
    for (name, value) in properties {
        *argument += &format!(",{name}={value}");
    }
}

fn model(domain: &DomainXml, cpu: &GuestCpu, made: &mut Translated<String>) -> String {
    match (cpu.mode.as_str(), &cpu.model) {
        ("host-passthrough", _) => "host".to_owned(),
        ("maximum", _) => "max".to_owned(),
        (_, Some(model)) => model.clone(),
        ("host-model", None) => {
            let sentence =
                "host-model: libvirt makes a model of the host, see `virsh domcapabilities`";
            made.lost.push(sentence.to_owned());
            "host".to_owned()
        }
        _ => {
            let default = match domain.arch.as_deref() {
                Some("i686") => "qemu32",
                _ => "qemu64",
            };
            let note = format!("no model: {default} is what QEMU takes by itself");
            made.notes.push(note);
            default.to_owned()
        }
    }
}

fn features(
    cpu: &GuestCpu,
    map: &CpuMap,
    known: impl Fn(&str) -> bool,
    made: &mut Translated<String>,
) {
    for (name, policy) in &cpu.features {
        if NEVER_PASSED.contains(&name.as_str()) {
            made.notes
                .push(format!("{name}: libvirt passes it to no QEMU"));
            continue;
        }
        let spellings = spellings(name, map);
        let Some(own) = spellings.iter().find(|spelling| known(spelling)) else {
            made.lost.push(format!("{name}: QEMU has no such feature"));
            continue;
        };
        match policy.gives() {
            Some(on) => made.value += &format!(",{own}={}", if on { "on" } else { "off" }),
            None => made
                .lost
                .push(format!("{name}: policy optional follows the host")),
        }
    }
}

/// What libvirt turns off because its table of models counts it as gone from the model: a sentence each.
pub fn removed(cpu: &GuestCpu, map: &CpuMap) -> Vec<String> {
    let model = cpu.model.as_ref().filter(|_| !cpu.is_of_host());
    let found = model.and_then(|name| Some((name, map.models.get(name)?)));
    let Some((name, model)) = found else {
        return Vec::new();
    };
    let unnamed = |feature: &&String| cpu.features.iter().all(|(own, _)| own != *feature);
    let sentence = |feature: &String| {
        format!("libvirt adds {feature}=off: its cpu_map has {feature} as removed from {name}")
    };
    model.removed.iter().filter(unnamed).map(sentence).collect()
}

/// What libvirt compares with the host or with what QEMU gave.
fn compared(cpu: &GuestCpu, made: &mut Translated<String>) {
    match cpu.check.as_deref() {
        Some("full") => made.value += ",enforce",
        Some("partial") => made.lost.push(
            "check partial: libvirt's own comparison with the host, QEMU has none".to_owned(),
        ),
        _ => {}
    }
    if let Some(matching @ ("minimum" | "strict")) = cpu.matching.as_deref() {
        made.lost
            .push(format!("match {matching}: follows the host"));
    }
    if let Some(vendor) = &cpu.vendor {
        made.lost.push(format!(
            "vendor {vendor}: libvirt only checks that the host has it"
        ));
    }
}

#[cfg(test)]
#[path = "to_qemu_tests.rs"]
mod tests;
