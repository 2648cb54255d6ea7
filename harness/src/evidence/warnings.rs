//! What QEMU says on stderr about features it cannot give (`mark_unavailable_features` in target/i386/cpu.c), in all the
//! spellings of QEMU 5.2 to 11.1:
//!
//! ```text
//! warning: TCG doesn't support requested feature: CPUID.07H:EBX.avx2 [bit 5]
//! warning: TCG doesn't support requested feature: CPUID[eax=07h,ecx=00h].EBX.avx512f [bit 16]
//! warning: host doesn't support requested feature: MSR(48EH).vmx-mtf [bit 27]
//! warning: TCG doesn't support requested feature: avx10.2.
//! warning: this feature conflicts with APX: CPUID[eax=07h,ecx=00h].EBX.mpx [bit 14]
//! ```

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::cpuid::bit::{below, below_if_any};

/// A feature that a warning speaks of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Warned {
    /// CPUID leaf, or MSR index.
    pub leaf: u32,
    /// Subleaf, where the spelling tells it (QEMU 5.2 to 7.1 do not).
    pub subleaf: Option<u32>,
    /// 0 to 3 for EAX to EDX, `None` for an MSR.
    #[serde(default, deserialize_with = "below_if_any::<4, _>")]
    pub register: Option<u8>,
    /// Bit of the register or MSR.
    #[serde(deserialize_with = "below::<64, _>")]
    pub bit: u8,
    /// QEMU's name, empty for a bit that it has no name for.
    pub name: String,
}

/// All that QEMU said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warnings {
    /// Features that it cannot give.
    pub features: BTreeSet<Warned>,
    /// Capabilities that are no single bit: `avx10.2`, the version of AVX10 that the model asks for (QEMU 10.1 and later).
    pub capabilities: BTreeSet<String>,
    /// Features that the user asked for and that need others that are not there (`feature_dependencies`).
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub dependent: BTreeSet<Warned>,
    /// Features that go with no guest that has another one, and what QEMU calls that one: `APX` (QEMU 11.1 and later).
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub conflicts: BTreeSet<(Warned, String)>,
    /// Lines that are nothing known: reported, never dropped.
    pub unknown: Vec<String>,
}

const MARK: &str = "requested feature: ";
const DEPENDENT: &str = "depends on other features that were not requested: ";

const CONFLICT: &str = "this feature conflicts with ";

/// Lines that say something, but not of one feature.
const KNOWN: [&str; 5] = [
    // With `enforce`, after the list of features.
    "doesn't support requested features",
    // `query-cpu-definitions` and deprecated models or machine types.
    "is deprecated",
    // KVM: a CPU model of another vendor.
    "will not be available",
    // More vCPUs than the host has processors (kvm_init in accel/kvm/kvm-all.c).
    "exceeds the recommended cpus supported by KVM",
    // A build without firmware: the option ROM that Windows XP's task priority needs (rom_add_option in hw/core/loader.c).
    "kvmvapic.bin",
];

impl Warnings {
    /// Reads stderr.
    pub fn read(stderr: &str) -> Warnings {
        let mut warnings = Warnings::default();
        for line in stderr.lines().filter(|line| !line.trim().is_empty()) {
            let behind = |mark| line.split_once(mark).map(|(_, feature)| feature);
            if let Some(feature) = behind(DEPENDENT).and_then(Warned::read) {
                warnings.dependent.insert(feature);
                continue;
            }
            if let Some(conflict) = behind(CONFLICT).and_then(conflict) {
                warnings.conflicts.insert(conflict);
                continue;
            }
            let feature = behind(MARK);
            if let Some(feature) = feature.and_then(Warned::read) {
                warnings.features.insert(feature);
            } else if let Some(capability) = feature.and_then(capability) {
                warnings.capabilities.insert(capability);
            } else if feature.is_some() || !KNOWN.iter().any(|known| line.contains(known)) {
                warnings.unknown.push(line.to_owned());
            }
        }
        warnings
    }
}

impl Warned {
    /// The bit of the MSR that it speaks of. QEMU counts VMX controls from 0, and the half of their MSR that says what may be 1 starts at
    /// bit 32 (`feature_word_info`, and make_vmx_msr_value in target/i386/kvm/kvm.c; measured: `MSR(48BH).vmx-ple [bit 10]` is bit 42).
    pub fn msr_bit(&self) -> Option<u8> {
        let controls = matches!(self.leaf, 0x481..=0x484 | 0x48B | 0x48D..=0x490);
        let first = if controls { 32 } else { 0 };
        (self.register.is_none() && self.bit < 64 - first).then_some(self.bit + first)
    }

    /// Reads `CPUID.07H:EBX.avx2 [bit 5]` and its later spellings.
    fn read(text: &str) -> Option<Warned> {
        let (place, bit) = text.trim_end().strip_suffix(']')?.rsplit_once(" [bit ")?;
        let bit = bit.parse().ok().filter(|bit| *bit < 64)?;
        if let Some(rest) = place.strip_prefix("MSR(") {
            let (index, name) = rest.split_once(')')?;
            return Some(Warned {
                leaf: hex(index)?,
                subleaf: None,
                register: None,
                bit,
                name: name.trim_start_matches('.').to_owned(),
            });
        }
        let rest = place.strip_prefix("CPUID")?;
        let (leaf, subleaf, rest) = match rest.strip_prefix('[') {
            Some(rest) => {
                let (inputs, rest) = rest.split_once("].")?;
                let mut inputs = inputs.split(',');
                let leaf = hex(inputs.next()?.strip_prefix("eax=")?)?;
                let subleaf = match inputs.next() {
                    Some(ecx) => Some(hex(ecx.strip_prefix("ecx=")?)?),
                    None => None,
                };
                (leaf, subleaf, rest)
            }
            None => {
                let (leaf, rest) = rest.strip_prefix('.')?.split_once(':')?;
                (hex(leaf)?, None, rest)
            }
        };
        let (register, name) = rest.split_once('.').unwrap_or((rest, ""));
        let registers = ["EAX", "EBX", "ECX", "EDX"];
        let register = registers.iter().position(|known| *known == register)?;
        Some(Warned {
            leaf,
            subleaf,
            register: u8::try_from(register).ok(),
            bit,
            name: name.to_owned(),
        })
    }
}

