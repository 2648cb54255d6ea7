//! The part of check 9 that is about AT_HWCAP and AT_HWCAP2, by which libraries choose their code: they follow from what the kernel shows.

use super::bits::Register;
use super::finding::{CheckId, Finding, Kind};
use super::linux::{Guest, LAYER};
use super::place::Place;
use crate::cpuid::answers::Key;
use crate::cpuid::bit::Bit;
use crate::cpuid::linux_rules::RowKind;
use crate::cpuid::rule::Truth;

/// AT_HWCAP is the kernel's copy of CPUID.01H:EDX (ELF_HWCAP in arch/x86/include/asm/elf.h).
const COPIED: u8 = 32;
/// Bits of AT_HWCAP2 (arch/x86/include/uapi/asm/hwcap2.h); when each is set is a rule.
const NAMES: [(u8, &str); 2] = [(0, "ring3mwait"), (1, "fsgsbase")];

/// What the two words have and should not, or the other way round; nothing of a guest that did not report them.
pub fn auxiliary_vector(guest: Guest<'_>) -> Vec<Finding> {
    let first = guest.report.hwcap.into_iter();
    let second = guest.report.hwcap2.into_iter();
    let bits = |word: u64| (0..64u8).map(move |bit| (bit, word >> bit & 1 == 1));
    let first = first.flat_map(bits);
    let second = second.flat_map(bits);
    let mut found: Vec<Finding> = first
        .filter_map(|(bit, is_set)| guest.of_hwcap(bit, is_set))
        .collect();
    found.extend(second.filter_map(|(bit, is_set)| guest.of_hwcap2(bit, is_set)));
    found
}

impl Guest<'_> {
    fn of_hwcap(&self, bit: u8, is_set: bool) -> Option<Finding> {
        let of_cpuid = Bit {
            key: Key::new(1, 0),
            register: Register::Edx as u8,
            bit,
        };
        let name = self.names.flags.get(&u16::from(bit));
        let (due, why) = match name {
            _ if bit >= COPIED => (false, "32 bits of CPUID.01H:EDX".to_owned()),
            Some(name) if self.shows(name) => (true, format!("the kernel shows {name}")),
            Some(name) => (false, format!("the kernel does not show {name}")),
            None => (self.is_set(of_cpuid), format!("as {of_cpuid}")),
        };
        if due == is_set {
            return None;
        }
        let name = name.cloned().unwrap_or_else(|| format!("bit {bit}"));
        let found = finding("AT_HWCAP", &name, &why, is_set);
        Some(if bit < COPIED {
            found.at(of_cpuid)
        } else {
            found
        })
    }

    fn of_hwcap2(&self, bit: u8, is_set: bool) -> Option<Finding> {
        let known = NAMES.iter().find(|(known, _)| *known == bit);
        let Some((_, name)) = known else {
            let name = format!("bit {bit}");
            return is_set.then(|| finding("AT_HWCAP2", &name, "no bit that Linux has", true));
        };
        let row = self.rules.row(RowKind::Hwcap2, name)?;
        let due = match self.truth(&row.rule) {
            Truth::Yes => true,
            Truth::No => false,
            Truth::Maybe => return None,
        };
        (due != is_set).then(|| {
            let found = finding("AT_HWCAP2", name, &row.source, is_set);
            found.at(Place::of_cpuinfo("flags"))
        })
    }
}

fn finding(word: &str, name: &str, why: &str, is_set: bool) -> Finding {
    let (kind, actual) = if is_set {
        (Kind::Gained, format!("set in {word}"))
    } else {
        (Kind::Lost, format!("clear in {word}"))
    };
    Finding::new(CheckId::Linux, kind, name, why, actual, LAYER)
}

#[cfg(test)]
mod tests {
    use fidelity_protocol::frame::Phase;

    use super::*;
    use crate::check::fixture::{answer, dump, sentences, table, vcpu};
    use crate::cpuid::LinuxRules;
    use crate::evidence::LinuxReport;
    use crate::vmm::linux::names::Names;

    /// What is found in a guest of Linux 6.12 that shows SSE2, CPUID.01H:EDX[26], and these flags, with these two words.
    fn found(hwcap: Option<u64>, hwcap2: Option<u64>, flags: &[&str]) -> Vec<String> {
        let mut report = LinuxReport {
            release: "6.12.1".to_owned(),
            hwcap,
            hwcap2,
            ..LinuxReport::default()
        };
        let flags = flags.iter().chain(&["sse2"]);
        report.cpuinfo.flags = flags.map(|flag| (*flag).to_owned()).collect();
        let mut boot = vcpu(0, &[]);
        answer(&mut boot, Phase::Enabled, &[(1, 0, [0, 0, 0, 1 << 26])]);
        let table = table();
        let text = include_str!("../../../expectations/linux.tsv");
        let knows = |name: &str| table.named(name).is_some();
        let names = [(26, "sse2"), (288, "fsgsbase"), (110, "ring3mwait")];
        let flags = names.map(|(number, name)| (number, name.to_owned()));
        sentences(&auxiliary_vector(Guest {
            report: &report,
            dump: &dump(vec![boot]),
            names: &Names {
                flags: flags.into(),
                ..Names::default()
            },
            table: &table,
            rules: &LinuxRules::parse("linux.tsv", text, knows).expect("the rules"),
        }))
    }

    #[test]
    fn the_first_word_is_what_the_kernel_shows_of_cpuid_1_edx() {
        assert_eq!(found(None, None, &[]), Vec::<String>::new());
        assert_eq!(found(Some(1 << 26), None, &[]), Vec::<String>::new());
        assert_eq!(
            found(Some(0), None, &[]),
            ["linux: lost sse2 CPUID.01H.00H:EDX[26]: the kernel shows sse2; clear in AT_HWCAP"]
        );
        assert_eq!(
            found(Some(1 << 26 | 1 << 10 | 1 << 40), None, &[]),
            [
                "linux: gained bit 10 CPUID.01H.00H:EDX[10]: as CPUID.01H.00H:EDX[10]; set in AT_HWCAP",
                "linux: gained bit 40 : 32 bits of CPUID.01H:EDX; set in AT_HWCAP"
            ]
        );
    }

    #[test]
    fn the_second_word_follows_its_rules() {
        let shown = &["fsgsbase"];
        assert_eq!(found(None, Some(2), shown), Vec::<String>::new());
        assert_eq!(found(None, Some(0), &[]), Vec::<String>::new());
        for (word, flags, kind) in [
            (0, &shown[..], "lost fsgsbase"),
            (2, &[], "gained fsgsbase"),
            (1, &[], "gained ring3mwait"),
            (4, &[], "gained bit 2"),
        ] {
            let all = found(None, Some(word), flags);
            assert_eq!(all.len(), 1, "{all:?}");
            assert!(all[0].contains(kind), "{all:?}");
        }
    }

    #[test]
    fn each_bit_of_either_word_is_missed_when_it_is_turned() {
        for bit in 0..64 {
            let turned = found(Some(1 << 26 ^ 1 << bit), None, &[]);
            assert_eq!(turned.len(), 1, "bit {bit}: {turned:?}");
            assert_eq!(found(None, Some(1 << bit), &[]).len(), 1, "bit {bit}");
        }
    }
}
