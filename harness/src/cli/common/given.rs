//! A table that KVM is given out of a file.

use std::path::Path;

use anyhow::Context as _;
use cpuid_fidelity::cpuid::dump::Dump;
use cpuid_fidelity::lanes::kvm_direct::table_of;
use cpuid_fidelity::util::limits::RECORD;
use cpuid_fidelity::util::open;
use cpuid_fidelity::vmm::kvm::table::CpuidTable;

/// The CPUID of a dump, as a table for KVM.
pub fn table(file: &Path) -> anyhow::Result<CpuidTable> {
    let name = file.display();
    let text = open::data_text(file, RECORD).with_context(|| format!("failed to read {name}"))?;
    let dump: Dump = serde_json::from_str(&text)
        .with_context(|| format!("failed to read the dump in {name}"))?;
    table_of(&dump).with_context(|| format!("the dump in {name} has no CPUID"))
}
