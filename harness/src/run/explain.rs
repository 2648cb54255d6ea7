//! Gathers what every layer reports of one feature.

use serde_json::Value;

use super::engine::Engine;
use crate::case::flags::{flags, model};
use crate::case::{Case, Starter};
use crate::cpuid::dump::{Dump, Reading};
use crate::cpuid::table::Field;
use crate::cpuid::table::Table;
use crate::evidence::Evidence as Layers;
use crate::explain::host::owner;
use crate::explain::{Claim, Evidence, State};
use crate::lanes::Broken;
use crate::lanes::gather::{add_machine, of_guest};
use crate::lanes::linux::lane::bare_metal;
use crate::vmm::kvm::table::CpuidTable;
use crate::vmm::qmp;
use fidelity_protocol::frame::Phase;

mod at;
mod definition;
mod host;
mod kernel;
mod libvirt;
use at::At;
pub use at::place;

/// Models that have no definition: what they have depends on the accelerator.
const OPEN: [&str; 2] = ["host", "max"];
/// Why definitions have no MSRs.
const NO_MSRS: &str = "definitions are read under TCG, where feature MSRs read 0";

/// The field that a name stands for: QEMU's spelling, an alias, Linux's or libvirt's, with underscores or hyphens.
pub fn named<'a>(table: &'a Table, name: &str) -> Option<&'a Field> {
    let hyphens = name.replace('_', "-");
    let other = |field: &&Field| {
        let mut aliases = field.aliases_of("linux").chain(field.aliases_of("libvirt"));
        aliases.any(|alias| alias.eq_ignore_ascii_case(name))
    };
    let any_case = |field: &&Field| field.name.eq_ignore_ascii_case(&hyphens);
    table
        .named(name)
        .or_else(|| table.named(&hyphens))
        .or_else(|| table.fields().iter().find(any_case))
        .or_else(|| table.fields().iter().find(other))
}

/// Asks every layer; boots the guest of `case`, and the definitions that it is compared with.
///
/// The second value is why the guest could not be run, where it could not.
pub fn gather(engine: &Engine, case: &Case, field: &Field) -> (Evidence, Option<String>) {
    // What stands above the guest's kernel is the same without one, and QEMU can be asked there.
    let bare = case.linux.is_some().then(|| bare_metal(case));
    let above = bare.as_ref().unwrap_or(case);
    let (layers, unseen) = layers(engine, above);
    let gatherer = Gatherer {
        engine,
        case: above,
        field,
        at: At::from_field(field),
        layers: &layers,
        broken: unseen.as_ref(),
    };
    let mut evidence = gatherer.evidence();
    let mut broken = unseen.as_ref().map(|broken| broken.reason.clone());
    if case.linux.is_some() {
        let (kernel, unseen) = kernel::gather(engine, case, field, evidence.guest.state);
        evidence.kernel = Some(kernel);
        broken = broken.or(unseen);
    }
    (evidence, broken)
}

/// All layers of a case, as a run gathers them, as far as they could be had: what is missing is unknown in the answer. The second value
/// is why the guest could not be run, where it could not.
fn layers(engine: &Engine, case: &Case) -> (Layers, Option<Broken>) {
    let gathered = engine.gather(case);
    if let Ok(layers) = gathered.evidence {
        return (layers, None);
    }
    let (mut layers, broken) = match gathered.guest.as_deref() {
        Some(Ok(seen)) => (of_guest(case, seen), None),
        Some(Err(broken)) => (Layers::new(case), Some(broken.clone())),
        None => (Layers::new(case), None),
    };
    if case.uses_kvm() {
        add_machine(&engine.bench, case, &mut layers);
    }
    (layers, broken)
}

struct Gatherer<'a> {
    engine: &'a Engine,
    case: &'a Case,
    field: &'a Field,
    at: At,
    layers: &'a Layers,
    broken: Option<&'a Broken>,
}

