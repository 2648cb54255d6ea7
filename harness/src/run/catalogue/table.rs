//! A measurement and the table of features.

use super::measure::{Catalogue, Evidence, Moved};
use crate::cpuid::bit::Bit;
use crate::cpuid::table::{Field, Format, Space, Table};
use crate::explain::place::At;

/// Every way in which the table and the measurement contradict each other, a sentence each.
///
/// A property that moves exactly one bit must have that bit's name (or be its `qemu:` alias). One that moves several must be
/// named by one of them: the others are what QEMU lets follow (XSAVE components and sizes, AMD's copies of leaf 1). A name
/// that was measured once and is a property of this release must be seen to move its bit again, unless it was left out.
pub fn disagreements(catalogue: &Catalogue, table: &Table, release: (u32, u32)) -> Vec<String> {
    let mut wrong: Vec<String> = misnamed(catalogue, table).collect();
    let measured = table
        .fields()
        .iter()
        .filter(|field| field.measured.is_some());
    let here = measured.filter(|field| field.space == catalogue.space);
    for field in here {
        let expected = field.qemu.is_some_and(|releases| releases.holds(release));
        if expected && !catalogue.left_out.contains(&field.name) && !seen(catalogue, field) {
            let what = catalogue
                .broken
                .get(&field.name)
                .map_or("moves another bit, or none", String::as_str);
            wrong.push(format!(
                "{} was measured once; in this release it {what}",
                field.name
            ));
        }
    }
    wrong
}

/// Properties that move bits of which none has their name.
fn misnamed(catalogue: &Catalogue, table: &Table) -> impl Iterator<Item = String> {
    let of_property = |(property, moved): (&String, &Moved)| {
        let bits = moved.bits.iter();
        let bits: Vec<At> = bits.map(|bit| named_by(*bit, moved.evidence)).collect();
        let named = |bit: &At| field(*bit, table).is_some_and(|field| is_called(field, property));
        // A property that moves numbers alone (x-force-cpuid-0x1f: a whole topology leaf) is a switch, not a feature.
        let feature =
            |bit: &&At| field(**bit, table).is_none_or(|field| field.format == Format::Flag);
        let first = bits.iter().find(feature)?;
        if bits.iter().any(named) {
            return None;
        }
        let there = field(*first, table).map_or("no name", |field| field.name.as_str());
        let more = bits.len() - 1;
        Some(format!(
            "{property} moves {} (and {more} more), which the table calls {there}",
            first.place()
        ))
    };
    catalogue.moved.iter().filter_map(of_property)
}

/// The field that holds a bit.
fn field(at: At, table: &Table) -> Option<&Field> {
    match at {
        At::Cpuid(bit) => bit.field(table),
        At::Msr(index, bit) => {
            let mut fields = table.register(Space::Msr, index, 0, 0);
            fields.find(|field| (field.low..=field.high).contains(&bit))
        }
    }
}

/// Whether the property of the field's name moves the field's bit.
pub fn seen(catalogue: &Catalogue, field: &Field) -> bool {
    let moved = catalogue.moved.get(&field.name);
    moved.is_some_and(|moved| {
        let mut bits = moved.bits.iter().map(|bit| named_by(*bit, moved.evidence));
        bits.any(|bit| covers(field, bit))
    })
}

/// The bit by which a control is named: bit n of a VMX control MSR says that control n need not be 1 where it is clear, and bit 32+n that it
/// may be 1 (SDM vol. 3, A.3).
fn named_by(at: At, evidence: Evidence) -> At {
    match at {
        At::Msr(index, bit @ 0..32) if evidence == Evidence::Cleared => At::Msr(index, bit + 32),
        other => other,
    }
}

fn is_called(field: &Field, property: &str) -> bool {
    field.name == property || field.aliases_of("qemu").any(|alias| alias == property)
}

fn covers(field: &Field, at: At) -> bool {
    match at {
        At::Cpuid(bit) => field.space == Space::Cpuid && covers_bit(field, bit),
        At::Msr(index, bit) => {
            let here = field.space == Space::Msr && field.leaf == index;
            here && (field.low..=field.high).contains(&bit)
        }
    }
}

fn covers_bit(field: &Field, bit: Bit) -> bool {
    field.leaf == bit.key.leaf
        && field.subleaves.covers(bit.key.subleaf)
        && field.register == bit.register
        && (field.low..=field.high).contains(&bit.bit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpuid::answers::Key;

    const TABLE: &str = "cpuid\t0x00000007\t00\tebx\t5\tavx2\tflag\t5.2\tmeasured\t-\n\
                         cpuid\t0x00000007\t00\tebx\t3\tbmi1\tflag\t5.2\tpublic\tqemu:bmi-one\n";

    fn found(moved: &[(&str, &[u8])]) -> Vec<String> {
        let table = Table::parse("features.tsv", TABLE).expect("a table");
        let bit = |bit: &u8| {
            At::Cpuid(Bit {
                key: Key::new(7, 0),
                register: 1,
                bit: *bit,
            })
        };
        let moved = moved.iter().map(|(name, bits)| {
            let bits = bits.iter().map(bit).collect();
            let evidence = Evidence::Guest;
            ((*name).to_owned(), Moved { bits, evidence })
        });
        let catalogue = Catalogue {
            moved: moved.collect(),
            ..Catalogue::new(Space::Cpuid)
        };
        disagreements(&catalogue, &table, (10, 0))
    }

    #[test]
    fn a_property_that_is_left_out_is_not_missed_and_one_that_is_gone_is() {
        let table = Table::parse("features.tsv", TABLE).expect("a table");
        let mut catalogue = Catalogue {
            left_out: ["avx2", "bmi1"].map(str::to_owned).into(),
            ..Catalogue::new(Space::Cpuid)
        };
        assert_eq!(disagreements(&catalogue, &table, (10, 0)), [""; 0]);
        catalogue.left_out.remove("avx2");
        assert_eq!(
            disagreements(&catalogue, &table, (10, 0)),
            ["avx2 was measured once; in this release it moves another bit, or none"]
        );
    }

    #[test]
    fn a_table_that_agrees_is_silent() {
        assert!(
            found(&[
                ("avx2", &[5]),
                ("bmi1", &[3]),
                ("bmi-one", &[3]),
                ("check", &[])
            ])
            .is_empty()
        );
    }

    #[test]
    fn a_wrong_name_is_reported() {
        let wrong = found(&[("avx2", &[5]), ("adx", &[3])]);
        assert_eq!(
            wrong,
            ["adx moves CPUID.07H.00H:EBX[3] (and 0 more), which the table calls bmi1"]
        );
    }

    #[test]
    fn an_unnamed_bit_is_reported() {
        let wrong = found(&[("avx2", &[5]), ("adx", &[19])]);
        assert_eq!(
            wrong,
            ["adx moves CPUID.07H.00H:EBX[19] (and 0 more), which the table calls no name"]
        );
    }

    #[test]
    fn a_measured_name_that_moves_nothing_any_more_is_reported() {
        let wrong = found(&[("avx2", &[])]);
        assert_eq!(
            wrong,
            ["avx2 was measured once; in this release it moves another bit, or none"]
        );
    }
}
