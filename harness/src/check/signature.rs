//! Vendor, signature and brand string are of one CPU: what a table contradicts that was put together from two processors.
//!
//! For a dump of which nobody knows what was promised; a guest of a case is compared with its promise (check `identity`), which holds more.
//! Sources: SDM vol. 2 "CPUID", leaves 01H and 80000001H; APM vol. 3 appendix E, Fn0000_0001, Fn8000_0000, Fn8000_0001; AMD's revision
//! guides, which have no extended model in family 6 and long mode from family 0FH on (BKDG 26094); max_x86_cpu_initfn in QEMU's
//! target/i386/cpu.c, whose brand string of TCG no KVM guest has.

use super::finding::{CheckId, Finding, Kind, Layer};
use super::place::{BitRange, CpuidState, Location, Place};
use super::view::{Rule, View};
use crate::check::bits::Register;
use crate::cpuid::answers::Key;
use crate::cpuid::dump::Dump;
use crate::cpuid::hypervisor::{BASE, Hypervisor};
use crate::cpuid::table::Table;

/// Vendors, and the word by which brand strings name them.
const BRANDS: [(&str, &str); 3] = [
    ("GenuineIntel", "Intel"),
    ("AuthenticAMD", "AMD"),
    ("HygonGenuine", "Hygon"),
];
/// Families that AMD alone has made, but for 12H, which is Intel's too.
const OF_AMD: [u32; 8] = [0x10, 0x11, 0x14, 0x15, 0x16, 0x17, 0x19, 0x1A];
/// The first leaf of AMD's range.
const EXTENDED: u32 = 0x8000_0000;

/// Everything in which the boot processor is of two CPUs.
pub fn signature(dump: &Dump, layer: Layer, table: &Table) -> Vec<Finding> {
    let boot = dump.boot_processor();
    let Some(view) = boot.and_then(|boot| View::of_vcpu(boot, table)) else {
        return Vec::new();
    };
    let rule = Rule {
        check: CheckId::Signature,
        layer,
        table,
    };
    if view.regs(0, 0).is_none() {
        return Vec::new();
    }
    let rules = [
        ext_vendor,
        ext_signature,
        family,
        brand,
        brand_of_tcg,
        counters,
    ];
    rules
        .iter()
        .filter_map(|judge| judge(&view, &rule))
        .collect()
}

/// Leaf 80000000H repeats the vendor, or has none.
fn ext_vendor(view: &View<'_>, rule: &Rule<'_>) -> Option<Finding> {
    let regs = view.regs(EXTENDED, 0).filter(|regs| regs[0] >= EXTENDED)?;
    let seen = crate::host::kind::vendor(regs);
    let vendor = view.vendor();
    (regs[1..] != [0; 3] && seen != vendor).then(|| {
        let expected = format!("ext-vendor = \"{vendor}\", as CPUID.00H has it");
        let actual = format!("ext-vendor = \"{seen}\"");
        let finding = rule.finding(Kind::Changed, "ext-vendor", expected, actual);
        finding.at(Place::of_leaf(Key::new(EXTENDED, 0)))
    })
}

/// On AMD's processors from family 0FH on, 80000001H:EAX is 01H:EAX again.
fn ext_signature(view: &View<'_>, rule: &Rule<'_>) -> Option<Finding> {
    let ([first, ..], [again, ..]) = (view.regs(1, 0)?, view.regs(EXTENDED + 1, 0)?);
    let extended = |eax: u32| eax >> 8 & 0xF == 0xF;
    let bound = view.is_amd() && (extended(first) || extended(again));
    (bound && first != again).then(|| {
        let expected = format!("{first:#x}, the signature of CPUID.01H");
        let finding = rule.finding(
            Kind::Changed,
            "ext-signature",
            expected,
            format!("{again:#x}"),
        );
        finding.at(signature_of(EXTENDED + 1))
    })
}