/// `APX: CPUID[eax=07h,ecx=00h].EBX.mpx [bit 14]`.
fn conflict(text: &str) -> Option<(Warned, String)> {
    let (with, feature) = text.split_once(": ")?;
    Some((Warned::read(feature)?, with.to_owned()))
}

/// `avx10.2.`: a name with a version, and no bit.
fn capability(text: &str) -> Option<String> {
    let name = text.trim().strip_suffix('.')?;
    let version = name.strip_prefix("avx10.")?;
    version.parse::<u8>().ok().map(|_| name.to_owned())
}

/// `07H`, `07h` or `8000000Ah`.
fn hex(text: &str) -> Option<u32> {
    u32::from_str_radix(text.trim_end_matches(['h', 'H']), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(text: &str) -> Warned {
        let warnings = Warnings::read(&format!("qemu-system-x86_64: warning: {text}"));
        assert!(warnings.unknown.is_empty(), "{warnings:?}");
        warnings.features.into_iter().next().expect("a feature")
    }

    #[test]
    fn the_old_spelling_has_no_subleaf() {
        let warned = only("TCG doesn't support requested feature: CPUID.07H:EBX.avx2 [bit 5]");
        assert_eq!(
            (warned.leaf, warned.subleaf, warned.register, warned.bit),
            (7, None, Some(1), 5)
        );
        assert_eq!(warned.name, "avx2");
    }

    #[test]
    fn a_feature_that_needs_another_is_told_apart() {
        let line = "warning: This feature depends on other features that were not requested: CPUID.8000000AH:EDX.npt [bit 0]";
        let warnings = Warnings::read(line);
        assert!(warnings.features.is_empty() && warnings.unknown.is_empty());
        let names: Vec<_> = warnings
            .dependent
            .iter()
            .map(|warned| &warned.name)
            .collect();
        assert_eq!(names, ["npt"]);
    }

    #[test]
    fn a_feature_that_conflicts_with_another_is_no_lack_of_support() {
        let line =
            "warning: this feature conflicts with APX: CPUID[eax=07h,ecx=00h].EBX.mpx [bit 14]";
        let warnings = Warnings::read(line);
        assert!(warnings.features.is_empty() && warnings.unknown.is_empty());
        let mut conflicts = warnings.conflicts.iter();
        let (warned, with) = conflicts.next().expect("a conflict");
        assert_eq!(
            (warned.name.as_str(), warned.bit, with.as_str()),
            ("mpx", 14, "APX")
        );
    }

    #[test]
    fn the_new_spelling_has_one() {
        let warned = only(
            "TCG doesn't support requested feature: CPUID[eax=0Dh,ecx=01h].EAX.xsavec [bit 1]",
        );
        assert_eq!(
            (warned.leaf, warned.subleaf, warned.register, warned.bit),
            (0xD, Some(1), Some(0), 1)
        );
    }

    #[test]
    fn msr_features_and_nameless_bits_are_read() {
        let warned = only("host doesn't support requested feature: MSR(48EH).vmx-mtf [bit 27]");
        assert_eq!(
            (warned.leaf, warned.register, warned.name.as_str()),
            (0x48E, None, "vmx-mtf")
        );
        assert_eq!((warned.bit, warned.msr_bit()), (27, Some(59)));
        let whole =
            only("host doesn't support requested feature: MSR(48CH).vmx-page-walk-5 [bit 7]");
        assert_eq!((whole.bit, whole.msr_bit()), (7, Some(7)));
        let warned =
            only("host doesn't support requested feature: CPUID[eax=80000001h].EDX [bit 3]");
        assert_eq!(warned.msr_bit(), None);
        assert_eq!((warned.leaf, warned.name.as_str()), (0x8000_0001, ""));
    }

    #[test]
    fn a_version_of_avx10_is_a_capability() {
        let warnings = Warnings::read("warning: TCG doesn't support requested feature: avx10.2.");
        assert_eq!(
            warnings.capabilities.into_iter().collect::<Vec<_>>(),
            ["avx10.2"]
        );
        assert!(warnings.unknown.is_empty());
    }

    #[test]
    fn an_option_rom_that_is_not_installed_says_nothing_of_the_guest() {
        for line in [
            "Could not open option rom 'kvmvapic.bin': No such file or directory",
            "rom: file kvmvapic.bin        : error Failed to open file “kvmvapic.bin”: No such file or directory",
        ] {
            assert_eq!(Warnings::read(line), Warnings::default());
        }
    }

    #[test]
    fn an_unknown_line_is_kept() {
        let line = "qemu-system-x86_64: warning: feature avx2 went away";
        assert_eq!(Warnings::read(line).unknown, [line]);
    }

    #[test]
    fn a_feature_that_cannot_be_read_is_unknown() {
        let line = "warning: host doesn't support requested feature: LEAF 7 bit five";
        assert_eq!(Warnings::read(line).unknown, [line]);
    }
}
