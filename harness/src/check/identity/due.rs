//! What identity a guest was promised, and by whom.

use std::collections::BTreeMap;

use super::letters::letters;
use super::levels::{Beside, Limit};
use crate::case::cpu_argument::{number, properties, properties_under_kvm};
use crate::case::{Starter, Topology};
use crate::check::topology::Asked;
use crate::cpuid::Dump;
use crate::cpuid::answers::{Answers, Key, Regs};
use crate::cpuid::parse::parse_masked;
use crate::cpuid::table::{Space, Table};
use crate::evidence::qemu::Properties;
use crate::evidence::{Evidence, Promised};

/// A value, and who promises it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word<T> {
    pub value: T,
    pub by: String,
}

impl<T> Word<T> {
    fn new(value: T, by: &str) -> Word<T> {
        let by = by.to_owned();
        Word { value, by }
    }
}

/// What is due; of what nobody promises there is nothing here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    pub level: Option<Limit>,
    pub xlevel: Option<Limit>,
    pub vendor: Option<Word<String>>,
    /// By field of leaf 1 EAX.
    pub signature: BTreeMap<String, Word<u32>>,
    pub brand: Option<Word<String>>,
}

/// The `-cpu` argument that QEMU was given: libvirt makes it from a domain's XML.
fn argument(evidence: &Evidence) -> &str {
    let libvirt = evidence.libvirt.as_ref();
    let made = libvirt.and_then(|layer| layer.cpu_argument());
    made.unwrap_or(&evidence.case.cpu)
}

/// What the guest's CPU is to say of itself; `None` where QEMU did not make it, or nobody promises anything.
pub(super) fn due(evidence: &Evidence, table: &Table) -> Option<Due> {
    if evidence.case.run_as.starter == Starter::Harness {
        return None;
    }
    let argument = argument(evidence);
    let model = argument.split(',').next().unwrap_or(argument);
    let kvm = evidence.case.uses_kvm();
    let mut due = match model {
        "host" => of_host(evidence, table),
        "max" if kvm => of_host(evidence, table),
        "max" => {
            let qemu = evidence.qemu.as_ref();
            of_expansion(qemu?.full_properties.as_ref()?)
        }
        _ => {
            let mut due = of_model(evidence.promised.as_ref()?, table)?;
            if kvm {
                // x86_cpu_load_model, since 6.0 host_cpu_instance_init: the host's vendor, whatever the model's.
                due.vendor = host(evidence).map(|host| Word::new(vendor(host), PROCESSOR));
            }
            due
        }
    };
    let properties = if kvm {
        properties_under_kvm(argument)
    } else {
        properties(argument)
    };
    due.take(&properties);
    let smp: Option<Topology> = evidence.case.smp.parse().ok();
    let beside = Beside {
        properties: &properties,
        vcpus: smp.map_or(1, |smp| smp.vcpus()),
        parts: Asked::of_case(&evidence.case).and_then(|asked| asked.parts),
        table,
    };
    due.level = due.level.map(|limit| beside.limit(limit, false));
    due.xlevel = due.xlevel.map(|limit| beside.limit(limit, true));
    Some(due)
}

const PROCESSOR: &str = "the host's processor";

/// CPUID of the host's first processor.
fn host(evidence: &Evidence) -> Option<&Answers> {
    let first = evidence.host.as_ref()?.cpus.first()?;
    Some(&first.cpuid.value()?.answers)
}

fn regs(answers: &Answers, leaf: u32) -> Regs {
    answers.get(&Key::new(leaf, 0)).copied().unwrap_or_default()
}

fn vendor(answers: &Answers) -> String {
    let [_, ebx, ecx, edx] = regs(answers, 0);
    letters(&[ebx, edx, ecx])
}

/// Vendor, signature and brand of CPUID's answers.
fn named(answers: &Answers, by: &str, table: &Table) -> Due {
    let [eax, ..] = regs(answers, 1);
    let fields = table.register(Space::Cpuid, 1, 0, 0);
    let signature = fields.filter_map(|field| {
        let value = (u64::from(eax) & field.mask()) >> field.low;
        Some((
            field.name.clone(),
            Word::new(u32::try_from(value).ok()?, by),
        ))
    });
    let words = [0x8000_0002, 0x8000_0003, 0x8000_0004].map(|leaf| regs(answers, leaf));
    let whole = answers.contains_key(&Key::new(0x8000_0004, 0));
    Due {
        vendor: Some(Word::new(vendor(answers), by)),
        signature: signature.collect(),
        brand: whole.then(|| Word::new(letters(&words.concat()), by)),
        ..Due::default()
    }
}

