//! What takes a feature from every guest of a host, or from the host itself.

use std::collections::BTreeMap;

use crate::cpuid::table::{Field, Space};
use crate::host::Found;
use crate::host::kernel::Module;
use crate::host::parameters::FEATURE_WORDS;
pub use crate::host::parameters::clearing_parameter;

/// Module, parameter, and the features that it takes when it is off (arch/x86/kvm/{vmx/vmx.c,svm/svm.c,x86.c}).
const OPTIONS: [(&str, &str, &[&str]); 14] = [
    ("kvm_intel", "nested", &["vmx"]),
    ("kvm_amd", "nested", &["svm"]),
    // Protection keys are not implemented for shadow page tables.
    ("kvm_amd", "npt", &["npt", "pku"]),
    ("kvm_intel", "ept", EPT),
    (
        "kvm_intel",
        "unrestricted_guest",
        &["vmx-unrestricted-guest"],
    ),
    ("kvm_intel", "flexpriority", &["vmx-apicv-xapic"]),
    ("kvm_amd", "nrips", &["nrip-save"]),
    ("kvm_amd", "vls", &["v-vmsave-vmload"]),
    ("kvm_amd", "vgif", &["vgif"]),
    ("kvm_amd", "vnmi", &["vnmi"]),
    ("kvm_amd", "avic", &["avic"]),
    ("kvm_intel", "pt_mode", &["intel-pt"]),
    ("kvm", "enable_pmu", &["arch-lbr", "perfctr-core", "pdcm"]),
    ("kvm_amd", "lbrv", &["lbrv"]),
];

/// What needs extended page tables: `setup_vmcs_config()` of vmx.c takes the controls out of those of the processor, and
/// `nested_vmx_setup_secondary_ctls()` of nested.c the capabilities out of those of guests.
const EPT: &[&str] = &[
    "vmx-ept",
    "vmx-unrestricted-guest",
    "vmx-pml",
    "vmx-ept-execonly",
    "vmx-page-walk-4",
    "vmx-page-walk-5",
    "vmx-ept-wb",
    "vmx-ept-2mb",
    "vmx-ept-1gb",
    "vmx-invept",
    "vmx-eptad",
    "vmx-invept-single-context",
    "vmx-invept-all-context",
    "vmx-eptp-switching",
    "pku",
];

/// The kernel's number of a CPUID feature, as `clearcpuid=293` takes it: 293 is avx2, bit 5 of word 9.
pub fn number(field: &Field) -> Option<u32> {
    if field.space != Space::Cpuid {
        return None;
    }
    let mut words = FEATURE_WORDS.iter();
    let word = words.find(|(_, leaf, subleaf, register)| {
        *leaf == field.leaf && field.subleaves.covers(*subleaf) && *register == field.register
    });
    word.map(|(word, ..)| word * 32 + u32::from(field.low))
}

/// The module option that takes the feature from guests: `kvm_intel.nested=N`.
pub fn option(modules: &BTreeMap<String, Module>, feature: &str) -> Option<String> {
    let off = |module: &str, name: &str| {
        let value = modules.get(module)?.get(name)?.value()?;
        ["N", "0"]
            .contains(&value.as_str())
            .then(|| format!("{module}.{name}={value}"))
    };
    let mut options = OPTIONS
        .iter()
        .filter(|(_, _, features)| features.contains(&feature));
    options.find_map(|(module, name, _)| off(module, name))
}

/// The value of what may not be there, for a message.
pub fn why_not<T>(found: &Found<T>) -> &str {
    match found {
        Found::Value(_) => "",
        Found::Absent => "not there",
        Found::Unreadable(reason) => reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_that_takes_a_flag_is_found() {
        let line = ["quiet", "clearcpuid=rdrand,avx2", "nosmap"].map(str::to_owned);
        assert_eq!(
            clearing_parameter(&line, "avx2", None),
            Some("clearcpuid=rdrand,avx2")
        );
        assert_eq!(clearing_parameter(&line, "smap", None), Some("nosmap"));
        assert_eq!(clearing_parameter(&line, "avx", Some(156)), None);
    }

    #[test]
    fn old_kernels_take_numbers() {
        let line = ["clearcpuid=514,293".to_owned()];
        let table = include_str!("../../../expectations/features.tsv");
        let table = crate::cpuid::table::Table::parse("features.tsv", table).expect("a table");
        let number = number(table.named("avx2").expect("a field"));
        assert_eq!(number, Some(293));
        assert_eq!(
            clearing_parameter(&line, "avx2", number),
            Some("clearcpuid=514,293")
        );
        assert_eq!(clearing_parameter(&line, "bmi2", Some(296)), None);
    }

    #[test]
    fn the_option_that_takes_a_feature_is_found() {
        let module: Module = [("nested".to_owned(), Found::Value("N".to_owned()))].into();
        let modules = [("kvm_intel".to_owned(), module)].into();
        assert_eq!(
            option(&modules, "vmx").as_deref(),
            Some("kvm_intel.nested=N")
        );
        assert_eq!(option(&modules, "svm"), None);
    }
}
