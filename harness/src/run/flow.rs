//! The layers of a case, as far as they were asked, as one way that features go.

use std::collections::BTreeSet;

use super::engine::{Engine, Observation};
use crate::case::guest::{Case, Lane};
use crate::cpuid::answers::{Key, Regs};
use crate::cpuid::dump::Dump;
use crate::cpuid::table::Table;
use crate::evidence::flow::{Features, Step, features, flow};
use crate::evidence::qemu::{QemuLayer, Word};
use crate::vmm::kvm::table::CpuidTable;

/// Through the layers of `case`; `None` where there is nothing between the model and the guest (lane `definition`), or the
/// definition could not be had.
pub fn of(engine: &Engine, case: &Case, observation: &Observation) -> Option<Vec<Step>> {
    Some(flow(&layers(engine, case, observation)?))
}

/// Of a Linux guest: the way of the same guest without an operating system (`bare`, which showed `agent`), and what the guest's kernel shows of it in
/// /proc/cpuinfo.
pub fn of_linux(
    engine: &Engine,
    bare: &Case,
    agent: &Observation,
    flags: &BTreeSet<String>,
) -> Option<Vec<Step>> {
    let mut layers = layers(engine, bare, agent)?;
    layers.push(("/proc/cpuinfo", false, shown(&engine.store.table, flags)));
    Some(flow(&layers))
}

type Layer<'a> = (&'static str, bool, Features<'a>);

fn layers<'a>(
    engine: &'a Engine,
    case: &Case,
    observation: &Observation,
) -> Option<Vec<Layer<'a>>> {
    let table = &engine.store.table;
    let of_dump = |dump: &Dump| {
        let guest = dump.boot_processor().cloned().unwrap_or_default();
        features(table, |leaf, subleaf| guest.cpuid(leaf, subleaf))
    };
    let of_table = |given: &CpuidTable| {
        features(table, |leaf, subleaf| {
            given.find(leaf, subleaf).map(|row| row.regs)
        })
    };
    let mut layers: Vec<Layer<'_>> = Vec::new();
    match case.lane {
        Lane::Definition | Lane::Linux | Lane::Libvirt => return None,
        Lane::KvmDirect => {
            layers.push(("given", true, of_table(observation.given.first()?)));
            layers.push(("kvm", true, of_table(observation.kept.first()?)));
        }
        Lane::Tcg | Lane::Kvm | Lane::Lab => {
            let forced = Case {
                lane: Lane::Definition,
                ..case.clone()
            };
            let definition = engine.observe(&forced);
            let definition = definition.as_ref().as_ref().ok()?;
            layers.push(("model", true, of_dump(&definition.dump)));
            if case.lane == Lane::Kvm {
                // Of where the guest ran: in a lab that is the emulated host.
                let host = engine.host_layer()?;
                let hardware = host.cpus.first()?.cpuid.value()?;
                let read = |leaf, subleaf| hardware.answers.get(&Key::new(leaf, subleaf)).copied();
                layers.push(("hardware", false, features(table, read)));
                if let Some(info) = host.cpuinfo.value() {
                    layers.push(("host kernel", false, shown(table, &info.flags)));
                }
                layers.push(("kvm", false, of_table(&engine.kvm_layer()?.supported)));
            }
            let words = observation.qemu.as_ref()?;
            let read = |leaf, subleaf| word(words, leaf, subleaf);
            layers.push(("qemu", true, features(table, read)));
        }
    }
    layers.push(("guest", true, of_dump(&observation.dump)));
    Some(layers)
}

/// What flags of Linux show; a feature for which Linux has no flag is taken for shown.
fn shown<'a>(table: &'a Table, flags: &BTreeSet<String>) -> Features<'a> {
    let mut all = features(table, |_, _| Some([u32::MAX; 4]));
    all.retain(|name| {
        let field = table.named(name);
        let aliases = field
            .into_iter()
            .flat_map(|field| field.aliases_of("linux"));
        let aliases: Vec<&str> = aliases.collect();
        aliases.is_empty() || aliases.iter().any(|flag| flags.contains(*flag))
    });
    all
}

/// What QEMU's feature words say of a leaf.
fn word(qemu: &QemuLayer, leaf: u32, subleaf: u32) -> Option<Regs> {
    let key = Key::new(leaf, subleaf);
    let register = |register| qemu.words.get(&Word { key, register }).copied();
    let regs = [0, 1, 2, 3].map(register);
    regs.iter()
        .any(Option::is_some)
        .then(|| regs.map(Option::unwrap_or_default))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_flag_that_linux_has_can_be_missing() {
        let rows = "cpuid\t0x00000007\t00\tebx\t5\tavx2\tflag\t5.2\tpublic\tlinux:avx2\n\
                    cpuid\t0x00000007\t00\tebx\t7\tsmep\tflag\t5.2\tpublic\tlinux:smep\n\
                    cpuid\t0x00000007\t00\tebx\t13\tfdp-cs\tflag\t5.2\tpublic\t-\n";
        let table = Table::parse("x", rows).expect("a table");
        let flags = ["avx2".to_owned()].into();
        let shown: Vec<&str> = shown(&table, &flags).into_iter().collect();
        assert_eq!(shown, ["avx2", "fdp-cs"]);
    }
}
