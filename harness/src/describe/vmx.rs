//! VMX capability MSRs: each control that can be set, cleared, or neither, in the words of QEMU's `scripts/kvm/vmxcap`.

use serde::Serialize;

use super::facts::Facts;
use super::page::Section;

const TABLE: &str = include_str!("data/vmx.tsv");

/// An MSR, or a pair of plain and TRUE one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Capabilities {
    pub title: &'static str,
    pub msr: u32,
    pub value: u64,
    /// The MSR beside it that says which of the controls that are 1 by default may be 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub true_msr: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub true_value: Option<u64>,
    /// Of controls: what must be 1, what may be, and both by the TRUE MSR.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub halves: Option<Halves>,
    pub rows: Vec<Capability>,
}

/// A control, a bit or a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Capability {
    pub bits: &'static str,
    pub name: &'static str,
    /// `yes`: may be 0 and 1. `no`: may be 0 alone. `forced`: may be 1 alone. `default`: 1 by default, and 0 by the TRUE MSR. Or a number.
    pub value: String,
}

/// The low half of an MSR of controls has those that must be 1, its high half those that may be (SDM vol. 3, A.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Halves {
    pub must_be_1: u32,
    pub may_be_1: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub true_must_be_1: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub true_may_be_1: Option<u32>,
}

/// A control that two processors let a hypervisor set otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ControlChange {
    /// The MSR, and the TRUE one beside it.
    pub place: String,
    pub control: &'static str,
    pub a: String,
    pub b: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Controls,
    Allowed,
    Fields,
}

/// A section of the table.
struct Head {
    title: &'static str,
    kind: Kind,
    msr: u32,
    true_msr: Option<u32>,
    rows: Vec<(&'static str, &'static str)>,
}

fn heads() -> Vec<Head> {
    let mut heads: Vec<Head> = Vec::new();
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        let cells: Vec<&'static str> = line.split('\t').collect();
        match cells[..] {
            ["", bits, name] => heads
                .iter_mut()
                .last()
                .into_iter()
                .for_each(|head| head.rows.push((bits, name))),
            [title, kind, msr, true_msr] => heads.extend(head(title, kind, msr, true_msr)),
            _ => {}
        }
    }
    heads
}

fn head(title: &'static str, kind: &str, msr: &str, true_msr: &str) -> Option<Head> {
    let kind = match kind {
        "controls" => Kind::Controls,
        "allowed" => Kind::Allowed,
        "fields" => Kind::Fields,
        _ => return None,
    };
    let index = |digits| u32::from_str_radix(digits, 16).ok();
    Some(Head {
        title,
        kind,
        msr: index(msr)?,
        true_msr: index(true_msr),
        rows: Vec::new(),
    })
}

/// The MSRs that are known; none where there is no VMX.
pub fn capabilities(facts: &Facts<'_>) -> Vec<Capabilities> {
    // Its revision, or its region's size, is never 0 where there is VMX (SDM vol. 3, A.1).
    if facts.msr(0x480).is_none_or(|basic| basic == 0) {
        return Vec::new();
    }
    let heads = heads().into_iter();
    heads.filter_map(|head| of_head(facts, &head)).collect()
}

fn of_head(facts: &Facts<'_>, head: &Head) -> Option<Capabilities> {
    let value = facts.msr(head.msr)?;
    let true_value = head.true_msr.and_then(|index| facts.msr(index));
    let row = |(bits, name): &(&'static str, &'static str)| {
        let shown = match head.kind {
            Kind::Controls => control(value, true_value, low(bits)).to_owned(),
            Kind::Allowed => yes(value >> low(bits) & 1).to_owned(),
            Kind::Fields => field(value, bits),
        };
        Capability {
            bits,
            name,
            value: shown,
        }
    };
    Some(Capabilities {
        title: head.title,
        msr: head.msr,
        value,
        true_msr: true_value.and(head.true_msr),
        true_value,
        halves: (head.kind == Kind::Controls).then(|| Halves::new(value, true_value)),
        rows: head.rows.iter().map(row).collect(),
    })
}

/// A line a control, `VMX Secondary processor-based controls (MSR 48BH): Enable EPT: yes`.
pub fn lines(all: &[Capabilities]) -> Vec<String> {
    let controls = all.iter().filter(|own| own.halves.is_some());
    let lines = controls.flat_map(|own| {
        let start = format!("VMX {} ({})", own.title, own.place());
        let rows = own.rows.iter();
        rows.map(move |row| format!("{start}: {}: {}", row.name, row.value))
    });
    lines.collect()
}

impl Halves {
    fn new(value: u64, true_value: Option<u64>) -> Halves {
        Halves {
            must_be_1: half(value),
            may_be_1: half(value >> 32),
            true_must_be_1: true_value.map(half),
            true_may_be_1: true_value.map(|value| half(value >> 32)),
        }
    }

