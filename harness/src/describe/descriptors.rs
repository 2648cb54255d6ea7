//! `descriptors.tsv`: the bytes of CPUID leaf 02H, each of which stands for a cache or a TLB.

use super::facts::Facts;

const TABLE: &str = include_str!("data/descriptors.tsv");

/// A row of the table, from its second column on.
pub type Row = [&'static str; 5];

/// Rows of the descriptors that leaf 02H has, of caches or of TLBs.
pub fn listed(facts: &Facts<'_>, what: &str) -> Vec<Row> {
    let codes = facts.regs(2, 0).map(codes).unwrap_or_default();
    let rows = codes.iter().flat_map(|code| rows(*code));
    rows.filter(|row| row[0] == what).collect()
}

/// The descriptors of the registers. One with bit 31 set has none, and the lowest byte of EAX is a count (SDM vol. 2, "CPUID", leaf 02H).
fn codes(regs: [u32; 4]) -> Vec<u8> {
    let mut codes = Vec::new();
    for (index, reg) in regs.into_iter().enumerate() {
        if reg >> 31 == 0 {
            let skipped = usize::from(index == 0);
            codes.extend(reg.to_le_bytes().into_iter().skip(skipped));
        }
    }
    codes.retain(|code| *code != 0);
    codes
}

fn rows(code: u8) -> impl Iterator<Item = Row> {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(move |line| {
        let (own, rest) = line.split_once('\t')?;
        let cells: Vec<&str> = rest.split('\t').collect();
        let row = Row::try_from(cells).ok()?;
        (u8::from_str_radix(own, 16).ok()? == code).then_some(row)
    })
}

/// The ways of a row: `full` is fully associative, `-` is not known.
pub fn ways(cell: &str) -> (Option<u64>, bool) {
    (cell.parse().ok(), cell == "full")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_a_register_with_bit_31_and_the_count_are_no_descriptors() {
        assert_eq!(
            codes([0x0000_0001, 0, 0x4d, 0x002c_307d]),
            [0x4d, 0x7d, 0x30, 0x2c]
        );
        assert_eq!(codes([0x7f01, 0x8000_0001, 0, 0]), [0x7f]);
    }

    #[test]
    fn a_descriptor_may_stand_for_two() {
        assert_eq!(rows(0xc3).count(), 2);
        assert_eq!(rows(0xff).count(), 0);
        let row: Vec<Row> = rows(0x2c).collect();
        assert_eq!(row, [["cache", "L1d", "32", "8", "64"]]);
    }

    #[test]
    fn every_row_is_whole() {
        for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
            let cells: Vec<&str> = line.split('\t').collect();
            assert_eq!(cells.len(), 6, "{line}");
            assert!(["cache", "tlb"].contains(&cells[1]), "{line}");
            assert!(cells[5].parse::<u64>().is_ok(), "{line}");
            assert!(
                ["full", "-"].contains(&cells[4]) || cells[4].parse::<u64>().is_ok(),
                "{line}"
            );
        }
    }
}
