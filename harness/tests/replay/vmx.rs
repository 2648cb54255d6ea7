//! VMX capability MSRs as kvm-intel offered them on emulated hosts (`show --kvm --format lines`), as a guest without VMX read them (`dump
//! --format json`), and as QEMU's properties moved them (`catalogue`); CONTRIBUTING.md has the commands.

use std::path::{Path, PathBuf};

use cpuid_fidelity::case::Accelerator;
use cpuid_fidelity::check::{CheckId, Finding, Layer, architecture, msrs};
use cpuid_fidelity::cpuid::dump::{Dump, Reading};
use cpuid_fidelity::cpuid::table::{Field, Measured, Space, Table};
use cpuid_fidelity::expectation::{Expected, Files};
use cpuid_fidelity::input::read;
use cpuid_fidelity::run::catalogue::lines::{self, Measurement};
use cpuid_fidelity::run::catalogue::{Evidence, disagreements, seen};
use fidelity_protocol::frame::Phase;

use super::{folder, require::root, table};

/// What a dump says of its guest before its registers.
const HEAD: &str = "\
agent apic-id                   apic-id = 0
agent cpuid                     cpuid = yes
agent mode                      mode = 64
agent phases                    phases = reset,msrs
agent vcpus                     vcpus = 1
";

/// Files with this extension of a folder.
fn files(folder: PathBuf, extension: &str) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let paths = paths.filter(|path| path.extension().is_some_and(|own| own == extension));
    let named = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a text");
        (path.display().to_string(), text)
    };
    paths.map(named).collect()
}

/// What every kvm-intel that was recorded offers: of expectations, which have more than a dump, its CPUID and its feature MSRs.
fn offers(table: &Table) -> Vec<(String, Dump)> {
    let mut all = files(folder().join("vmx"), "txt");
    all.extend(expected());
    let dump = |(name, text): (String, String)| {
        let input = read(text.as_bytes(), table).expect("registers");
        let dump = input.first().and_then(|input| input.dump());
        (name, dump.expect("a dump"))
    };
    all.into_iter().map(dump).collect()
}

/// The same of expectations, each with its base.
fn expected() -> Vec<(String, String)> {
    let expectations = Files::new(&root().join("expectations"));
    let kernels = std::fs::read_dir(root().join("expectations/kernels")).expect("a folder");
    let mut found = Vec::new();
    for kernel in kernels.flatten() {
        let release = kernel.file_name().into_string().expect("UTF-8");
        for (name, _) in files(kernel.path(), "snap") {
            let file = name.rsplit('/').next().unwrap_or(&name).to_owned();
            let path = Path::new("kernels").join(&release).join(file);
            let Ok(Expected::Text(text)) = expectations.expectation(&path) else {
                panic!("no {}", path.display());
            };
            found.push((path.display().to_string(), text));
        }
    }
    found.retain(|(_, text)| text.contains("vmx-vmcs-size"));
    let own = |line: &&str| line.starts_with("cpuid ") || line.starts_with("msr ");
    for (_, text) in &mut found {
        let registers: Vec<&str> = text.lines().filter(own).collect();
        *text = format!("{HEAD}{}\n", registers.join("\n"));
    }
    found
}

fn contradictions(dump: &Dump, table: &Table) -> Vec<String> {
    let found = architecture::all(dump, Accelerator::Kvm, table);
    let own = found
        .iter()
        .filter(|finding| finding.check == CheckId::MsrValues);
    let text = |one: &Finding| format!("{}: {}; {}", one.name, one.expected, one.actual);
    own.map(text).collect()
}

/// True: KVM emulated UMIP for its guests, and its feature MSR did not say so before a910b5ab6b25 ("KVM: nVMX: Set UMIP bit CR4_FIXED1 MSR
/// when emulating UMIP", Linux 6.0).
const UMIP_OF_5_10: [&str; 1] =
    ["IA32_VMX_CR4_FIXED1: CR4[11] may be 1, by CPUID's umip; CR4[11] may be 0"];

#[test]
fn what_kvm_offers_of_vmx_contradicts_neither_itself_nor_cpuid_but_for_umip_of_5_10() {
    let table = table();
    let offers = offers(&table);
    assert!(offers.len() >= 6, "{} offers", offers.len());
    for (name, dump) in offers {
        let known: &[&str] = if name.contains("5.10") {
            &UMIP_OF_5_10
        } else {
            &[]
        };
        assert_eq!(contradictions(&dump, &table), known, "{name}");
    }
}

#[test]
fn a_changed_bit_of_what_kvm_offers_is_found() {
    let table = table();
    for (name, mut dump) in offers(&table) {
        let msrs = dump.vcpus[0].phases.get_mut(&Phase::Msrs).expect("MSRs");
        // EPT goes, and what needs it stays.
        let Some(Reading::Value(value)) = msrs.msrs.get_mut(&0x48B) else {
            panic!("{name} has no secondary controls");
        };
        *value &= !(1 << 33);
        let found = contradictions(&dump, &table).concat();
        assert!(found.contains("vmx-unrestricted-guest"), "{name}: {found}");
    }
}

#[test]
fn a_guest_without_vmx_gets_gp_from_every_capability_msr() {
    let text = std::fs::read_to_string(folder().join("vmx/without-vmx.json")).expect("a record");
    let dump: Dump = serde_json::from_str(&text).expect("a dump");
    let msrs_read = &dump.vcpus[0].phase(Phase::Msrs).expect("MSRs").msrs;
    for index in 0x480..=0x493 {
        assert_eq!(
            msrs_read.get(&index),
            Some(&Reading::Fault(13)),
            "{index:#x}"
        );
    }
    let found = msrs::msrs(&dump, Accelerator::Kvm, Layer::Kvm, &table());
    assert!(found.is_empty(), "{found:?}");
}

fn measurements() -> Vec<Measurement> {
    let mut all = Vec::new();
    for (name, text) in files(folder().join("vmx"), "tsv") {
        all.extend(lines::read(&text).unwrap_or_else(|error| panic!("{name}: {error}")));
    }
    all
}

#[test]
fn the_table_has_what_the_recorded_measurements_of_vmx_show() {
    let table = table();
    for mut measurement in measurements() {
        measurement.leave_out(&table);
        let Measurement {
            catalogue,
            release,
            label,
        } = &measurement;
        let wrong = disagreements(catalogue, &table, *release);
        assert_eq!(wrong, Vec::<String>::new(), "{label}");
    }
}

#[test]
fn every_vmx_property_was_measured_as_the_table_says() {
    let table = table();
    let measurements = measurements();
    let of_vmx = |field: &&Field| field.qemu.is_some() && (0x480..=0x493).contains(&field.leaf);
    let fields = table.fields().iter().filter(of_vmx);
    let mut counted = 0;
    for field in fields.filter(|field| field.space == Space::Msr) {
        let ways: Vec<Evidence> = measurements
            .iter()
            .filter(|one| seen(&one.catalogue, field))
            .map(|one| one.catalogue.moved[&field.name].evidence)
            .collect();
        let way = match field.measured {
            Some(Measured::InGuest) => Evidence::Guest,
            Some(Measured::ByRefusal) => Evidence::Refusal,
            Some(Measured::ByClearing) => Evidence::Cleared,
            None => panic!("{} was not measured", field.name),
        };
        assert!(ways.contains(&way), "{}: {ways:?}", field.name);
        counted += 1;
    }
    assert_eq!(counted, 96);
}
