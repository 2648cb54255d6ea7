//! A feature does not come without what it is made of: AVX without XSAVE, AVX-512 anything without its foundation, LA57 without long mode.
//!
//! The table has what the architecture demands and no more: what an operating system or QEMU wants together for its own ease is left out
//! (INVPCID without PCID, PKU without XSAVE), and so is what
//! processors were made without: a Pentium Pro has CMOV and no FXSR, an Atom N270 has LAHF-LM and no long mode. State components are check
//! `xsave`'s, leaves that belong to a feature are check `leaves`'s.

use super::seen::{Seen, either};
use crate::check::finding::{Finding, Kind};
use crate::check::place::Place;
use crate::check::view::{Rule, own_subleaf};

pub(super) use rows::needs;
pub use rows::{Dependency, ROWS};

#[path = "dependencies_rows.rs"]
mod rows;

/// Features of the boot processor that are there without what they need.
pub(super) fn dependencies(seen: &Seen<'_>, rule: &Rule<'_>) -> Vec<Finding> {
    ROWS.iter()
        .flat_map(|row| broken(row, seen, rule))
        .collect()
}

/// The features of a row that are there, where none of what they need is.
pub(super) fn broken(row: &Dependency, seen: &Seen<'_>, rule: &Rule<'_>) -> Vec<Finding> {
    if seen.has_any(row.needs) != Some(false) {
        return Vec::new();
    }
    let there = row.features.iter();
    let there = there.filter(|name| seen.has(name) == Some(true));
    there.map(|name| alone(name, row, rule)).collect()
}

fn alone(name: &str, row: &Dependency, rule: &Rule<'_>) -> Finding {
    let expected = format!("none without {}", either(row.needs));
    let actual = format!("{name} without it ({})", row.source);
    let finding = rule.finding(Kind::Gained, name, expected, actual);
    let place = rule.table.named(name);
    let place = place.map(|field| Place::of_field(field, own_subleaf(field)));
    finding.at(place.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Accelerator;
    use crate::check::CheckId;
    use crate::check::architecture::seen::found_by;
    use crate::check::fixture::{Row, dump, sentences, table, vcpu, vendor};

    const XSAVE: u32 = 1 << 26;
    const AVX: u32 = 1 << 28;
    const SSE: u32 = 1 << 24 | 1 << 25 | 1 << 26 | 1;

    fn found(rows: &[Row]) -> Vec<String> {
        let guest = dump(vec![vcpu(0, rows)]);
        let found = found_by(
            dependencies,
            CheckId::Dependencies,
            &guest,
            Accelerator::Kvm,
            &table(),
        );
        sentences(&found)
    }

    #[test]
    fn names_are_the_tables() {
        let table = table();
        let names = ROWS
            .iter()
            .flat_map(|row| row.features.iter().chain(row.needs));
        let unknown: Vec<_> = names.filter(|name| table.named(name).is_none()).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }

    #[test]
    fn features_with_all_they_need_give_no_finding() {
        let rows = [
            vendor(7, "GenuineIntel"),
            (1, 0, [0, 0, XSAVE | AVX, SSE]),
            (7, 0, [0, 1 << 5 | 1 << 16 | 1 << 30, 0, 0]),
        ];
        assert_eq!(found(&rows), Vec::<String>::new());
    }

    #[test]
    fn avx_without_xsave_is_found() {
        let rows = [vendor(1, "GenuineIntel"), (1, 0, [0, 0, AVX, SSE])];
        assert_eq!(
            found(&rows),
            [
                "dependencies: gained avx CPUID.01H.00H:ECX[28]: none without xsave; \
                 avx without it (SDM vol. 1 §14.3)"
            ]
        );
    }

    #[test]
    fn every_feature_without_its_foundation_is_found() {
        let rows = [
            vendor(7, "GenuineIntel"),
            (1, 0, [0, 0, XSAVE | AVX, SSE]),
            (7, 0, [0, 1 << 17 | 1 << 30, 1 << 16, 1 << 22]),
        ];
        let names: Vec<String> = found(&rows);
        let names: Vec<&str> = names
            .iter()
            .filter_map(|line| line.split(' ').nth(2))
            .collect();
        assert_eq!(names, ["avx512dq", "avx512bw", "amx-bf16", "la57"]);
    }

    #[test]
    fn what_is_unknown_is_no_finding() {
        // Leaf 1 was not asked for: nobody knows of XSAVE.
        let rows = [vendor(7, "GenuineIntel"), (7, 0, [0, 1 << 14, 0, 0])];
        assert_eq!(found(&rows), Vec::<String>::new());
    }

    #[test]
    fn every_row_can_fail() {
        let table = table();
        for row in ROWS {
            let mut boot = vcpu(
                0,
                &[
                    vendor(0x30, "GenuineIntel"),
                    (0x8000_0000, 0, [0x8000_0030, 0, 0, 0]),
                ],
            );
            let all: Vec<&str> = row.features.iter().chain(row.needs).copied().collect();
            for name in all {
                let field = table.named(name).expect("a name");
                crate::check::fixture::answer(
                    &mut boot,
                    fidelity_protocol::frame::Phase::Reset,
                    &[(field.leaf, own_subleaf(field), [0; 4])],
                );
            }
            for name in row.features {
                let field = table.named(name).expect("a name");
                let key = crate::cpuid::answers::Key::new(field.leaf, own_subleaf(field));
                let phase = boot
                    .phases
                    .get_mut(&fidelity_protocol::frame::Phase::Reset)
                    .expect("the phase");
                phase.cpuid.entry(key).or_default()[usize::from(field.register)] |= 1 << field.low;
            }
            let found = found_by(
                dependencies,
                CheckId::Dependencies,
                &dump(vec![boot]),
                Accelerator::Kvm,
                &table,
            );
            for name in row.features {
                assert!(
                    found.iter().any(|finding| finding.name == **name),
                    "{name}: {found:?}"
                );
            }
        }
    }
}
