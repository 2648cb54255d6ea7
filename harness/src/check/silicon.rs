//! What processors themselves do otherwise than their manual has it, each with its reason: no finding in a dump of hardware.
//!
//! Data, so that no rule hides a condition. Measured in the dumps that Debian's sources of libcpuid and libvirt have (more than 200
//! processors). A hypervisor makes its guests' CPUID and has no such excuse, so a dump with the hypervisor bit gets none.

use super::finding::{CheckId, Finding};
use super::place::Location;
use super::view::View;
use crate::cpuid::dump::Dump;
use crate::cpuid::hypervisor;
use crate::cpuid::table::Table;

/// Findings of a check, by name and leaf, on processors of these vendors.
struct Quirk {
    check: CheckId,
    names: &'static [&'static str],
    leaf: u32,
    vendors: &'static [&'static str],
    reason: &'static str,
}

const INTEL: &[&str] = &["GenuineIntel"];
const AMD: &[&str] = &["AuthenticAMD", "HygonGenuine"];

const QUIRKS: [Quirk; 15] = [
    Quirk {
        check: CheckId::Leaves,
        names: &["sgx1", "sgx-xfrm-x87"],
        leaf: 0x12,
        vendors: INTEL,
        reason: "SGX that firmware has not turned on in IA32_FEATURE_CONTROL keeps its bit and an empty leaf (SDM vol. 3, SGX enumeration)",
    },
    Quirk {
        check: CheckId::Leaves,
        names: &["leaf"],
        leaf: 0x1B,
        vendors: INTEL,
        reason: "PCONFIG without TME, which firmware turns off: the bit goes, the leaf stays",
    },
    Quirk {
        check: CheckId::Leaves,
        names: &["leaf"],
        leaf: 0x8000_001B,
        vendors: AMD,
        reason: "firmware hides IBS on Zen: the bit goes, the leaf stays",
    },
    Quirk {
        check: CheckId::Leaves,
        names: &["ibs-ffv"],
        leaf: 0x8000_001B,
        vendors: AMD,
        reason: "family 10H: IBSFFV = 0 says that the other bits say nothing (BKDG 31116, Fn8000_001B)",
    },
    Quirk {
        check: CheckId::Leaves,
        names: &["leaf"],
        leaf: 0x8000_001C,
        vendors: AMD,
        reason: "microcode took LWP away on family 15H: the bit goes, leaf and state stay",
    },
    Quirk {
        check: CheckId::Xsave,
        names: &["xcr0-lwp"],
        leaf: 0xD,
        vendors: AMD,
        reason: "microcode took LWP away on family 15H: the bit goes, leaf and state stay",
    },
    Quirk {
        check: CheckId::Xsave,
        names: &["xcr0-pkru"],
        leaf: 0xD,
        vendors: AMD,
        reason: "Zen 2 has the state of protection keys without the feature",
    },
    Quirk {
        check: CheckId::Xsave,
        names: &["size without xsavec and xsaves"],
        leaf: 0xD,
        vendors: AMD,
        reason: "families 15H and 16H give the size of the legacy area without the compacted format",
    },
    Quirk {
        check: CheckId::Dependencies,
        names: &["ibrs-preferred", "ibrs-same-mode", "stibp-always-on"],
        leaf: 0x8000_0008,
        vendors: AMD,
        reason: "Zen 2 for desktops says how IBRS behaves and does not offer it",
    },
    Quirk {
        check: CheckId::Leaves,
        names: &["leaf"],
        leaf: 5,
        vendors: &["GenuineIntel", "CentaurHauls", "  Shanghai  "],
        reason: "MONITOR that firmware turns off in IA32_MISC_ENABLE takes its bit along, the leaf stays",
    },
    Quirk {
        check: CheckId::Leaves,
        names: &["leaf"],
        leaf: 0x8000_001E,
        vendors: AMD,
        reason: "firmware of Kaveri hides the topology extensions: the bit goes, the leaf stays",
    },
    Quirk {
        check: CheckId::Geometry,
        names: &["l3-size-512kb"],
        leaf: 0x8000_0006,
        vendors: AMD,
        reason: "Zen 4 for notebooks has its L3 in 8000001DH alone",
    },
    Quirk {
        check: CheckId::Geometry,
        names: &["l2-size-kb", "l2-assoc"],
        leaf: 0x8000_0006,
        vendors: INTEL,
        reason: "what 80000006H says of L2 has not followed leaf 04H since Skylake, nor on the first Atoms",
    },
    Quirk {
        check: CheckId::Geometry,
        names: &["l2-assoc"],
        leaf: 0x8000_0006,
        vendors: &["CentaurHauls"],
        reason: "Nano has 32 ways and the code of 16",
    },
    Quirk {
        check: CheckId::Dependencies,
        names: &["x2avic"],
        leaf: 0x8000_000A,
        vendors: AMD,
        reason: "Zen 4 for notebooks hides AVIC alone",
    },
];

