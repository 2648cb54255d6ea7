//! What a host's kernel takes from every guest.

use super::bits::Bits;
use super::catalogue::{Catalogue, Feature};
use super::facts::KernelFacts;
use crate::explain::options::{clearing_parameter, number, option};
use crate::host::HostLayer;

/// What a host's layer says of its kernel, as far as that decides what guests get.
pub fn kernel_facts(host: &HostLayer) -> KernelFacts {
    let words = host
        .kernel
        .command_line
        .value()
        .cloned()
        .unwrap_or_default();
    let modules = host.kernel.modules.iter().flat_map(|(module, parameters)| {
        let known = parameters
            .iter()
            .filter_map(|(name, value)| Some((name, value.value()?)));
        known.map(move |(name, value)| (format!("{module}.{name}"), value.clone()))
    });
    KernelFacts {
        release: host.kernel.release.value().cloned(),
        parameters: words
            .into_iter()
            .filter(|word| takes_features(word))
            .collect(),
        modules: modules.collect(),
        microcode: host.microcode.value().cloned(),
    }
}

/// What the kernel's command line, and options of KVM's modules, take from every guest.
pub fn taken(kernel: &KernelFacts, catalogue: &Catalogue) -> Bits {
    let modules = kernel.nested_modules();
    let is_taken = |feature: &Feature| {
        let flag = feature
            .field
            .aliases_of("linux")
            .next()
            .unwrap_or(&feature.name);
        let by_kernel =
            clearing_parameter(&kernel.parameters, flag, number(&feature.field)).is_some();
        by_kernel || option(&modules, &feature.name).is_some()
    };
    let numbered = catalogue.features().iter().enumerate();
    let mut taken: Bits = numbered
        .filter(|(_, feature)| is_taken(feature))
        .map(|(at, _)| at)
        .collect();
    if taken
        .iter()
        .any(|at| ["svm", "vmx"].contains(&catalogue.features()[at].name.as_str()))
    {
        taken = taken | catalogue.nested;
    }
    taken
}

/// Whether a parameter of the kernel can take features away.
fn takes_features(parameter: &str) -> bool {
    const BEGINNINGS: [&str; 14] = [
        "clearcpuid",
        "setcpuid",
        "no",
        "tsx",
        "mitigations",
        "spec",
        "pti",
        "l1tf",
        "mds",
        "mmio",
        "gather",
        "reg_file",
        "kvm",
        "dis_ucode",
    ];
    BEGINNINGS
        .iter()
        .any(|beginning| parameter.starts_with(beginning))
}
