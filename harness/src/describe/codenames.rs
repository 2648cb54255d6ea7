//! `codenames.tsv`: what a family, model and stepping is called.

const TABLE: &str = include_str!("data/codenames.tsv");

/// The code name; `None` where the table has none.
pub fn codename(vendor: &str, family: u64, model: u64, stepping: u64) -> Option<&'static str> {
    let rows = TABLE.lines().filter(|row| !row.starts_with('#'));
    let cells = rows.map(|row| row.split('\t').collect::<Vec<&str>>());
    cells
        .filter_map(|cells| <[&str; 5]>::try_from(cells).ok())
        .find(|[its_vendor, its_family, models, steppings, _]| {
            *its_vendor == vendor
                && within(its_family, family)
                && within(models, model)
                && (*steppings == "*" || within(steppings, stepping))
        })
        .map(|[.., name]| name)
}

/// Whether a cell, `55` or `0-4`, has the number.
fn within(cell: &str, number: u64) -> bool {
    let (first, last) = cell.split_once('-').unwrap_or((cell, cell));
    let hex = |digits| u64::from_str_radix(digits, 16).ok();
    hex(first)
        .zip(hex(last))
        .is_some_and(|(first, last)| (first..=last).contains(&number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_row_that_fits_holds() {
        let skylake = |stepping| codename("GenuineIntel", 6, 0x55, stepping);
        assert_eq!(skylake(4), Some("Skylake-SP"));
        assert_eq!(skylake(6), Some("Cascade Lake-SP"));
        assert_eq!(skylake(15), None);
        let zen = |model| codename("AuthenticAMD", 0x17, model, 2);
        assert_eq!(zen(0x31), Some("Zen 2 (Rome, Castle Peak)"));
        assert_eq!(zen(0x50), Some("Zen 2"));
        assert_eq!(codename("AuthenticAMD", 0x17, 0x131, 0), None);
    }

    #[test]
    fn every_row_has_five_columns_and_hexadecimal_numbers() {
        for row in TABLE.lines().filter(|row| !row.starts_with('#')) {
            let cells: Vec<&str> = row.split('\t').collect();
            assert_eq!(cells.len(), 5, "{row}");
            let numbers = cells[1..4].iter().flat_map(|cell| cell.split('-'));
            for number in numbers.filter(|number| *number != "*") {
                assert!(u64::from_str_radix(number, 16).is_ok(), "{row}");
            }
        }
    }
}
