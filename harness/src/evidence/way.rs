//! The layers of a case, as far as they were asked, as one way that features go.

use std::collections::BTreeSet;

use super::flow::{Features, Step, features, flow};
use super::qemu::{QemuLayer, Word};
use super::record::Evidence;
use crate::cpuid::{Dump, Key, Regs, Table};
use crate::vmm::kvm::CpuidTable;

type Layer<'a> = (&'static str, bool, Features<'a>);

/// The way of the features through the layers of a case; `None` where there is nothing between the model and the guest, or a layer
/// is missing.
pub fn way(evidence: &Evidence, table: &Table) -> Option<Vec<Step>> {
    if evidence.case.run_as.forced_features || evidence.libvirt.is_some() {
        return None;
    }
    Some(flow(&layers(evidence, table)?))
}

fn layers<'a>(evidence: &Evidence, table: &'a Table) -> Option<Vec<Layer<'a>>> {
    let mut layers = match evidence.given.first() {
        Some(given) => vec![
            ("given", true, of_table(table, given)),
            ("kvm", true, of_table(table, evidence.kept.first()?)),
        ],
        None => below_qemu(evidence, table)?,
    };
    let guest = evidence.bare_metal.as_ref().unwrap_or(&evidence.guest);
    layers.push(("guest", true, of_dump(table, guest)));
    if let Some(report) = evidence.linux_report() {
        layers.push(("/proc/cpuinfo", false, shown(table, &report.cpuinfo.flags)));
    }
    Some(layers)
}

/// The model, what the machine can give, and what QEMU reports.
fn below_qemu<'a>(evidence: &Evidence, table: &'a Table) -> Option<Vec<Layer<'a>>> {
    let definition = evidence.definition.as_ref()?;
    let mut layers = vec![("model", true, of_dump(table, definition))];
    if evidence.case.uses_kvm() {
        let host = evidence.host.as_deref()?;
        let hardware = host.cpus.first()?.cpuid.value()?;
        let read = |leaf, subleaf| hardware.answers.get(&Key::new(leaf, subleaf)).copied();
        layers.push(("hardware", false, features(table, read)));
        if let Some(info) = host.cpuinfo.value() {
            layers.push(("host kernel", false, shown(table, &info.flags)));
        }
        let kvm = evidence.kvm.value()?;
        layers.push(("kvm", false, of_table(table, &kvm.supported)));
    }
    let words = evidence.qemu.as_ref()?;
    let read = |leaf, subleaf| feature_words(words, leaf, subleaf);
    layers.push(("qemu", true, features(table, read)));
    Some(layers)
}

fn of_dump<'a>(table: &'a Table, dump: &Dump) -> Features<'a> {
    let guest = dump.boot_processor().cloned().unwrap_or_default();
    features(table, |leaf, subleaf| guest.cpuid(leaf, subleaf))
}

fn of_table<'a>(table: &'a Table, given: &CpuidTable) -> Features<'a> {
    features(table, |leaf, subleaf| {
        given.find(leaf, subleaf).map(|row| row.regs)
    })
}

/// What flags of Linux show; a feature for which Linux has no flag counts as shown.
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

/// What QEMU's feature words show of a leaf.
fn feature_words(qemu: &QemuLayer, leaf: u32, subleaf: u32) -> Option<Regs> {
    let key = Key::new(leaf, subleaf);
    let register = |register| qemu.words.get(&Word { key, register }).copied();
    let regs = [0, 1, 2, 3].map(register);
    regs.iter()
        .any(Option::is_some)
        .then(|| regs.map(Option::unwrap_or_default))
}
