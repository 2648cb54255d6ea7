//! A measurement as text, a line a property, and read back: what several machines showed can be put together. Cells are apart by a tab.
//!
//! ```text
//! # under KVM: qemu-11.1, linux-7.3, bochs-3.0:arrow_lake
//! qemu-11.1  vmx-ept  MSR.48BH[33] MSR.48BH[39]
//! qemu-11.1  vmx-ple  refused: MSR.48BH[42]
//! qemu-11.1  vmx-exit-nosave-debugctl  clears: MSR.48FH[2]
//! qemu-11.1  migratable  -
//! ```

use std::collections::BTreeSet;

use super::measure::{Catalogue, Evidence, Moved};
use crate::check::place::{CpuidState, Location, Place};
use crate::cpuid::bit::Bit;
use crate::cpuid::table::{Space, Table};
use crate::explain::place::At;
use crate::util::order::release;
use crate::util::printable::line;

/// How cells start that are no list of bits that follow the property.
const HOW: [(&str, Evidence); 2] = [
    ("refused: ", Evidence::Refusal),
    ("clears: ", Evidence::Cleared),
];
const ERROR: &str = "ERROR ";
/// How the comments start that say what follows was measured under KVM.
const UNDER_KVM: &str = "# under KVM: ";

/// A QEMU's measurement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurement {
    /// The QEMU's label, `qemu-11.1`.
    pub label: String,
    /// Its release.
    pub release: (u32, u32),
    /// What its properties move.
    pub catalogue: Catalogue,
}

/// A line that is no line of a measurement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct LineError {
    /// From 1.
    pub line: usize,
    /// What is wrong.
    pub problem: String,
}

impl Measurement {
    /// As text; `place` is the machine, which stands in a comment where it is KVM's.
    pub fn text(&self, place: &str) -> String {
        let mut text = String::new();
        if self.catalogue.space == Space::Msr {
            text.push_str(&format!(
                "{UNDER_KVM}{}, {}\n",
                line(&self.label),
                line(place)
            ));
        }
        for (property, moved) in &self.catalogue.moved {
            text.push_str(&self.line(property, &moved.cell()));
        }
        for (property, reason) in &self.catalogue.broken {
            text.push_str(&self.line(property, &format!("{ERROR}{}", line(reason))));
        }
        text
    }

    fn line(&self, property: &str, cell: &str) -> String {
        format!("{}\t{}\t{cell}\n", self.label, line(property))
    }
}

impl Measurement {
    /// Takes for left out what the table has and no line is of: a recording may be of some properties.
    pub fn leave_out(&mut self, table: &Table) {
        let Catalogue {
            moved,
            broken,
            left_out,
            ..
        } = &mut self.catalogue;
        let names = table.fields().iter().map(|field| &field.name);
        let without =
            names.filter(|name| !moved.contains_key(*name) && !broken.contains_key(*name));
        left_out.extend(without.cloned());
    }
}

impl Moved {
    fn cell(&self) -> String {
        if self.bits.is_empty() {
            return "-".to_owned();
        }
        let bits: Vec<String> = self.bits.iter().map(|bit| bit.place()).collect();
        let how = HOW.iter().find(|(_, own)| *own == self.evidence);
        let how = how.map_or("", |(how, _)| how);
        format!("{how}{}", bits.join(" "))
    }
}

/// The measurements of a text, in its order: lines of one QEMU that follow one another are one. What has no line was not measured.
///
/// # Errors
/// The first line that is none of a measurement.
pub fn read(text: &str) -> Result<Vec<Measurement>, LineError> {
    let mut all: Vec<Measurement> = Vec::new();
    let mut space = Space::Cpuid;
    let mut starts = true;
    for (index, row) in text.lines().enumerate() {
        if row.starts_with('#') || row.is_empty() {
            if row.starts_with(UNDER_KVM) {
                (space, starts) = (Space::Msr, true);
            }
            continue;
        }
        let wrong = |problem: String| LineError {
            line: index + 1,
            problem,
        };
        let cells: Vec<&str> = row.split('\t').collect();
        let [label, property, cell] = cells[..] else {
            return Err(wrong(format!(
                "{} cells where QEMU, property and bits are due",
                cells.len()
            )));
        };
        if starts || all.last().is_none_or(|last| last.label != label) {
            all.push(empty(label, space).map_err(wrong)?);
            starts = false;
        }
        let Some(last) = all.last_mut() else { continue };
        last.add(property, cell).map_err(wrong)?;
    }
    Ok(all)
}

