//! Sizes of what is enabled, where nobody knows what is: they are sizes of some of the components that are offered.
//!
//! 0DH.0 EBX is where the last component ends that XCR0 enables, 0DH.1 EBX the compacted size of what XCR0 and IA32_XSS enable (SDM vol. 2
//! "CPUID"; xstate_required_size in arch/x86/kvm/cpuid.c). An operating system sets both registers as it likes, x87 aside.

use std::collections::BTreeSet;

use crate::check::architecture::seen::Seen;
use crate::check::finding::Finding;
use crate::check::view::Rule;
use crate::cpuid::answers::Regs;

/// Bytes of the legacy region and the header.
pub const LEGACY: u32 = 576;
/// Leaf 0DH, subleaves 2 and later, ECX: of the supervisor, aligned to 64 bytes.
pub const SUPERVISOR: u32 = 1;
pub const ALIGNED: u32 = 2;

/// The bits of components, which stand in two registers.
pub fn join(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

/// Sizes that no choice of the offered components has. Nothing where one of them was not read.
pub fn enabled_sizes(areas: &[(u32, Regs)], seen: &Seen<'_>, rule: &Rule<'_>) -> Vec<Finding> {
    if !all_read(areas, seen) {
        return Vec::new();
    }
    let standard = of_any("xsave-size-enabled", 0, standard(areas), seen, rule);
    let offers_compacted = seen.has_any(&["xsavec", "xsaves"]) == Some(true);
    let compacted = offers_compacted
        .then(|| of_any("xsaves-size-enabled", 1, compacted(areas), seen, rule))
        .flatten();
    standard.into_iter().chain(compacted).collect()
}

fn all_read(areas: &[(u32, Regs)], seen: &Seen<'_>) -> bool {
    let (Some(user), Some(supervisor)) = (seen.regs(0xD, 0), seen.regs(0xD, 1)) else {
        return false;
    };
    let offered = join(user[3], user[0]) | join(supervisor[3], supervisor[2]);
    let count = (2..63).filter(|number| offered >> number & 1 == 1).count();
    count == areas.len()
}

fn of_any(
    name: &str,
    subleaf: u32,
    sizes: BTreeSet<u32>,
    seen: &Seen<'_>,
    rule: &Rule<'_>,
) -> Option<Finding> {
    let size = u32::try_from(seen.at(name, subleaf)?).ok()?;
    (!sizes.contains(&size)).then(|| {
        let expected = format!("{name}, the size of components that are offered");
        rule.field_differs(name, subleaf, expected, format!("{name} = {size}"))
    })
}

/// Where each user component ends.
fn standard(areas: &[(u32, Regs)]) -> BTreeSet<u32> {
    let user = areas
        .iter()
        .filter(|(_, [_, _, flags, _])| flags & SUPERVISOR == 0);
    let ends = user.map(|(_, [size, offset, ..])| offset.saturating_add(*size));
    ends.chain([LEGACY]).collect()
}

/// Every size that some of the components have together, one component after the other.
fn compacted(areas: &[(u32, Regs)]) -> BTreeSet<u32> {
    let mut sizes = BTreeSet::from([LEGACY]);
    for (_, [size, _, flags, _]) in areas {
        let more = |end: &u32| {
            let start = if flags & ALIGNED == 0 {
                *end
            } else {
                end.next_multiple_of(64)
            };
            start.saturating_add(*size)
        };
        let with: Vec<u32> = sizes.iter().map(more).collect();
        // Hostile sizes may double the set with each component; real ones share sums.
        if sizes.len() + with.len() > MOST_SIZES {
            return sizes;
        }
        sizes.extend(with);
    }
    sizes
}

/// More sums than any processor's components have.
const MOST_SIZES: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use crate::case::Accelerator;
    use crate::check::CheckId;
    use crate::check::architecture::components::components;
    use crate::check::architecture::seen::found_by;
    use crate::check::fixture::{Row, dump, sentences, table, vcpu, vendor};

    /// A processor under an operating system, with AVX and PKRU; `compacted` is what 0DH.1 EBX says.
    fn found(standard: u32, compacted: u32) -> Vec<String> {
        let rows: [Row; 8] = [
            vendor(0xD, "GenuineIntel"),
            (1, 0, [0, 0, 1 << 26 | 1 << 27 | 1 << 28, 0]),
            (7, 0, [0, 0, 1 << 3, 0]),
            (7, 1, [0; 4]),
            (0xD, 0, [0x207, standard, 2696, 0]),
            (0xD, 1, [0xF, compacted, 0, 0]),
            (0xD, 2, [256, 576, 0, 0]),
            (0xD, 9, [8, 2688, 0, 0]),
        ];
        sentences(&found_by(
            components,
            CheckId::Xsave,
            &dump(vec![vcpu(0, &rows)]),
            Accelerator::Kvm,
            &table(),
        ))
    }

    #[test]
    fn sizes_of_some_of_the_components_give_no_finding() {
        for (standard, compacted) in [(576, 576), (832, 832), (2696, 840), (2696, 584)] {
            assert_eq!(found(standard, compacted), Vec::<String>::new());
        }
    }

    #[test]
    fn sizes_of_no_components_are_found() {
        assert_eq!(
            found(840, 960),
            [
                "xsave: changed xsave-size-enabled CPUID.0DH.00H:EBX[31:0]: \
                 xsave-size-enabled, the size of components that are offered; xsave-size-enabled = 840",
                "xsave: changed xsaves-size-enabled CPUID.0DH.01H:EBX[31:0]: \
                 xsaves-size-enabled, the size of components that are offered; xsaves-size-enabled = 960",
            ]
        );
    }
}
