//! Check 9: flags, vmx flags and bugs in a Linux guest's /proc/cpuinfo follow from CPUID and MSRs of the same guest, or are lost for a
//! reason that is named.
//!
//! Which names a kernel knows, and which of them are bits of a register that it copies whole, the kernel's own tables tell
//! ([`Names`]). Everything else stands in `expectations/linux.tsv`.

use std::collections::BTreeSet;
use std::fmt;

use fidelity_protocol::frame::Phase;
use serde::{Deserialize, Serialize};

use super::finding::{CheckId, Finding, Kind, Layer};
use super::place::Place;
use crate::cpuid::answers::{Key, Regs};
use crate::cpuid::bit::Bit;
use crate::cpuid::dump::{Dump, Reading};
use crate::cpuid::linux_rules::{LinuxRules, RowKind};
use crate::cpuid::rule::{Atom, Truth, Vendor};
use crate::cpuid::table::{Field, Space, Table};
use crate::evidence::linux_report::LinuxReport;
use crate::host::parameters::{FEATURE_WORDS, clearing_parameter};
use crate::vmm::linux::names::Names;

/// The layer that is to blame where flags do not follow from CPUID.
pub const LAYER: Layer = Layer::GuestKernel;

/// A Linux guest, and what it is held against.
#[derive(Clone, Copy, Debug)]
pub struct Guest<'a> {
    /// What its kernel reported.
    pub report: &'a LinuxReport,
    /// CPUID and MSRs as its user space saw them.
    pub dump: &'a Dump,
    /// The kernel's own names.
    pub names: &'a Names,
    /// The feature table.
    pub table: &'a Table,
    /// The rules.
    pub rules: &'a LinuxRules,
}

/// Why a flag whose bit is set is not shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "loss", rename_all = "kebab-case")]
pub enum Loss {
    /// A word of the guest's command line takes it.
    CommandLine {
        /// `clearcpuid=avx2`.
        word: String,
    },
    /// A flag that it needs is not there.
    Needs {
        /// The other flag.
        flag: String,
    },
    /// A rule says so: an erratum, a mitigation, something that was not built.
    Rule {
        /// The rule's source.
        why: String,
    },
    /// The kernel has no name for it.
    NotKnown {
        /// `uname -r`.
        release: String,
    },
    /// Nobody says why.
    Unnamed,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Loss::CommandLine { word } => {
                write!(f, "the guest kernel's command line took it: {word}")
            }
            Loss::Needs { flag } => write!(f, "the guest's kernel takes it where {flag} is not"),
            Loss::Rule { why } => write!(f, "the guest's kernel took it: {why}"),
            Loss::NotKnown { release } => {
                write!(f, "Linux {release} has no name for it")
            }
            Loss::Unnamed => f.write_str("the guest's kernel left it out, and no rule says why"),
        }
    }
}

/// Everything that the guest's kernel shows and should not, or the other way round.
pub fn linux(guest: Guest<'_>) -> Vec<Finding> {
    let mut changes = Vec::new();
    for (number, name) in &guest.names.flags {
        changes.extend(match bit_of(*number) {
            Some(bit) => guest.copied(name, bit),
            None => guest.ruled(RowKind::Flag, name),
        });
    }
    for name in guest.names.bugs.values() {
        changes.extend(guest.ruled(RowKind::Bug, name));
    }
    for name in guest.names.vmx.values() {
        changes.extend(guest.vmx(name));
    }
    changes.extend(guest.unknown());
    changes
}

