//! The guests whose features are explained.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cpuid_fidelity::case::{Case, Emulation, Lane, Qemu};
use cpuid_fidelity::config::Config;
use cpuid_fidelity::expectation::Store;
use cpuid_fidelity::lanes::{Registry, Wanted, kernels, scope};
use cpuid_fidelity::plan::inventory::inventory;
use cpuid_fidelity::run::Engine;
use cpuid_fidelity::util::cancel::Cancel;
use cpuid_fidelity::vmm::Options;

use super::require::{Capability, require};

/// The `-cpu` arguments: flags, versions, `host`, `max`, Hyper-V, a hidden KVM; and whether one is among a tenth of them in this lane.
const CPUS: [(&str, &[Lane]); 12] = [
    ("EPYC", &[]),
    ("EPYC-Rome-v1", &[]),
    ("EPYC,-avx2,x2apic=off,+vnmi", &[Lane::TCG]),
    ("EPYC,kvm=off", &[]),
    ("EPYC,hv-relaxed=on,hv-vapic=on", &[]),
    ("EPYC,hv-relaxed=on,kvm-pv-eoi=off", &[Lane::LAB]),
    ("host", &[]),
    ("host,-avx2,kvm=off", &[]),
    ("max", &[]),
    ("max,migratable=off,-xsave,+npt", &[]),
    ("Cascadelake-Server-v5,+vmx", &[]),
    ("EPYC-Genoa,svm=on,level=4", &[]),
];

/// The kernel of the lab.
const KERNEL: &str = "6.12";

/// A guest, and whether it is one of those that every run takes.
pub struct Guest {
    pub lane: Lane,
    pub cpu: &'static str,
    pub in_tenth: bool,
}

/// Every argument in every lane.
pub fn all() -> Vec<Guest> {
    let lanes = [Lane::TCG, Lane::LAB];
    let guest = |lane| {
        CPUS.iter().map(move |(cpu, tenth)| Guest {
            lane,
            cpu,
            in_tenth: tenth.contains(&lane),
        })
    };
    lanes.into_iter().flat_map(guest).collect()
}

/// What all guests share: the engine, and with it one lab.
pub struct Bench {
    pub engine: Engine,
    config: Config,
    qemu: Arc<Qemu>,
    emulator: Option<Emulation>,
}

/// The bench, made with the first call; `None` where there is no QEMU.
pub fn bench() -> Option<&'static Bench> {
    static BENCH: OnceLock<Option<Bench>> = OnceLock::new();
    BENCH.get_or_init(make).as_ref()
}

fn make() -> Option<Bench> {
    let path = require(Capability::Qemu)?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = Config::built_in(folder, &folder.join(".cache")).expect("a configuration");
    let cancel = Cancel::new().expect("an eventfd");
    let newest = inventory(&config, &[path], &cancel).qemus.pop()?;
    let installed = inventory(&config, &config.qemu_paths(), &cancel).qemus;
    let options = Options {
        // A lab that is started on a busy machine takes a minute and more.
        timeout: Duration::from_secs(300),
        ..Options::default()
    };
    let store = Store::open(&config).expect("the tables");
    Some(Bench {
        emulator: scope::emulator(&config, &installed),
        engine: Engine::new(store, options, 0, cancel).expect("an engine"),
        qemu: newest,
        config,
    })
}

impl Guest {
    /// `explain/tcg/EPYC,-avx2`.
    pub fn name(&self) -> String {
        format!("explain/{}/{}", self.lane, self.cpu)
    }

    /// How many of its causes are undone: in a lab a guest takes as long as ten here.
    pub fn proofs(&self) -> usize {
        if self.lane == Lane::LAB {
            3
        } else {
            usize::MAX
        }
    }

    /// Whether it can run: TCG is no host.
    pub fn can_run(&self) -> bool {
        self.lane == Lane::LAB || !self.cpu.starts_with("host")
    }

    /// The guest as a case; `None` where the machine lacks what its lane needs.
    pub fn case(&self, bench: &Bench) -> Option<Case> {
        let case = Case::new(&bench.qemu, self.lane, "q35", self.cpu);
        let kernel = match self.lane {
            Lane::LAB => {
                require(Capability::Kernel(KERNEL))?;
                let there = kernels::kernels(&bench.config).0;
                there
                    .into_iter()
                    .find(|kernel| kernel.label == format!("linux-{KERNEL}"))
            }
            _ => None,
        };
        let wanted = Wanted {
            emulator: kernel.as_ref().and(bench.emulator.clone()),
            kernel,
            ..Wanted::default()
        };
        let registry = Registry::default();
        let lane = registry.get(self.lane).expect("a lane");
        Some(lane.place(case, &wanted).expect("a place"))
    }
}