/// A named model: the reviewed definition.
fn of_model(promised: &Promised, table: &Table) -> Option<Due> {
    let text: Vec<String> = promised.lines.iter().map(ToString::to_string).collect();
    let dump: Dump = parse_masked(&text.join("\n")).ok()?;
    let boot = dump.boot_processor()?;
    let answers = &boot.phase(fidelity_protocol::frame::Phase::Reset)?.cpuid;
    let by = match &promised.nearest {
        Some(_) => format!("{}, the nearest recorded release", promised.source),
        None => promised.source.clone(),
    };
    let extended = answers.get(&Key::new(0x8000_0000, 0));
    Some(Due {
        level: Some(Limit::exactly(regs(answers, 0)[0], &by)),
        xlevel: Some(Limit::exactly(extended.map_or(0, |regs| regs[0]), &by)),
        ..named(answers, &by, table)
    })
}

/// `host`: the hardware; the limits are those of KVM's table, which features of QEMU's own may raise (kvm_cpu_max_instance_init in
/// target/i386/kvm/kvm-cpu.c).
fn of_host(evidence: &Evidence, table: &Table) -> Due {
    let mut due = host(evidence).map_or_else(Due::default, |host| named(host, PROCESSOR, table));
    let supported = evidence.kvm.value().map(|kvm| &kvm.supported);
    let last = |leaf: u32, most: u32| {
        let least = supported?.find(leaf, 0)?.regs[0];
        let by = "KVM_GET_SUPPORTED_CPUID".to_owned();
        let most = least.max(most);
        Some(Limit { least, most, by })
    };
    due.level = last(0, 0x1F);
    due.xlevel = last(0x8000_0000, 0x8000_001F);
    due
}

/// `max` under TCG: `query-cpu-model-expansion`, type `full`. A signature of zeros is one that QEMU makes up later, in
/// max_x86_cpu_realize.
fn of_expansion(expansion: &Properties) -> Due {
    let by = "query-cpu-model-expansion";
    let text = |name: &str| Some(Word::new(expansion.get(name)?.as_str()?.to_owned(), by));
    let number = |name: &str| u32::try_from(expansion.get(name)?.as_u64()?).ok();
    let limit = |name: &str| Some(Limit::exactly(number(name)?, by));
    let mut due = Due {
        level: limit("level"),
        xlevel: limit("xlevel"),
        vendor: text("vendor"),
        brand: text("model-id"),
        ..Due::default()
    };
    for name in ["family", "model", "stepping"] {
        if let Some(value) = number(name).filter(|_| number("family") != Some(0)) {
            due.set(name, value, by);
        }
    }
    due
}

impl Due {
    /// What the argument says itself.
    fn take(&mut self, properties: &[(String, String)]) {
        for (name, value) in properties {
            let by = format!("-cpu {name}={value}");
            match name.as_str() {
                "vendor" => self.vendor = Some(Word::new(value.clone(), &by)),
                "model-id" => self.brand = Some(Word::new(value.clone(), &by)),
                "family" | "model" | "stepping" => {
                    if let Some(value) = number(value) {
                        self.set(name, value, &by);
                    }
                }
                _ => {}
            }
        }
    }

    /// A property as its fields have it (x86_cpuid_version_set_family, …_model and …_stepping).
    fn set(&mut self, property: &str, value: u32, by: &str) {
        let fields = match property {
            "family" => vec![
                ("family", value.min(0xF)),
                ("ext-family", value.saturating_sub(0xF)),
            ],
            "model" => vec![("model", value & 0xF), ("ext-model", value >> 4)],
            _ => vec![("stepping", value)],
        };
        let fields = fields.into_iter();
        let fields = fields.map(|(name, value)| (name.to_owned(), Word::new(value, by)));
        self.signature.extend(fields);
    }
}