impl Guest<'_> {
    /// Whether CPUID has the bit of a flag; `None` where the flag is no bit.
    pub fn has_bit(&self, flag: &str) -> Option<bool> {
        let bit = bit_of(self.names.number(flag)?)?;
        Some(self.is_set(bit))
    }

    fn cpuid(&self, key: Key) -> Option<Regs> {
        let boot = self.dump.boot_processor()?;
        boot.phase(Phase::Enabled)?.cpuid.get(&key).copied()
    }

    pub(super) fn is_set(&self, bit: Bit) -> bool {
        self.cpuid(bit.key).is_some_and(|regs| bit.is_set(regs))
    }

    pub(super) fn shows(&self, flag: &str) -> bool {
        self.report.cpuinfo.flags.contains(flag)
    }

    /// A flag that is one bit.
    fn copied(&self, name: &str, bit: Bit) -> Option<Finding> {
        match (self.is_set(bit), self.shows(name)) {
            (true, false) => match self.loss(name) {
                Loss::Unnamed => {
                    let expected = format!("{bit} is set");
                    Some(finding(
                        Kind::Lost,
                        "flags",
                        name,
                        &expected,
                        "not shown, and no rule says why",
                    ))
                }
                _ => None,
            },
            (false, true)
                if self.rule(RowKind::Gained, name) != Some(Truth::Yes)
                    && self.rule(RowKind::Gained, name) != Some(Truth::Maybe) =>
            {
                let expected = format!("{bit} is clear");
                Some(finding(
                    Kind::Gained,
                    "flags",
                    name,
                    &expected,
                    "shown, and no rule says why",
                ))
            }
            _ => None,
        }
    }

    /// Why a flag whose bit is set is not shown.
    pub fn loss(&self, flag: &str) -> Loss {
        let number = self.names.number(flag);
        let Some(number) = number else {
            let release = self.report.release.clone();
            return Loss::NotKnown { release };
        };
        if let Some(word) =
            clearing_parameter(&self.report.command_line, flag, Some(u32::from(number)))
        {
            let word = word.to_owned();
            return Loss::CommandLine { word };
        }
        if let Some(needs) = self.rules.row(RowKind::Needs, flag)
            && self.truth(&needs.rule) == Truth::No
        {
            let missing = needs.rule.atoms().into_iter().find_map(|atom| match atom {
                Atom::Flag(other) | Atom::Feature(other) if self.ask(atom) == Truth::No => {
                    Some(other.clone())
                }
                _ => None,
            });
            return Loss::Needs {
                flag: missing.unwrap_or_default(),
            };
        }
        match self.rules.row(RowKind::Lost, flag) {
            Some(row) if self.truth(&row.rule) != Truth::No => Loss::Rule {
                why: row.source.clone(),
            },
            _ => Loss::Unnamed,
        }
    }

    /// A word of `flags` or `bugs` that a rule alone decides.
    fn ruled(&self, kind: RowKind, name: &str) -> Option<Finding> {
        let (list, shown) = match kind {
            RowKind::Bug => ("bugs", self.report.cpuinfo.bugs.contains(name)),
            _ => ("flags", self.shows(name)),
        };
        let row = match self.rules.row(kind, name) {
            Some(row) => row,
            None if shown => {
                return Some(finding(
                    Kind::Gained,
                    list,
                    name,
                    "a rule in linux.tsv",
                    "shown, and there is none",
                ));
            }
            None => return None,
        };
        let source = &row.source;
        match (self.truth(&row.rule), shown) {
            (Truth::Yes, false) if self.taken(kind, name) => None,
            (Truth::Yes, false) => Some(finding(Kind::Lost, list, name, source, "not shown")),
            (Truth::No, true) => Some(finding(
                Kind::Gained,
                list,
                name,
                &format!("not shown: {source}"),
                "shown",
            )),
            _ => None,
        }
    }

    /// Whether a flag of the kernel's own was taken by its command line, or needs another that is not there.
    fn taken(&self, kind: RowKind, name: &str) -> bool {
        kind == RowKind::Flag && self.loss(name) != Loss::Unnamed
    }

    /// A word of `vmx flags`: its MSR bit by alias, or a rule.
    fn vmx(&self, name: &str) -> Option<Finding> {
        let shown = self.report.vmx_flags().contains(name);
        let row = self.rules.row(RowKind::Vmx, name);
        let of_alias = || Some(self.feature(&of_msr(self.table, name)?.name));
        let truth = match row {
            Some(row) => self.truth(&row.rule),
            None => of_alias().unwrap_or(Truth::Maybe),
        };
        let truth = if self.shows("vmx") { truth } else { Truth::No };
        match (truth, shown) {
            (Truth::Yes, false) => Some(finding(
                Kind::Lost,
                "vmx flags",
                name,
                "its bit is set in the VMX MSRs",
                "not shown",
            )),
            (Truth::No, true) => Some(finding(
                Kind::Gained,
                "vmx flags",
                name,
                "its bit is clear in the VMX MSRs",
                "shown",
            )),
            _ => None,
        }
    }

    /// Words that the kernel's tables do not have.
    fn unknown(&self) -> Vec<Finding> {
        let lists = [
            ("flags", &self.report.cpuinfo.flags, &self.names.flags),
            ("bugs", &self.report.cpuinfo.bugs, &self.names.bugs),
            ("vmx flags", &self.report.vmx_flags(), &self.names.vmx),
        ];
        let mut changes = Vec::new();
        for (list, shown, names) in lists {
            let known: BTreeSet<&String> = names.values().collect();
            let extra = shown.iter().filter(|name| !known.contains(name));
            changes.extend(extra.map(|name| {
                finding(
                    Kind::Gained,
                    list,
                    name,
                    "a name of the kernel's own table",
                    "shown",
                )
            }));
        }
        changes
    }

    fn rule(&self, kind: RowKind, name: &str) -> Option<Truth> {
        Some(self.truth(&self.rules.row(kind, name)?.rule))
    }

    pub(super) fn truth(&self, rule: &crate::cpuid::rule::Rule) -> Truth {
        rule.truth(&|atom| self.ask(atom))
    }

    fn ask(&self, atom: &Atom) -> Truth {
        let (family, model) = self.signature();
        match atom {
            Atom::Known(truth) => *truth,
            Atom::Feature(name) => self.feature(name),
            Atom::Flag(name) => Truth::from_known(self.shows(name)),
            Atom::Bug(name) => Truth::from_known(self.report.cpuinfo.bugs.contains(name)),
            Atom::Vendor(vendor) => Truth::from_known(self.vendor() == Some(*vendor)),
            Atom::Family(first, last) => Truth::from_known((*first..=*last).contains(&family)),
            Atom::Model(spans) => {
                let within = spans
                    .iter()
                    .any(|(first, last)| (*first..=*last).contains(&model));
                Truth::from_known(within)
            }
            Atom::Kernel(major, minor) => {
                Truth::from_known(self.report.version() >= (*major, *minor))
            }
            Atom::Word(word) => Truth::from_known(self.report.command_line.contains(word)),
            Atom::Topology => {
                let level = self.cpuid(Key::new(0xB, 0));
                Truth::from_known(level.is_some_and(|regs| regs[1] != 0))
            }
            Atom::Stepping(first, last) => {
                let eax = self.cpuid(Key::new(1, 0)).map_or(0, |regs| regs[0]);
                Truth::from_known((*first..=*last).contains(&(eax & 0xF)))
            }
            Atom::Level(least) => {
                let last = self.cpuid(Key::new(0, 0)).map_or(0, |regs| regs[0]);
                Truth::from_known(last >= *least)
            }
        }
    }

    /// Whether the bits of a name of the feature table are not 0. Of an MSR that was not read nobody knows.
    fn feature(&self, name: &str) -> Truth {
        let Some(field) = self.table.named(name) else {
            return Truth::Maybe;
        };
        match field.space {
            Space::Msr => match self.msr(field.leaf) {
                Some(Reading::Value(value)) => Truth::from_known(value & field.mask() != 0),
                Some(Reading::Fault(_)) => Truth::No,
                None => Truth::Maybe,
            },
            Space::Cpuid | Space::HyperV => {
                let subleaf = (0..64).find(|subleaf| field.subleaves.covers(*subleaf));
                let regs = self.cpuid(Key::new(field.leaf, subleaf.unwrap_or(0)));
                let register = regs.map_or(0, |regs| regs[usize::from(field.register)]);
                Truth::from_known(u64::from(register) & field.mask() != 0)
            }
        }
    }

    fn msr(&self, index: u32) -> Option<Reading> {
        let boot = self.dump.boot_processor()?;
        boot.phase(Phase::Msrs)?.msrs.get(&index).copied()
    }

    fn vendor(&self) -> Option<Vendor> {
        let [_, ebx, ecx, edx] = self.cpuid(Key::new(0, 0))?;
        Vendor::from_letters(&[ebx, edx, ecx].map(u32::to_le_bytes).concat())
    }

    /// Family and model (SDM vol. 2, "CPUID", version information).
    fn signature(&self) -> (u32, u32) {
        let eax = self.cpuid(Key::new(1, 0)).map_or(0, |regs| regs[0]);
        let (family, model) = (eax >> 8 & 0xF, eax >> 4 & 0xF);
        let whole = match family {
            0xF => family + (eax >> 20 & 0xFF),
            _ => family,
        };
        match whole {
            6 | 0xF.. => (whole, model | eax >> 12 & 0xF0),
            _ => (whole, model),
        }
    }
}