impl Gatherer<'_> {
    fn evidence(&self) -> Evidence {
        let (known, since) = self.known();
        let name = model(&self.case.cpu).to_owned();
        let resolved = self.resolved(&name);
        let flag = flags(&self.case.cpu)
            .into_iter()
            .rfind(|flag| self.is_me(&flag.name));
        let guest = self.guest();
        let (given, filtered) = self.given(self.layers);
        let with_flags = self.definition(&self.case.machine, &self.case.cpu);
        Evidence {
            lane: self.case.lane,
            machine: self.case.machine.clone(),
            host: self.uses_kvm().then(|| self.host()),
            known,
            since,
            versions: self.versions(&resolved),
            on_machine: self.definition(&self.case.machine, &name),
            off_by_default: self.off_by_default(&with_flags, given.as_ref(), filtered),
            needs: self.needs(&with_flags, flag.as_ref()),
            not_migratable: self.not_migratable(&name, guest.state),
            with_flags,
            resolved,
            model: name,
            flag,
            libvirt: libvirt::gather(self.engine, self.field, self.layers, self.broken),
            given,
            filtered,
            guest,
            kernel: None,
        }
    }

    /// Whether QEMU asks KVM for the guest's features.
    fn is_under_kvm(&self) -> bool {
        self.uses_kvm() && self.case.run_as.starter == Starter::Qemu
    }

    fn uses_kvm(&self) -> bool {
        self.case.uses_kvm()
    }

    fn is_me(&self, name: &str) -> bool {
        self.field.name == name || self.field.aliases_of("qemu").any(|alias| alias == name)
    }

    fn in_table(&self, table: &CpuidTable) -> Option<bool> {
        let At::Cpuid(bit) = self.at else {
            return None;
        };
        let row = table.find(bit.key.leaf, bit.key.subleaf)?;
        Some(bit.is_set(row.regs))
    }

    // QEMU.

    fn ask(&self, machine: &str, command: &Value) -> Result<Value, String> {
        let timeout = self.engine.bench.options.timeout;
        let commands = std::slice::from_ref(command);
        let path = &self.case.qemu.path;
        let answers = qmp::ask(path, machine, commands, timeout, self.engine.bench.cancel());
        match answers {
            Ok(mut answers) => Ok(answers.swap_remove(0)),
            Err(error) => Err(error.to_string()),
        }
    }

    fn not_migratable(&self, name: &str, guest: State) -> bool {
        if !OPEN.contains(&name) || guest != State::Absent {
            return false;
        }
        let free = Case {
            cpu: format!("{},migratable=off", self.case.cpu),
            ..self.case.clone()
        };
        match &*self.engine.observe(&free) {
            Ok(seen) => self.in_dump(&seen.dump) == Some(true),
            Err(_) => false,
        }
    }

    /// The flags that ask for what QEMU leaves off under KVM unless it is asked for: tried, because no QMP command
    /// reports its defaults.
    fn off_by_default(
        &self,
        with_flags: &Claim,
        given: Option<&Claim>,
        filtered: bool,
    ) -> Option<String> {
        let withheld = given.is_some_and(|given| given.state == State::Absent) && !filtered;
        if !self.is_under_kvm() || !withheld || with_flags.state != State::Present {
            return None;
        }
        let names = owner(self.field).into_iter().chain([&*self.field.name]);
        let asked: Vec<String> = names.map(|name| format!("{name}=on")).collect();
        let asked = asked.join(",");
        let case = Case {
            cpu: format!("{},{asked}", self.case.cpu),
            ..self.case.clone()
        };
        let (layers, _) = layers(self.engine, &case);
        let (given, filtered) = self.given(&layers);
        let gives = given.is_some_and(|given| given.state == State::Present);
        (gives || filtered).then_some(asked)
    }

    /// What QEMU reports that it gives, and whether it reports that it filtered the feature.
    fn given(&self, layers: &Layers) -> (Option<Claim>, bool) {
        if self.case.run_as.forced_features || layers.guest.vcpus.is_empty() {
            return (None, false);
        }
        if self.case.run_as.starter == Starter::Harness {
            let set = layers.given.first().and_then(|table| self.in_table(table));
            let claim = Claim::new(
                State::from_reading(Some(set == Some(true))),
                format!("KVM_SET_CPUID2 {}", self.at.place()),
            );
            return (Some(claim), false);
        }
        let Some(qemu) = &layers.qemu else {
            return (Some(Claim::unknown("QEMU did not answer over QMP")), false);
        };
        let warned = qemu.warnings.features.iter().any(|warned| match self.at {
            At::Cpuid(bit) => {
                let subleaf = warned.subleaf.is_none_or(|own| own == bit.key.subleaf);
                let here = warned.leaf == bit.key.leaf && subleaf;
                here && warned.register == Some(bit.register) && warned.bit == bit.bit
            }
            At::Msr(index, bit) => {
                warned.register.is_none() && (warned.leaf, warned.bit) == (index, bit)
            }
        });
        let At::Cpuid(bit) = self.at else {
            let claim = if warned {
                Claim::new(State::Absent, "a warning on stderr")
            } else {
                Claim::unknown("QMP's feature-words have no MSRs")
            };
            return (Some(claim), warned);
        };
        let in_qmp = qemu.filtered_bits().any(|filtered| filtered == bit);
        let register = qemu
            .words
            .iter()
            .find(|(place, _)| (place.key, place.register) == (bit.key, bit.register));
        let set = register.map(|(_, value)| value >> bit.bit & 1 == 1);
        let evidence = match (in_qmp, warned) {
            (true, true) => "set in QOM filtered-features, and a warning on stderr".to_owned(),
            (true, false) => "set in QOM filtered-features, without a warning".to_owned(),
            (false, true) => "a warning on stderr, not in QOM filtered-features".to_owned(),
            (false, false) if set.is_none() => {
                format!("QOM feature-words have no {bit}")
            }
            (false, false) => {
                let is = if set == Some(true) { "set" } else { "clear" };
                format!("{is} in QOM feature-words, not in filtered-features")
            }
        };
        let filtered = in_qmp || warned;
        let state = State::from_reading(if filtered { Some(false) } else { set });
        (Some(Claim::new(state, evidence)), filtered)
    }

    // The guest.

    fn guest(&self) -> Claim {
        if let Some(broken) = self.broken {
            return Claim::unknown(format!("not run: {}", broken.reason));
        }
        match self.in_dump(&self.layers.guest) {
            Some(true) => Claim::new(State::Present, self.line()),
            Some(false) => Claim::new(
                State::Absent,
                format!("{} clear in the dump", self.at.place()),
            ),
            None => Claim::new(
                State::Absent,
                format!("the dump has no {}", self.at.place()),
            ),
        }
    }

    /// The line of the dump that shows it.
    fn line(&self) -> String {
        let store = &self.engine.bench.store;
        let lines = self.layers.guest_lines(&store.table, &store.volatile);
        let mine = |line: &&crate::cpuid::line::Line| line.name() == self.field.name;
        let line = lines.iter().find(mine);
        let line = line.map(ToString::to_string).unwrap_or_default();
        let columns: Vec<&str> = line.split_whitespace().collect();
        format!("dump: {}", columns.join(" "))
    }

    /// Of the boot processor, before or after an OS set its control state.
    fn in_dump(&self, dump: &Dump) -> Option<bool> {
        let boot = dump.boot_processor()?;
        match self.at {
            At::Cpuid(bit) => {
                let in_phase = |phase| {
                    let regs = boot.phase(phase)?.cpuid.get(&bit.key)?;
                    Some(bit.is_set(*regs))
                };
                let reset = in_phase(Phase::Reset);
                let enabled = in_phase(Phase::Enabled);
                match (reset, enabled) {
                    (Some(true), _) | (_, Some(true)) => Some(true),
                    (reset, enabled) => reset.or(enabled),
                }
            }
            At::Msr(index, bit) => boot.phases.values().find_map(|phase| {
                phase.msrs.get(&index).map(|reading| match reading {
                    Reading::Value(value) => value >> bit & 1 == 1,
                    Reading::Fault(_) => false,
                })
            }),
        }
    }
}
