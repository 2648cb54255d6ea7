//! `domain`: the XML of people, as QEMU's arguments, compared with libvirt's own, and in a guest.

use super::libvirt;
use super::require::{Capability, require, root};
use super::world::{Ended, World};

/// A file of harness/tests/inputs for the QEMU of a world.
fn input(world: &World, name: &str) {
    let path = root().join("harness/tests/inputs").join(name);
    let text = std::fs::read_to_string(path).expect("an input");
    let machine = &world.machines()[0];
    world.write("domain.xml", &text.replace("pc-q35-11.1", machine));
}

fn of_xml(world: &World, options: &[&str]) -> Ended {
    world.run(&[&["domain", "--xml", "domain.xml"], options].concat())
}

/// A world for what is read without a guest.
fn reader() -> Option<World> {
    require(Capability::CpuMap)?;
    World::new(&[], &[])
}

const INPUTS: [(&str, &str); 7] = [
    ("topology.domain.xml", "Skylake-Server\n"),
    (
        "hyperv.domain.xml",
        "host,migratable=on,hv-time=on,hv-relaxed=on,hv-vapic=on,hv-spinlocks=0x1fff,kvm=off\n",
    ),
    ("numa.domain.xml", "EPYC\n"),
    (
        "cache.domain.xml",
        "host,migratable=on,host-cache-info=on,l3-cache=off\n",
    ),
    ("l3-cache.domain.xml", "EPYC,l3-cache=on\n"),
    ("phys-bits.domain.xml", "EPYC,phys-bits=42\n"),
    ("lone.cpu.xml", "EPYC\n"),
];

#[test]
fn the_xml_of_reports_is_read_whole_and_nothing_of_it_is_lost() {
    let world = or_skip!(reader());
    for (name, argument) in INPUTS {
        input(&world, name);
        let ended = of_xml(&world, &[]).expect(0);
        assert_eq!(ended.stdout, argument);
        assert!(!ended.stderr.contains("not read"), "{}", ended.stderr);
    }
}

#[test]
fn the_command_line_of_a_lone_cpu_has_its_vcpus() {
    let world = or_skip!(reader());
    input(&world, "lone.cpu.xml");
    let wanted = "-machine pc\n-accel tcg\n-cpu EPYC\n-smp 4,sockets=1,dies=1,cores=4,threads=1\n";
    assert_eq!(of_xml(&world, &["--command"]).expect(0).stdout, wanted);
}

#[test]
fn an_argument_that_overrides_the_cpu_is_a_finding() {
    let world = or_skip!(reader());
    input(&world, "overridden.domain.xml");
    let ended = of_xml(&world, &[]).expect(1);
    assert_eq!(ended.stdout, "Skylake-Server\n");
    ended.prints(
        "FAIL overridden: QEMU takes -cpu Skylake-Server of <qemu:commandline> in place of EPYC,topoext=on of <cpu>\n",
    );
}

#[test]
fn an_argument_with_more_than_a_cpu_becomes_a_domain_and_comes_back() {
    let world = or_skip!(reader());
    let argument = "host,migratable=on,hv-time=on,hv-relaxed=on,hv-spinlocks=0x1fff,kvm=off,pmu=off,host-phys-bits=on";
    let smp = "4,sockets=1,dies=2,cores=2,threads=1";
    let ended = world.run(&["domain", "--cpu", argument, "--smp", smp]);
    let ended = ended.expect(0);
    for part in [
        "<vcpu>4</vcpu>",
        "<hyperv><relaxed state='on'/><spinlocks state='on' retries='8191'/></hyperv>",
        "<kvm><hidden state='on'/></kvm><pmu state='off'/>",
        "<topology sockets='1' dies='2' cores='2' threads='1'/>",
        "<maxphysaddr mode='passthrough'/>",
        "<clock offset='utc'><timer name='hypervclock' present='yes'/></clock>",
    ] {
        ended.prints(part);
    }
    world.write("domain.xml", &ended.stdout);
    let back = of_xml(&world, &["--command"]).expect(0);
    let wanted = format!("-machine pc\n-accel kvm\n-cpu {argument}\n-smp {smp}\n");
    assert_eq!(back.stdout, wanted);
}

