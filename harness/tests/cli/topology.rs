//! A QEMU that places vCPUs otherwise than `-smp` and a domain's XML say is found, by leaf and vCPU.

use super::require::{Capability, require};
use super::world::World;

/// Makes a socket of each vCPU, whatever `-smp` says.
const SOCKETS: &str = "next=; for word do shift; if [ \"$next\" ]; then next=; word=${word%%,*}; \
    word=$word,sockets=$word,cores=1,threads=1; elif [ \"$word\" = -smp ]; then next=1; fi; set -- \"$@\" \"$word\"; done; \
    exec \"$q\" \"$@\"";

const SMP: &str = "4,sockets=1,cores=2,threads=2";
const MACHINE: &str = "pc-q35-7.2";

fn world() -> Option<World> {
    let mut world = World::new(&[], &[])?;
    world.write("expectations/waivers.toml", "");
    world.replace_qemu(SOCKETS);
    Some(world)
}

#[test]
fn a_migration_between_qemus_that_ignore_smp_is_not_clean() {
    let world = or_skip!(world());
    let migrate = |qemu: &std::path::Path| {
        let path = qemu.display().to_string();
        let machine = &world.machines()[0];
        world.run(&[
            "migrate",
            "--from",
            &path,
            "--to",
            &path,
            "--machine",
            machine,
            "--cpu",
            "qemu64-v1",
            "--smp",
            SMP,
        ])
    };
    migrate(&world.real).expect(0).prints("CLEAN");
    let ended = migrate(&world.qemu).expect(1);
    ended.prints("changed ht set: 4 logical processors a package → clear on the source at CPUID.01H.00H:EDX[28]");
    ended.prints("changed topo-logical-cpus 4 → 1 on the source at CPUID.0BH.01H:EBX[15:0]");
    world.assert_clean();
}

#[test]
fn a_domain_that_is_not_placed_as_its_xml_says_is_found() {
    or_skip!(require(Capability::UserNamespaces));
    or_skip!(require(Capability::Libvirt));
    let world = or_skip!(world());
    let text = format!(
        "<domain type='qemu'><vcpu>4</vcpu><os><type machine='{MACHINE}'>hvm</type></os>\
         <cpu mode='custom' match='exact' check='none'><model fallback='forbid'>Nehalem</model>\
         <topology sockets='1' cores='2' threads='2'/></cpu></domain>"
    );
    world.write("domain.xml", &text);
    let run = ["domain", "--xml", "domain.xml", "--run"];
    let found = |ended: super::world::Ended| -> Vec<String> {
        let lines = ended.stdout.lines();
        let ours = [
            "ht",
            "topo-shift",
            "topo-logical-cpus",
            "packages",
            "apic-id",
        ];
        let ours = ours.map(|name| format!("FAIL changed {name} "));
        let ours = lines.filter(|line| ours.iter().any(|start| line.starts_with(start)));
        ours.map(str::to_owned).collect()
    };
    let real = world.real.display().to_string();
    let good = world.run_with(&[&["--qemu", &real], &run[..]].concat(), &[]);
    assert_eq!(found(good), Vec::<String>::new());
    assert_eq!(
        found(world.run(&run).expect(1)),
        [
            "FAIL changed ht CPUID.01H.00H:EDX[28]: set: 4 logical processors a package, clear",
            "FAIL changed topo-shift CPUID.0BH.00H:EAX[4:0]: topo-shift = 1, topo-shift = 0",
            "FAIL changed topo-logical-cpus CPUID.0BH.00H:EBX[15:0]: topo-logical-cpus = 2, topo-logical-cpus = 1",
            "FAIL changed topo-shift CPUID.0BH.01H:EAX[4:0]: topo-shift = 2, topo-shift = 0",
            "FAIL changed topo-logical-cpus CPUID.0BH.01H:EBX[15:0]: topo-logical-cpus = 4, topo-logical-cpus = 1",
        ]
    );
    world.assert_clean();
}

#[test]
fn a_guest_of_lane_definition_is_compared_with_its_smp() {
    let world = or_skip!(world());
    let check = |qemu: &std::path::Path| {
        let path = qemu.display().to_string();
        let arguments = [
            "--qemu",
            &path,
            "check",
            "--lane",
            "definition",
            "--cpu",
            "qemu64-v1",
            "--smp",
            SMP,
        ];
        world.run(&arguments)
    };
    let placed = "topo-logical-cpus 4 → 1 at CPUID.0BH.01H:EBX[15:0]";
    assert!(!check(&world.real).stdout.contains("topo-"));
    check(&world.qemu).expect(1).prints(placed);
}