/// The APIC id of 8000001EH is the one that firmware gave, the one of leaf 1 the one after reset (APM vol. 3, Fn8000_001E).
const MOVED: &str = "ext-apic-id";

/// The findings that no processor's own ways explain.
pub(super) fn unexplained(found: Vec<Finding>, dump: &Dump, table: &Table) -> Vec<Finding> {
    let boot = dump.boot_processor();
    let view = boot.and_then(|boot| View::of_vcpu(boot, table));
    let hardware =
        view.filter(|view| view.value("hypervisor") == Some(0) && !has_hypervisor_range(view));
    let Some(view) = hardware else {
        return found;
    };
    let vendor = view.vendor();
    let left = found.into_iter();
    left.filter(|finding| reason(finding, &vendor).is_none())
        .collect()
}

/// A guest whose bit is hidden still has the leaves that name who runs it.
fn has_hypervisor_range(view: &View<'_>) -> bool {
    let Some([_, name @ ..]) = view.regs(hypervisor::BASE, 0) else {
        return false;
    };
    let bytes = name.map(u32::to_le_bytes).concat();
    bytes[0] != 0
        && bytes
            .iter()
            .all(|byte| *byte == 0 || byte.is_ascii_graphic() || *byte == b' ')
}

fn reason(finding: &Finding, vendor: &str) -> Option<&'static str> {
    if finding.check == CheckId::Vcpus && finding.name == MOVED {
        return Some("firmware moves APIC ids");
    }
    let Location::Cpuid { key, .. } = &finding.place.location else {
        return None;
    };
    let explains = |quirk: &&Quirk| {
        quirk.check == finding.check
            && quirk.leaf == key.leaf
            && quirk.names.contains(&finding.name.as_str())
            && quirk.vendors.contains(&vendor)
    };
    QUIRKS.iter().find(explains).map(|quirk| quirk.reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::{Kind, Layer};
    use crate::check::fixture::{dump, table, vcpu, vendor};
    use crate::check::place::Place;
    use crate::cpuid::answers::Key;

    fn finding(check: CheckId, name: &str, leaf: u32) -> Finding {
        let finding = Finding::new(check, Kind::Gained, name, "", "", Layer::Unknown);
        finding.at(Place::of_leaf(Key::new(leaf, 0)))
    }

    fn left(finding: &Finding, name: &str, leaf_1_ecx: u32) -> usize {
        let rows = [vendor(1, name), (1, 0, [0, 0, leaf_1_ecx, 0])];
        let found = vec![finding.clone()];
        unexplained(found, &dump(vec![vcpu(0, &rows)]), &table()).len()
    }

    #[test]
    fn every_row_explains_its_finding_on_hardware_of_its_vendor_alone() {
        let moved = finding(CheckId::Vcpus, MOVED, 0x8000_001E);
        let rows = QUIRKS.iter().flat_map(|quirk| {
            let names = quirk.names.iter();
            names.map(|name| {
                (
                    finding(quirk.check.clone(), name, quirk.leaf),
                    quirk.vendors,
                )
            })
        });
        for (finding, vendors) in rows.chain([(moved, AMD)]) {
            for name in vendors {
                assert_eq!(left(&finding, name, 0), 0, "{finding:?}");
                assert_eq!(left(&finding, name, 1 << 31), 1, "{finding:?}");
            }
            if finding.check != CheckId::Vcpus {
                assert_eq!(left(&finding, "GenuineTMx86", 0), 1, "{finding:?}");
            }
        }
    }

    #[test]
    fn anything_else_of_hardware_stays_a_finding() {
        for (check, name, leaf) in [
            (CheckId::Leaves, "leaf", 0x14),
            (CheckId::Xsave, "xcr0-avx", 0xD),
            (CheckId::Dependencies, "avx", 1),
        ] {
            assert_eq!(left(&finding(check, name, leaf), "AuthenticAMD", 0), 1);
        }
    }

    #[test]
    fn a_dump_without_leaf_1_is_excused_from_nothing() {
        let found = vec![finding(CheckId::Leaves, "leaf", 0x8000_001B)];
        let dump = dump(vec![vcpu(0, &[vendor(1, "AuthenticAMD")])]);
        assert_eq!(unexplained(found, &dump, &table()).len(), 1);
    }
}