#[test]
fn libvirt_makes_the_same_of_the_xml_of_reports() {
    let world = or_skip!(libvirt::world());
    for (name, _) in INPUTS {
        input(&world, name);
        let kvm = std::fs::read_to_string(world.path("domain.xml")).expect("XML");
        if kvm.contains("'kvm'") && require(Capability::Kvm).is_none() {
            continue;
        }
        let ended = of_xml(&world, &["--native"]).expect(0);
        ended.prints("PASS libvirt makes the same CPU of it\n");
    }
    world.write(
        "domain.xml",
        "<domain type='qemu'><vcpu>1</vcpu><cpu mode='maximum'/><os><type machine='pc-q35-none'>hvm</type></os></domain>",
    );
    of_xml(&world, &["--native"])
        .expect(2)
        .prints("no machine type “pc-q35-none”");
}

#[test]
fn a_guest_has_what_the_xml_asks_for_and_no_gain_is_found_in_it() {
    let world = or_skip!(libvirt::world());
    for name in [
        "topology.domain.xml",
        "numa.domain.xml",
        "l3-cache.domain.xml",
        "phys-bits.domain.xml",
        "lone.cpu.xml",
    ] {
        input(&world, name);
        let ended = of_xml(&world, &["--run"]);
        ended.prints("PASS domain.xml: the guest is as the live XML says\n");
        if name == "lone.cpu.xml" {
            ended.prints("-smp 4,sockets=1,dies=1,cores=4,threads=1");
        }
        ended.expect(0);
    }
    world.assert_clean();
}

#[test]
fn a_guest_runs_of_a_domain_without_a_cpu_and_of_none_that_is_no_x86_guest() {
    let world = or_skip!(libvirt::world());
    let run = |text: &str| {
        world.write("domain.xml", text);
        of_xml(&world, &["--run"])
    };
    run("<domain type='qemu'><vcpu>2</vcpu></domain>")
        .expect(0)
        .prints("PASS domain.xml: ");
    run("<domain type='qemu'><vcpu>1</vcpu><cpu mode='maximum'/></domain>")
        .expect(0)
        .prints("PASS domain.xml: the live XML says nothing of features; ");
    run("<domain type='xen'><cpu mode='maximum'/></domain>")
        .expect(2)
        .prints("domain.xml: a domain of type xen, and --run starts qemu and kvm");
    run("<domain type='qemu'><os><type arch='i686'>hvm</type></os><cpu mode='maximum'/></domain>")
        .expect(2)
        .prints("domain.xml: a domain of arch i686, and --run starts x86_64");
    world.assert_clean();
}

#[test]
fn a_guest_whose_cpu_is_overridden_is_found() {
    let world = or_skip!(libvirt::world());
    input(&world, "overridden.domain.xml");
    let ended = of_xml(&world, &["--run"]).expect(1);
    ended.prints("FAIL changed -cpu: EPYC,topoext=on");
    ended.prints(" by <cpu>, overridden by -cpu Skylake-Server in <qemu:commandline>\n");
    world.assert_clean();
}

#[test]
fn enlightenments_that_tcg_drops_are_found() {
    let world = or_skip!(libvirt::world());
    let text = "<domain type='qemu'><vcpu>1</vcpu><features><hyperv><relaxed state='on'/></hyperv></features>\
                <cpu mode='maximum'/></domain>";
    world.write("domain.xml", text);
    let ended = of_xml(&world, &["--run"]).expect(1);
    ended.prints("FAIL lost hyperv CPUID.40000001H.00H:EAX[0]: Hv#1, by hv-relaxed of the XML, ");
}

#[test]
fn a_guest_from_which_kvm_is_hidden_has_no_clock_of_kvms() {
    or_skip!(require(Capability::Kvm));
    let world = or_skip!(libvirt::world());
    let run = |hidden: &str| {
        let text = format!(
            "<domain type='kvm'><vcpu>1</vcpu><features><kvm><hidden state='{hidden}'/></kvm></features>\
             <cpu mode='host-passthrough'/></domain>"
        );
        world.write("domain.xml", &text);
        let ended = of_xml(&world, &["--run"]);
        assert!(matches!(ended.status, Some(0 | 1)), "{}", ended.stderr);
        ended.prints("lane libvirt: KVM here");
        ended.stdout.contains("kvmclock")
    };
    assert!(run("off"));
    assert!(!run("on"));
    world.assert_clean();
}
