//! Check 4, third part: the APIC id of each vCPU is a place that `-smp` makes, and leaf 8000001EH names core and node by it.
//!
//! Sources: APM vol. 3 appendix E, Fn8000_001E; x86_apicid_from_topo_ids in QEMU's include/hw/i386/topology.h and
//! encode_topo_cpuid8000001e in target/i386/cpu.c. Up to machine type 9.0 a node is a die (`legacy-multi-node`), later a package.

use std::collections::{BTreeMap, BTreeSet};

use super::shape::Shape;
use crate::case::parts::{Parts, width};
use crate::check::finding::{Finding, Kind};
use crate::check::place::Side;
use crate::check::view::{Rule, View};
use crate::cpuid::dump::{Dump, Vcpu};

/// Every vCPU that is at no place, and leaves that name its core or node otherwise.
pub(super) fn placement(dump: &Dump, shape: Shape, rule: &Rule<'_>) -> Vec<Finding> {
    let mut changes = Vec::new();
    for (index, vcpu) in dump.vcpus.iter().enumerate() {
        let mut found = Vec::new();
        if let Some(parts) = &shape.parts {
            found.extend(no_place(vcpu, parts, rule));
            found.extend(names(vcpu, parts, rule));
        }
        changes.extend(found.into_iter().map(|change| change.on(Side::Vcpu(index))));
    }
    changes.extend(core_ids(dump, shape, rule));
    changes.extend(packages(dump, shape, rule));
    changes
}

/// An APIC id is thread, core, module, die and socket, each in its own bits, and each less than there are.
fn no_place(vcpu: &Vcpu, parts: &Parts, rule: &Rule<'_>) -> Vec<Finding> {
    let of_machine = [
        ("thread", Some(parts.threads)),
        ("core", parts.cores),
        ("module", Some(parts.modules)),
        ("die", Some(parts.dies)),
        ("socket", parts.sockets),
    ];
    let mut left = vcpu.apic_id;
    let mut changes = Vec::new();
    for (name, count) in of_machine {
        let Some(count) = count else { break };
        let bits = if name == "socket" { 31 } else { width(count) };
        let own = left & ((1 << bits) - 1);
        left >>= bits;
        if own >= count {
            let expected = format!("an APIC id of a {name} below {count}");
            let actual = format!("{name} {own}, APIC id {}", vcpu.apic_id);
            changes.push(rule.finding(Kind::Changed, "apic-id", expected, actual));
        }
    }
    changes
}

/// Leaf 8000001EH: a core is numbered within its module, die or package, nodes are dies or packages.
fn names(vcpu: &Vcpu, parts: &Parts, rule: &Rule<'_>) -> Vec<Finding> {
    let view = View::of_vcpu(vcpu, rule.table).filter(|view| view.has("topoext"));
    let (Some(view), Some((thread_bits, package_bits))) = (view, parts.widths()) else {
        return Vec::new();
    };
    let mut changes = Vec::new();
    let within = (2..=4).filter_map(|depth| Some(parts.within(depth)?.1));
    let ids: BTreeSet<u32> = within
        .map(|bits| (vcpu.apic_id & ((1 << bits) - 1)) >> thread_bits & 0xFF)
        .collect();
    if let Some(seen) = view.value("core-id").filter(|seen| !ids.contains(seen)) {
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let expected = format!("core-id = {}", ids.join(" or "));
        changes.push(rule.field_differs("core-id", 0, expected, format!("core-id = {seen}")));
    }
    let nodes = view.value("nodes-minus-1").map_or(1, |nodes| nodes + 1);
    if nodes != 1 && nodes != parts.dies {
        let due = parts.dies - 1;
        changes.extend(rule.unless_equal("nodes-minus-1", 0, due, Some(nodes - 1)));
        return changes;
    }
    let node_bits = package_bits - width(nodes);
    let due = vcpu.apic_id >> node_bits & 0xFF;
    changes.extend(rule.unless_equal("node-id", 0, due, view.value("node-id")));
    changes
}

/// Threads of one core have one core id in 8000001EH, other cores of the node have others.
fn core_ids(dump: &Dump, shape: Shape, rule: &Rule<'_>) -> Vec<Finding> {
    let mut cores: BTreeMap<(u32, u32, u32), u32> = BTreeMap::new();
    let mut changes = Vec::new();
    for (index, vcpu) in dump.vcpus.iter().enumerate() {
        let view = View::of_vcpu(vcpu, rule.table);
        let Some(view) = view.filter(|view| view.has("topoext")) else {
            continue;
        };
        let (Some(core_id), Some(node)) = (view.value("core-id"), view.value("node-id")) else {
            continue;
        };
        let core = vcpu.apic_id >> shape.thread_bits;
        let package = vcpu.apic_id >> shape.package_bits;
        let first = *cores.entry((package, node, core_id)).or_insert(core);
        if first != core {
            let id = first << shape.thread_bits;
            let expected = "a core id of its own in its node";
            let actual = format!("core-id = {core_id}, as the core of APIC id {id} has");
            let change = rule.field_differs("core-id", 0, expected, actual);
            changes.push(change.on(Side::Vcpu(index)));
        }
    }
    changes
}

