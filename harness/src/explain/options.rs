//! What takes a feature from every guest of a host, or from the host itself.

use std::collections::BTreeMap;

use crate::cpuid::table::{Field, Space};
use crate::host::Found;
use crate::host::kernel::Module;
use crate::host::parameters::FEATURE_WORDS;
pub use crate::host::parameters::clearing_parameter;

/// Module, parameter, and features or fields.
type Row = (&'static str, &'static str, &'static [&'static str]);

/// The features that a parameter takes when it is off (arch/x86/kvm/{vmx/vmx.c,svm/svm.c,x86.c}).
const OPTIONS: [Row; 17] = [
    ("kvm_intel", "nested", &["vmx", "hv-evmcs"]),
    ("kvm_amd", "nested", &["svm"]),
    // Protection keys are not implemented for shadow page tables.
    ("kvm_amd", "npt", &["npt", "pku"]),
    ("kvm_intel", "ept", EPT),
    ("kvm_intel", "eptad", &["vmx-eptad", "vmx-pml"]),
    ("kvm_intel", "vpid", VPID),
    ("kvm_intel", "enable_apicv", APICV),
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

/// What a parameter gives guests when it is on (`nested_vmx_setup_pinbased_ctls()` in arch/x86/kvm/vmx/nested.c).
const APICV: &[&str] = &["vmx-posted-intr"];

/// Fields that have another value where a parameter is off: physical addresses are not translated twice; there is no enlightened VMCS
/// for a guest's guests; a guest's memory types are those that it sets (KVM_X86_QUIRK_IGNORE_GUEST_PAT).
const VALUES: [Row; 3] = [
    ("kvm_intel", "ept", &["guest-phys-bits", "disable-quirks2"]),
    ("kvm_amd", "npt", &["guest-phys-bits", "disable-quirks2"]),
    (
        "kvm_intel",
        "nested",
        &["hv-evmcs-version-low", "hv-evmcs-version-high"],
    ),
];

/// Features that KVM makes, whatever the processor has, and what on the kernel's command line takes them: guests see that no flush of
/// the L1 data cache is needed where KVM does it for them (`kvm_get_arch_capabilities()` in arch/x86/kvm/x86.c).
const MADE_BY_KVM: [(&str, &[&str]); 1] = [(
    "skip-l1dfl-vmentry",
    &[
        "mitigations=off",
        "l1tf=off",
        "kvm-intel.vmentry_l1d_flush=never",
        "kvm_intel.vmentry_l1d_flush=never",
    ],
)];

/// What is for VPIDs (`nested_vmx_setup_secondary_ctls()`); QEMU calls one of them invept.
const VPID: &[&str] = &[
    "vmx-vpid",
    "vmx-invvpid",
    "vmx-invvpid-single-addr",
    "vmx-invvpid-single-context",
    "vmx-invvpid-all-context",
    "vmx-invept-single-context-noglobals",
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
    set_to(modules, &OPTIONS, feature, ["N", "0"])
}

/// The module option because of which a field has another value.
pub fn option_of_value(modules: &BTreeMap<String, Module>, field: &str) -> Option<String> {
    set_to(modules, &VALUES, field, ["N", "0"])
}

/// The module option that gives the feature to guests, of those that labs turn off.
pub fn turned_on(modules: &BTreeMap<String, Module>, feature: &str) -> Option<String> {
    let row = ("kvm_intel", "enable_apicv", APICV);
    set_to(modules, &[row], feature, ["Y", "1"])
}

/// The first option of a feature that has one of two values. A feature of the base of a TRUE MSR goes with that one.
fn set_to(
    modules: &BTreeMap<String, Module>,
    rows: &[Row],
    feature: &str,
    values: [&str; 2],
) -> Option<String> {
    let feature = feature.strip_suffix(".base").unwrap_or(feature);
    let is_set = |(module, name, _): &Row| {
        let value = modules.get(*module)?.get(*name)?.value()?;
        let set = values.contains(&value.as_str());
        set.then(|| format!("{module}.{name}={value}"))
    };
    let mut rows = rows.iter().filter(|row| row.2.contains(&feature));
    rows.find_map(is_set)
}

/// What on the kernel's command line takes a feature that KVM makes.
pub fn kvm_parameter<'a>(command_line: &'a [String], feature: &str) -> Option<&'a str> {
    let (_, takers) = MADE_BY_KVM.iter().find(|(name, _)| *name == feature)?;
    let mut parameters = command_line.iter().map(String::as_str);
    parameters.find(|parameter| takers.contains(parameter))
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
        let version = option_of_value(&modules, "hv-evmcs-version-low");
        assert_eq!(version.as_deref(), Some("kvm_intel.nested=N"));
        let apicv = |value: &str| {
            let module = [("enable_apicv".to_owned(), Found::Value(value.to_owned()))].into();
            let modules = [("kvm_intel".to_owned(), module)].into();
            (
                option(&modules, "vmx-posted-intr.base"),
                turned_on(&modules, "vmx-posted-intr"),
            )
        };
        let named = |value: &str| Some(format!("kvm_intel.enable_apicv={value}"));
        assert_eq!(apicv("N"), (named("N"), None));
        assert_eq!(apicv("Y"), (None, named("Y")));
    }

    #[test]
    fn what_kvm_makes_is_taken_by_a_word_of_the_command_line() {
        let line = ["quiet", "mitigations=off"].map(str::to_owned);
        let taker = kvm_parameter(&line, "skip-l1dfl-vmentry");
        assert_eq!(taker, Some("mitigations=off"));
        assert_eq!(kvm_parameter(&line[..1], "skip-l1dfl-vmentry"), None);
        assert_eq!(kvm_parameter(&line, "rdctl-no"), None);
    }
}
