//! The answer booted here with all its features forced: whether QEMU makes of the argument what the answer says.

use cpuid_fidelity::case::{Case, Lane};
use cpuid_fidelity::fleet::{Catalogue, PageBoot};
use cpuid_fidelity::input::{Format, Input, Known, Presence};

use crate::cli::common::qemu::installed;
use crate::cli::context::Context;

/// What QEMU turns off and on under KVM by itself (`kvm_default_props` in target/i386/kvm/kvm-cpu.c): said here, because TCG does not.
const KVM_DEFAULTS: &str = "acpi=off,monitor=off,svm=off,x2apic=on";

/// Boots it; `None` where no QEMU of the release is here.
///
/// # Errors
/// The guest did not run.
pub fn boot(
    context: &Context,
    catalogue: &Catalogue,
    (cpu, features): (&str, &[String]),
    release: &str,
    machine: &str,
) -> anyhow::Result<Option<PageBoot>> {
    let inventory = if context.named.is_empty() {
        installed(context)
    } else {
        context.inventory()?
    };
    let folder = format!("qemu-{release}");
    let Some(qemu) = inventory
        .qemus
        .into_iter()
        .find(|qemu| qemu.release_folder() == folder)
    else {
        return Ok(None);
    };
    let (model, flags) = cpu.split_once(',').unwrap_or((cpu, ""));
    let cpu = format!("{model},{KVM_DEFAULTS},{flags}");
    let case = Case::new(&qemu, Lane::DEFINITION, machine, cpu.trim_end_matches(','));
    let boot = |failure: String, differing| {
        Ok(Some(PageBoot {
            qemu: qemu.label.clone(),
            failure,
            differing,
        }))
    };
    let seen = match context.engine()?.boot(&case, &context.options) {
        Ok(seen) => seen,
        Err(broken) => return boot(broken.reason, Vec::new()),
    };
    let input = Input::of_dump(Format::Dump, seen.dump);
    let Some(cpu) = input.cpus.first() else {
        return boot("it reported nothing".to_owned(), Vec::new());
    };
    let known = Known::new(&input, cpu, &context.store.table);
    let differs = |feature: &&cpuid_fidelity::fleet::Feature| {
        let wanted = features.contains(&feature.name);
        let shown = known.presence(&feature.field);
        // TCG has no feature MSRs and no vme, and what no answer asks for is QEMU's own.
        feature.is_cpuid()
            && feature.name != "vme"
            && feature.weight > 0
            && shown != Presence::Unknown
            && (shown == Presence::Present) != wanted
    };
    let differing = catalogue
        .features()
        .iter()
        .filter(differs)
        .map(|feature| feature.name.clone());
    boot(String::new(), differing.collect())
}