fn empty(label: &str, space: Space) -> Result<Measurement, String> {
    let digits = label.strip_prefix("qemu-").unwrap_or(label);
    // A point release counts as its release.
    let parts: Vec<&str> = digits.splitn(3, '.').take(2).collect();
    let number = release(&parts.join("."))
        .ok_or_else(|| format!("“{label}” where the label of a QEMU is due, as qemu-11.1"))?;
    Ok(Measurement {
        label: label.to_owned(),
        release: number,
        catalogue: Catalogue::new(space),
    })
}

impl Measurement {
    fn add(&mut self, property: &str, cell: &str) -> Result<(), String> {
        if let Some(reason) = cell.strip_prefix(ERROR) {
            let broken = &mut self.catalogue.broken;
            broken.insert(property.to_owned(), reason.to_owned());
            return Ok(());
        }
        let how = HOW
            .iter()
            .find_map(|(how, evidence)| Some((*evidence, cell.strip_prefix(how)?)));
        let (evidence, bits) = how.unwrap_or((Evidence::Guest, cell));
        let bits = match bits {
            "-" => BTreeSet::new(),
            bits => bits.split(' ').map(bit).collect::<Result<_, _>>()?,
        };
        let moved = Moved { bits, evidence };
        self.catalogue.moved.insert(property.to_owned(), moved);
        Ok(())
    }
}

/// `CPUID.07H.00H:EBX[5]`, `MSR.48BH[42]`.
fn bit(text: &str) -> Result<At, String> {
    let wrong = || format!("“{text}” where a bit is due, as CPUID.07H.00H:EBX[5] or MSR.48BH[42]");
    let place: Place = text.parse().map_err(|_| wrong())?;
    let at = match place.location {
        Location::Cpuid {
            state: CpuidState::Reset,
            key,
            bits: Some((register, range)),
        } if range.high < 32 => {
            let (register, bit) = (register as u8, range.low);
            (range.low == range.high).then_some(At::Cpuid(Bit { key, register, bit }))
        }
        Location::Msr {
            index,
            bits: Some(range),
        } if range.high < 64 => (range.low == range.high).then_some(At::Msr(index, range.low)),
        _ => None,
    };
    at.ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# under KVM: qemu-11.1, linux-7.3\n\
                        qemu-11.1\tmigratable\t-\n\
                        qemu-11.1\tvmx-cr3-load-noexit\tclears: MSR.48EH[15]\n\
                        qemu-11.1\tvmx-ept\tMSR.48BH[33] MSR.48BH[39]\n\
                        qemu-11.1\tvmx-ple\trefused: MSR.48BH[42]\n\
                        qemu-11.1\tvmx-vpid\tERROR timed out\n";

    #[test]
    fn what_is_printed_is_read() {
        let mut read = read(TEXT).expect("a measurement");
        let only = read.pop().expect("one");
        assert!(read.is_empty());
        assert_eq!((only.release, only.catalogue.space), ((11, 1), Space::Msr));
        assert_eq!(only.text("linux-7.3"), TEXT);
    }

    #[test]
    fn lines_of_two_machines_are_two_measurements() {
        let text = format!("{TEXT}{TEXT}qemu-10.0\tvmx-ept\t-\n");
        let labels: Vec<String> = read(&text)
            .expect("measurements")
            .into_iter()
            .map(|measured| measured.label)
            .collect();
        assert_eq!(labels, ["qemu-11.1", "qemu-11.1", "qemu-10.0"]);
    }

    #[test]
    fn a_line_that_is_none_is_refused_with_its_number() {
        for (text, error) in [
            (
                "qemu-11.1\tavx2\n",
                "line 1: 2 cells where QEMU, property and bits are due",
            ),
            (
                "#\nxen\tavx2\t-\n",
                "line 2: “xen” where the label of a QEMU is due, as qemu-11.1",
            ),
            (
                "qemu-11.1\tavx2\tbit 5\n",
                "line 1: “bit” where a bit is due, as CPUID.07H.00H:EBX[5] or MSR.48BH[42]",
            ),
            (
                "qemu-11.1\tavx2\tMSR.48BH[7:3]\n",
                "line 1: “MSR.48BH[7:3]” where a bit is due, as CPUID.07H.00H:EBX[5] or MSR.48BH[42]",
            ),
        ] {
            assert_eq!(read(text).expect_err("an error").to_string(), error);
        }
    }
}
