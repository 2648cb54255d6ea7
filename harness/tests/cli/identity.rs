//! A guest that is another CPU than was promised fails, under KVM and under libvirt too: each part of its identity, and another model altogether.

use serde_json::Value;

use super::require::{Capability, require};
use super::world::World;

/// A property that a wrapper sets behind everybody's back, and what of the guest's identity differs for it.
const PROPERTIES: [(&str, &str); 5] = [
    ("family=6", "family"),
    ("stepping=9", "stepping"),
    ("model-id=Another CPU", "model-id"),
    ("level=5", "max-leaf"),
    ("vendor=GenuineCloud", "vendor"),
];

/// Runs Skylake-Server in place of EPYC.
const ANOTHER_MODEL: &str = "for word do shift; case \"$word\" in EPYC*) rest=; case \"$word\" in *,*) rest=,${word#*,} ;; esac; \
    word=Skylake-Server$rest ;; esac; set -- \"$@\" \"$word\"; done; exec \"$q\" \"$@\"";

/// A world with EPYC alone in one lane, where the built-in expectations hold.
fn world(lane: &str, model: &str) -> Option<World> {
    let world = World::new(&[], &[])?;
    let of = |name: &str| if name == lane { model } else { "-" };
    let (kvm, libvirt) = (of("kvm"), of("libvirt"));
    world.configure(&format!(
        "qemu = []\nexpectations = {:?}\n[default]\ndefinition.models = []\ndefinition.machines = []\ntcg.models = []\n\
         kvm.models = [{kvm:?}]\nkvm-direct.models = []\nlibvirt.models = [{libvirt:?}]\n",
        super::require::root().join("expectations")
    ));
    Some(world)
}

/// What check `identity` found in a run of one lane.
fn found(world: &World, lane: &str) -> Vec<Value> {
    world.run(&["run", "--lane", lane, "--json", "run.json"]);
    let cases = world.cases("run.json");
    assert_eq!(cases.len(), 1, "{cases:?}");
    let changes = cases[0]["changes"].as_array().expect("changes");
    let identity = changes
        .iter()
        .filter(|change| change["check"] == "identity");
    let found: Vec<Value> = identity.cloned().collect();
    assert!(
        found.is_empty() || cases[0]["status"] == "FAIL",
        "{cases:?}"
    );
    found
}

fn names(found: &[Value]) -> Vec<&str> {
    found
        .iter()
        .filter_map(|change| change["name"].as_str())
        .collect()
}

/// Every way of being another CPU, in one lane.
fn each_is_found(mut world: World, lane: &str, model: &str) {
    assert_eq!(found(&world, lane), Vec::<Value>::new());
    for (property, name) in PROPERTIES {
        world.add_arguments(&format!("-global '{model}-x86_64-cpu.{property}'"));
        let found = found(&world, lane);
        assert!(names(&found).contains(&name), "{property}: {found:?}");
    }
    world.replace_qemu(ANOTHER_MODEL);
    let found = found(&world, lane);
    for name in ["family", "model-id", "max-ext-leaf"] {
        assert!(names(&found).contains(&name), "{name}: {found:?}");
    }
    world.assert_clean();
}

#[test]
fn another_cpu_is_found_under_kvm() {
    or_skip!(require(Capability::Kvm));
    each_is_found(or_skip!(world("kvm", "EPYC-v1")), "kvm", "EPYC-v1");
}

#[test]
fn another_cpu_is_found_under_libvirt() {
    or_skip!(require(Capability::UserNamespaces));
    or_skip!(require(Capability::Libvirt));
    each_is_found(or_skip!(world("libvirt", "EPYC")), "libvirt", "EPYC");
}

#[test]
fn host_is_the_hosts_processor() {
    or_skip!(require(Capability::Kvm));
    let mut world = or_skip!(world("kvm", "host"));
    assert_eq!(found(&world, "kvm"), Vec::<Value>::new());
    world.add_arguments("-global 'host-x86_64-cpu.stepping=13'");
    assert_eq!(names(&found(&world, "kvm")), ["stepping"]);
}
