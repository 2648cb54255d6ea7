//! Who made the processor, and which one it is.

use serde::Serialize;

use super::codenames::codename;
use super::facts::Facts;
use super::page::{Section, UNKNOWN};
use crate::cpuid::table::BRAND;
use crate::input::Cpu;

/// Brand, vendor, family, model, stepping.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Identity {
    pub brand: Option<String>,
    pub vendor: Option<String>,
    /// Extended family added.
    pub family: Option<u64>,
    /// Extended model included.
    pub model: Option<u64>,
    pub stepping: Option<u64>,
    /// EAX of leaf 1.
    pub signature: Option<u64>,
    pub codename: Option<&'static str>,
    pub microcode: Option<String>,
}

impl Identity {
    pub fn new(facts: &Facts<'_>, cpu: &Cpu) -> Identity {
        let field = |name: &str| cpu.fields.get(name).cloned();
        let number = |name: &str| field(name)?.parse().ok();
        let signature = facts.register(1, 0, 0).map(u64::from);
        let numbers = signature.map(parts);
        let mut identity = Identity {
            brand: facts.text(&BRAND).or_else(|| field("model-id")),
            vendor: facts.vendor().or_else(|| field("vendor")),
            family: numbers.map(|all| all[0]).or_else(|| number("family")),
            model: numbers.map(|all| all[1]).or_else(|| number("model")),
            stepping: numbers.map(|all| all[2]).or_else(|| number("stepping")),
            signature,
            codename: None,
            microcode: microcode(facts).or_else(|| field("microcode")),
        };
        identity.brand = identity
            .brand
            .map(|brand| brand.split_whitespace().collect::<Vec<&str>>().join(" "));
        identity.codename = identity.find_codename();
        identity
    }

    fn find_codename(&self) -> Option<&'static str> {
        let vendor = self.vendor.as_deref()?;
        codename(vendor, self.family?, self.model?, self.stepping?)
    }

    pub fn add_to(&self, section: &mut Section) {
        let brand = match self.brand.as_deref() {
            None => UNKNOWN,
            Some("") => "none (no leaves 80000002H to 80000004H)",
            Some(brand) => brand,
        };
        section.pair("Brand", brand);
        section.pair("Vendor", self.vendor.as_deref().unwrap_or(UNKNOWN));
        section.pair("Version", self.version());
        section.pair_of("Code name", self.codename);
        section.pair_of("Microcode", self.microcode.clone());
    }

    fn version(&self) -> String {
        let (Some(family), Some(model), Some(stepping)) = (self.family, self.model, self.stepping)
        else {
            return UNKNOWN.to_owned();
        };
        let signature = self.signature.map(|eax| format!(", signature {eax:08x}H"));
        let signature = signature.unwrap_or_default();
        format!("family {family:02x}h model {model:02x}h stepping {stepping}{signature}")
    }
}

/// Family, model and stepping of leaf 1 EAX. Both manuals add the extended family to family 0FH alone; Intel has an extended model for
/// family 6 too, Centaur and Zhaoxin for family 7 (SDM vol. 2 "CPUID" leaf 01H; APM vol. 3, Fn0000_0001_EAX; Linux's arch/x86/lib/cpu.c).
fn parts(eax: u64) -> [u64; 3] {
    let bits = |low: u32, width: u32| eax >> low & ((1 << width) - 1);
    let (family, model) = (bits(8, 4), bits(4, 4));
    let has_model = family >= 6;
    let extended = if family == 0xf { bits(20, 8) } else { 0 };
    let high = if has_model { bits(16, 4) << 4 } else { 0 };
    [family + extended, high | model, bits(0, 4)]
}

/// Intel has the revision in the high half of MSR 8BH, AMD the patch level in the low half (SDM vol. 4; APM vol. 2 appendix A).
fn microcode(facts: &Facts<'_>) -> Option<String> {
    let value = facts.msr(0x8b)?;
    let revision = if facts.is_amd() {
        value & u64::from(u32::MAX)
    } else {
        value >> 32
    };
    (revision != 0).then(|| format!("{revision:#x}"))
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn extended_fields_are_added_where_the_manuals_say() {
        assert_eq!(parts(0x0080_0f12), [0x17, 1, 2]);
        assert_eq!(parts(0x000c_06f2), [6, 0xcf, 2]);
        assert_eq!(parts(0x0003_07b0), [7, 0x3b, 0]);
        assert_eq!(parts(0x0000_0480), [4, 8, 0]);
        assert_eq!(parts(0x00f0_0543), [5, 4, 3]);
        assert_eq!(parts(0x00a0_0f11), [0x19, 1, 1]);
        assert_eq!(parts(0x0000_0f4a), [0xf, 4, 10]);
    }
}