/// The vCPUs fill as many packages as there are sockets for them.
fn packages(dump: &Dump, shape: Shape, rule: &Rule<'_>) -> Option<Finding> {
    shape.parts?;
    let vcpus = u32::try_from(dump.vcpus.len()).ok()?;
    let due = vcpus.div_ceil(shape.per_package.max(1));
    let seen: BTreeSet<u32> = dump
        .vcpus
        .iter()
        .map(|vcpu| vcpu.apic_id >> shape.package_bits)
        .collect();
    let packages = |count| format!("{count} packages");
    let differ = usize::try_from(due) != Ok(seen.len());
    differ.then(|| {
        let seen = u32::try_from(seen.len()).unwrap_or(u32::MAX);
        rule.finding(Kind::Changed, "packages", packages(due), packages(seen))
    })
}

#[cfg(test)]
mod tests {
    use crate::check::Layer;
    use crate::check::fixture::{dump, sentences, table, vcpu, vendor};
    use crate::check::topology::leaves::topology;

    /// The vCPUs of `ids`, with these EBX and ECX of leaf 8000001EH.
    fn found(smp: &str, ids: &[u32], names: impl Fn(u32) -> [u32; 2]) -> Vec<String> {
        let of = |id: &u32| {
            let [ebx, ecx] = names(*id);
            let rows = [
                vendor(0xD, "GenuineIntel"),
                (1, 0, [0, 4 << 16, 0, 1 << 28]),
                (0x8000_0001, 0, [0, 0, 1 << 22, 0]),
                (0x8000_001E, 0, [*id, ebx, ecx, 0]),
            ];
            vcpu(*id, &rows)
        };
        let parts = smp.parse::<crate::case::Topology>().expect("smp").parts();
        let dump = dump(ids.iter().map(of).collect());
        sentences(&topology(&dump, parts.as_ref(), Layer::Qemu, &table()))
    }

    const THREE: &str = "3,sockets=1,cores=3,threads=1";
    const DIES: &str = "4,sockets=1,dies=2,cores=2,threads=1";

    #[test]
    fn vcpus_at_their_places_give_no_finding() {
        assert_eq!(found(THREE, &[0, 1, 2], |id| [id, 0]), Vec::<String>::new());
        // Two dies are two nodes, or the package is one and its cores are numbered through.
        let dies = |id: u32| [id & 1, 1 << 8 | id >> 1];
        assert_eq!(found(DIES, &[0, 1, 2, 3], dies), Vec::<String>::new());
        assert_eq!(
            found(DIES, &[0, 1, 2, 3], |id| [id, 0]),
            Vec::<String>::new()
        );
    }

    #[test]
    fn an_apic_id_that_smp_does_not_make_is_found() {
        assert_eq!(
            found(THREE, &[0, 1, 3], |id| [id, 0]),
            ["topology: changed apic-id vcpu2: an APIC id of a core below 3; core 3, APIC id 3"]
        );
        assert_eq!(
            found(THREE, &[0, 1, 4], |id| [id & 3, id >> 2]),
            [
                "topology: changed apic-id vcpu2: an APIC id of a socket below 1; socket 1, APIC id 4",
                "topology: changed packages : 1 packages; 2 packages",
            ]
        );
    }

    #[test]
    fn a_node_and_a_core_of_another_name_are_found() {
        let place = "vcpu2 CPUID.8000001EH.00H";
        assert_eq!(
            found(DIES, &[0, 1, 2, 3], |id| [id & 1 | (id & 2) << 1, 0])[0],
            format!("topology: changed core-id {place}:EBX[7:0]: core-id = 0 or 2; core-id = 4")
        );
        assert_eq!(
            found(THREE, &[0, 1, 2], |id| [id, id >> 1]),
            [format!(
                "topology: changed node-id {place}:ECX[7:0]: node-id = 0; node-id = 1"
            )]
        );
        assert_eq!(
            found(THREE, &[0, 1, 2], |id| [id, (id & 2) << 8]),
            [format!(
                "topology: changed nodes-minus-1 {place}:ECX[10:8]: nodes-minus-1 = 0; nodes-minus-1 = 2"
            )]
        );
    }
}