/// Words of a kernel's own tables that the feature table or the rules lack, or have at another place.
pub fn unknown_names(names: &Names, table: &Table, rules: &LinuxRules) -> Vec<String> {
    let mut wrong = Vec::new();
    for (number, name) in &names.flags {
        let known = match bit_of(*number) {
            Some(bit) => {
                let field = bit.field(table);
                field.is_some_and(|field| field.aliases_of("linux").any(|alias| alias == name))
            }
            None => rules.row(RowKind::Flag, name).is_some(),
        };
        if !known {
            wrong.push(match bit_of(*number) {
                Some(bit) => format!("flags {name}: no alias of {bit} in features.tsv"),
                None => format!("flags {name}: no rule in linux.tsv"),
            });
        }
    }
    let bugs = names.bugs.values();
    let bugs = bugs.filter(|name| rules.row(RowKind::Bug, name).is_none());
    wrong.extend(bugs.map(|name| format!("bugs {name}: no rule in linux.tsv")));
    let vmx = names.vmx.values();
    let vmx =
        vmx.filter(|name| rules.row(RowKind::Vmx, name).is_none() && of_msr(table, name).is_none());
    wrong.extend(vmx.map(|name| format!("vmx flags {name}: neither an alias nor a rule")));
    wrong
}

/// The VMX capability that a word of `vmx flags` stands for.
fn of_msr<'a>(table: &'a Table, name: &str) -> Option<&'a Field> {
    let mut fields = table.fields().iter();
    fields.find(|field| {
        let vmx = field.space == Space::Msr && (0x480..=0x493).contains(&field.leaf);
        vmx && field.aliases_of("linux").any(|alias| alias == name)
    })
}

/// The CPUID bit that a flag's number stands for; `None` for a word of the kernel's own.
fn bit_of(number: u16) -> Option<Bit> {
    let (index, bit) = (u32::from(number / 32), (number % 32) as u8);
    let word = FEATURE_WORDS.iter().find(|(word, ..)| *word == index)?;
    let (_, leaf, subleaf, register) = *word;
    Some(Bit {
        key: Key::new(leaf, subleaf),
        register,
        bit,
    })
}

fn finding(kind: Kind, list: &str, name: &str, expected: &str, actual: &str) -> Finding {
    Finding::new(CheckId::Linux, kind, name, expected, actual, LAYER).at(Place::of_cpuinfo(list))
}

#[cfg(test)]
#[path = "linux_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "linux_rows_tests.rs"]
mod rows_tests;