    fn add_to(self, section: &mut Section) {
        let row = |by_plain: u32, by_true: Option<u32>| match by_true {
            Some(by_true) if by_true != by_plain => {
                format!("{by_plain:#010x}, by the TRUE MSR {by_true:#010x}")
            }
            _ => format!("{by_plain:#010x}"),
        };
        section.pair("Must be 1", row(self.must_be_1, self.true_must_be_1));
        section.pair("May be 1", row(self.may_be_1, self.true_may_be_1));
    }
}

fn half(value: u64) -> u32 {
    u32::try_from(value & 0xFFFF_FFFF).unwrap_or(u32::MAX)
}

/// Controls that differ, of MSRs that both processors are known to have.
pub fn changes(a: &[Capabilities], b: &[Capabilities]) -> Vec<ControlChange> {
    let of_both = a.iter().filter_map(|own| {
        let other = b.iter().find(|other| other.msr == own.msr)?;
        own.halves.and(other.halves).map(|_| (own, other))
    });
    let changed = of_both.flat_map(|(own, other)| {
        let rows = own.rows.iter().zip(&other.rows);
        let differ = rows.filter(|(a, b)| a.value != b.value);
        differ.map(|(a, b)| ControlChange {
            place: own.place(),
            control: a.name,
            a: a.value.clone(),
            b: b.value.clone(),
        })
    });
    changed.collect()
}

fn low(bits: &str) -> u32 {
    let low = bits.rsplit(':').next().unwrap_or(bits);
    low.parse().unwrap_or(0)
}

fn yes(bit: u64) -> &'static str {
    if bit == 0 { "no" } else { "yes" }
}

/// The low half has the controls that must be 1, the high half those that may be (SDM vol. 3, A.3). One that must be 1 by the plain MSR and
/// may be both by the TRUE one is in the default1 class.
fn control(value: u64, true_value: Option<u64>, bit: u32) -> &'static str {
    let may = |value: u64| (value >> bit & 1 == 0, value >> (bit + 32) & 1 != 0);
    match (may(value), true_value.map(may)) {
        ((false, true), Some((true, true))) => "default",
        ((true, false), _) => "no",
        ((false, true), _) => "forced",
        ((true, true), _) => "yes",
        ((false, false), _) => "?",
    }
}

fn field(value: u64, bits: &str) -> String {
    let Some((high, _)) = bits.split_once(':') else {
        return yes(value >> low(bits) & 1).to_owned();
    };
    let high: u32 = high.parse().unwrap_or(0);
    let width = high - low(bits) + 1;
    let field = value >> low(bits) & u64::MAX.checked_shr(64 - width).unwrap_or(u64::MAX);
    if width > 32 {
        format!("{field:#x}")
    } else {
        field.to_string()
    }
}

/// A section an MSR; those that say which bits of CR0 and CR4 are fixed have one together.
pub fn sections(all: &[Capabilities]) -> Vec<Section> {
    let is_fixed = |capabilities: &&Capabilities| (0x486..=0x489).contains(&capabilities.msr);
    let controls = all.iter().filter(|capabilities| !is_fixed(capabilities));
    let mut sections: Vec<Section> = controls.map(Capabilities::section).collect();
    let mut fixed = Section::new("VMX: bits of CR0 and CR4 (MSRs 486H to 489H)");
    for capabilities in all.iter().filter(is_fixed) {
        fixed.pair(capabilities.title, format!("{:#x}", capabilities.value));
    }
    sections.push(fixed);
    sections
}

impl Capabilities {
    /// `MSR 48BH`, `MSRs 481H and 48DH`.
    fn place(&self) -> String {
        match self.true_msr {
            None => format!("MSR {:X}H", self.msr),
            Some(true_msr) => format!("MSRs {:X}H and {true_msr:X}H", self.msr),
        }
    }

    fn section(&self) -> Section {
        let mut section = Section::new(&format!("VMX: {} ({})", self.title, self.place()));
        if let Some(halves) = self.halves {
            halves.add_to(&mut section);
        }
        for row in &self.rows {
            section.pair(row.name, row.value.as_str());
        }
        section
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_may_be_0_or_1_or_both_and_is_default_where_only_the_true_msr_lets_it_be_0() {
        let may_be_1 = 1 << 35;
        let must_be_1 = 1 << 3;
        assert_eq!(control(0, None, 3), "no");
        assert_eq!(control(may_be_1, None, 3), "yes");
        assert_eq!(control(may_be_1 | must_be_1, None, 3), "forced");
        assert_eq!(control(may_be_1 | must_be_1, Some(may_be_1), 3), "default");
        assert_eq!(
            control(may_be_1 | must_be_1, Some(may_be_1 | must_be_1), 3),
            "forced"
        );
        assert_eq!(control(must_be_1, None, 3), "?");
    }

    #[test]
    fn every_row_of_the_table_is_read() {
        let lines = TABLE.lines().filter(|line| !line.starts_with('#')).count();
        let heads = heads();
        let rows: usize = heads.iter().map(|head| head.rows.len()).sum();
        assert_eq!(heads.len() + rows, lines);
        assert_eq!(heads.len(), 16);
        assert_eq!(field(0x00da_0400_0000_0012, "44:32"), "1024");
    }
}