/// A family that the vendor has never made, or not with what else is there.
fn family(view: &View<'_>, rule: &Rule<'_>) -> Option<Finding> {
    let [eax, ..] = view.regs(1, 0)?;
    let (base, model) = (eax >> 8 & 0xF, eax >> 4 & 0xF | (eax >> 16 & 0xF) << 4);
    let family = if base == 0xF {
        base + (eax >> 20 & 0xFF)
    } else {
        base
    };
    let vendor = view.vendor();
    let expected = if view.is_amd() && base == 6 && model > 0xF {
        format!("a family of {vendor}'s: family 6 has no extended model there, as Intel's has")
    } else if view.is_amd() && base < 0xF && view.has("lm") {
        format!("a family of {vendor}'s with long mode: 15 or higher")
    } else if vendor == "GenuineIntel" && OF_AMD.contains(&family) {
        format!("a family of {vendor}'s: {family} is AMD's")
    } else {
        return None;
    };
    let actual = format!("family {family}, model {model}");
    let finding = rule.finding(Kind::Changed, "signature", expected, actual);
    Some(finding.at(signature_of(1)))
}

/// All of EAX of a leaf.
fn signature_of(leaf: u32) -> Place {
    let all = BitRange { high: 31, low: 0 };
    Location::Cpuid {
        state: CpuidState::Reset,
        key: Key::new(leaf, 0),
        bits: Some((Register::Eax, all)),
    }
    .into()
}

/// A brand string that names another vendor.
fn brand(view: &View<'_>, rule: &Rule<'_>) -> Option<Finding> {
    let (text, vendor) = (brand_string(view)?, view.vendor());
    let mut names = BRANDS.iter();
    let own = names.clone().any(|(known, _)| *known == vendor);
    let (_, foreign) = names.find(|(known, name)| *known != vendor && named(&text, name))?;
    own.then(|| {
        about_brand(
            rule,
            format!("a brand string of {vendor}'s, not {foreign}'s"),
            &text,
        )
    })
}

/// `Intel(R)` is Intel's name, `AMDuron` nobody's.
fn named(text: &str, name: &str) -> bool {
    let mut words = text.split(|letter: char| !letter.is_ascii_alphanumeric());
    words.any(|word| word == name)
}

/// A KVM guest does not have the brand string of TCG.
fn brand_of_tcg(view: &View<'_>, rule: &Rule<'_>) -> Option<Finding> {
    let text = brand_string(view)?;
    let hypervisor = Hypervisor::from_signature(view.regs(BASE, 0));
    let of_tcg = text.starts_with("QEMU TCG CPU") && hypervisor == Hypervisor::Kvm;
    of_tcg.then(|| {
        about_brand(
            rule,
            "a brand string of the host's or a model's, under KVM",
            &text,
        )
    })
}

fn about_brand(rule: &Rule<'_>, expected: impl std::fmt::Display, text: &str) -> Finding {
    let actual = format!("model-id = \"{text}\"");
    let finding = rule.finding(Kind::Changed, "model-id", expected, actual);
    finding.at(Place::of_leaf(Key::new(EXTENDED + 2, 0)))
}

fn brand_string(view: &View<'_>) -> Option<String> {
    let leaves = [2, 3, 4].map(|leaf| view.regs(EXTENDED + leaf, 0));
    let words = leaves.into_iter().collect::<Option<Vec<_>>>()?;
    let bytes: Vec<u8> = words
        .into_iter()
        .flatten()
        .flat_map(u32::to_le_bytes)
        .collect();
    let end = bytes
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(bytes.len());
    Some(bytes[..end].escape_ascii().to_string().trim().to_owned())
}

/// Architectural performance monitoring, leaf 0AH, is Intel's; AMD reserves the leaf.
fn counters(view: &View<'_>, rule: &Rule<'_>) -> Option<Finding> {
    let version = view.value("pmu-version").filter(|version| *version != 0)?;
    view.is_amd().then(|| {
        let expected = format!("0 on {}: leaf 0AH is Intel's", view.vendor());
        rule.field_differs(
            "pmu-version",
            0,
            expected,
            format!("pmu-version = {version}"),
        )
    })
}

#[cfg(test)]
#[path = "signature_tests.rs"]
mod tests;
