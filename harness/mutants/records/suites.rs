//! Suites over recorded records: no QEMU, no KVM.

use std::path::{Path, PathBuf};

use cpuid_fidelity::case::parts::Prefer;
use cpuid_fidelity::case::{Accelerator, Lane, Topology};
use cpuid_fidelity::check::identity::identity;
use cpuid_fidelity::check::topology::{Asked, as_asked};
use cpuid_fidelity::check::{
    CheckId, Finding, Kind, Layer, Rules, architecture, compare, self_consistency, signature,
};
use cpuid_fidelity::cpuid::dump::Dump;
use cpuid_fidelity::cpuid::parse;
use cpuid_fidelity::cpuid::render::render;
use cpuid_fidelity::cpuid::volatile::Volatile;
use cpuid_fidelity::evidence::{Evidence, Promised};
use cpuid_fidelity::host::HostLayer;
use serde::de::DeserializeOwned;

use super::dump::{STRIDE, mutants};
use cpuid_fidelity::cpuid::table::BRAND;

use super::fields::{
    IDENTITY, TOPOLOGY, XSAVE, further_vcpus, of_control, of_fields, of_limits, of_msrs, of_vendor,
};
use super::tally::{Suite, Tally, none};
use super::{Tables, behaviour, kvm, layers, rules};

impl Tables {
    /// As checks take them.
    pub fn rules(&self) -> Rules<'_> {
        Rules {
            table: &self.names,
            linux: None,
            behaviour: Some(&self.behaviour),
        }
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("harness/tests/records")
}

fn read<T: DeserializeOwned>(name: &str) -> anyhow::Result<T> {
    let path = folder().join(name);
    let text = std::fs::read_to_string(&path)
        .map_err(|error| anyhow::anyhow!("failed to read {}: {error}", path.display()))?;
    Ok(serde_json::from_str(&text)?)
}

/// Dumps of single guests, by name, and their `-smp`.
const DUMPS: [(&str, &str); 7] = [
    ("486", "1"),
    ("coreduo-smp2", "2,sockets=1,cores=2,threads=1"),
    ("epyc-milan", "1"),
    ("opteron-g5-hangs", "1"),
    ("qemu64-smp4", "4,sockets=2,cores=2,threads=1"),
    (
        "sapphire-rapids-dies",
        "2,sockets=1,dies=2,cores=1,threads=1",
    ),
    ("skylake-server-v4", "1"),
];

/// Every suite, run.
///
/// # Errors
/// A record cannot be read.
pub fn run(tables: &Tables) -> anyhow::Result<Vec<Tally>> {
    let mut tallies = Vec::new();
    let name = "layers/qemu-11.1-tcg-Skylake-Server-v4";
    let record: Evidence = read(&format!("{name}.json"))?;
    let bare = Evidence {
        qemu: None,
        definition: None,
        ..record.clone()
    };
    for (name, smp) in DUMPS {
        let record: Dump = read(&format!("{name}.json"))?;
        tallies.push(decoder(tables, name, &record));
        tallies.push(expectation(tables, name, &record));
        tallies.extend(consistency(tables, name, &record, smp)?);
        tallies.push(promised(tables, name, &record, &bare, smp));
    }
    for name in behaviour::RECORDS {
        let dump: Dump = read(&format!("{name}.json"))?;
        tallies.push(behaviour::answers(tables, name, &dump, &bare));
    }
    let linux: Evidence = read(&format!("{}.json", behaviour::LINUX))?;
    tallies.push(behaviour::in_user_space(tables, behaviour::LINUX, &linux));
    tallies.extend(layers::agreement(tables, name, &record));
    let host: HostLayer = read("kvm-pvm/host.json")?;
    tallies.push(kvm::host_processors(tables, &host));
    for name in ["kvm-direct-486-v1", "kvm-direct-supported"] {
        let name = format!("kvm-pvm/{name}");
        let record: Evidence = read(&format!("{name}.json"))?;
        tallies.extend(kvm::direct(tables, &name, &record));
        tallies.push(kvm::announced(tables, &name, &record.guest));
        if record.case.cpu == "supported" {
            tallies.push(kvm::supported(tables, &name, &record, &host));
        }
    }
    tallies.retain(|tally| tally.total > 0);
    Ok(tallies)
}

/// The decoder is total and lossless: what it prints of a mutant differs from what it prints of the record, and reads back as the mutant.
fn decoder(tables: &Tables, name: &str, record: &Dump) -> Tally {
    const CHECK: &str = "decoder";
    let text = |dump: &Dump| {
        let lines = render(dump, &tables.names, &Volatile::default());
        lines
            .iter()
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    };
    let original = text(record);
    let findings = |dump: &Dump| {
        let printed = text(dump);
        let noticed = printed != original && parse(&printed).as_ref() == Ok(dump);
        let change = Finding::new(
            CheckId::from(CHECK),
            Kind::Changed,
            "text",
            "",
            "",
            Layer::Harness,
        );
        noticed.then_some(change).into_iter().collect()
    };
    Suite {
        check: CHECK,
        of: name,
        record,
        mutants: mutants(record, STRIDE),
        findings: &findings,
        excused: &none,
    }
    .run(tables.every)
}

/// Check 1, as expectations are compared: masked.
fn expectation(tables: &Tables, name: &str, record: &Dump) -> Tally {
    let lines = |dump: &Dump, masks: &Volatile| render(dump, &tables.names, masks);
    let original = lines(record, &tables.masks);
    let unmasked = lines(record, &Volatile::default());
    let findings = |dump: &Dump| compare(&original, &lines(dump, &tables.masks), Layer::Qemu);
    // The masks hide what they are for, and say why.
    let excused = |dump: &Dump| {
        let changes = compare(&unmasked, &lines(dump, &Volatile::default()), Layer::Qemu);
        let reasons = changes.iter().map(|change| match change.name.as_str() {
            // On a further vCPU a register that became 0 has one line for all of its fields.
            "zero" => Some("a masked register of a further vCPU that became 0"),
            name => tables.masks.reason(name),
        });
        let reasons: Option<Vec<&str>> = reasons.collect();
        Some(reasons?.first()?.to_string())
    };
    Suite {
        check: "expectation",
        of: name,
        record,
        mutants: mutants(record, STRIDE),
        findings: &findings,
        excused: &excused,
    }
    .run(tables.every)
}

/// Whose CPU it is: the record is what was promised. `bare` is the evidence of any guest, without layers.
fn promised(tables: &Tables, name: &str, record: &Dump, bare: &Evidence, smp: &str) -> Tally {
    let mut bare = bare.clone();
    bare.case.cpu = format!("{name}-v1");
    bare.case.smp = smp.to_owned();
    bare.promised = Some(Promised {
        source: name.to_owned(),
        nearest: None,
        lines: render(record, &tables.names, &tables.masks),
    });
    let findings = |dump: &Dump| {
        let evidence = Evidence {
            guest: dump.clone(),
            ..bare.clone()
        };
        identity(&evidence, &tables.names)
    };
    Suite {
        check: "identity",
        of: name,
        record,
        mutants: of_fields(&tables.names, record, &[&IDENTITY[..], &BRAND].concat()),
        findings: &findings,
        excused: &none,
    }
    .run(tables.every)
}

/// Checks 4, 5, 6 and 8, and the rules of the architecture: each against mutants of the fields that it speaks of.
fn consistency(
    tables: &Tables,
    name: &str,
    record: &Dump,
    smp: &str,
) -> anyhow::Result<Vec<Tally>> {
    let smp: Topology = smp.parse().map_err(anyhow::Error::msg)?;
    let asked = Asked {
        vcpus: smp.vcpus(),
        parts: smp.parts_on(Prefer::Cores),
    };
    let findings = |dump: &Dump| {
        let mut found = as_asked(dump, asked, &Layer::Qemu, &tables.names);
        found.extend(self_consistency::all(
            dump,
            Lane::TCG.run_as(),
            &tables.names,
        ));
        found.extend(architecture::all(dump, Accelerator::Tcg, &tables.names));
        found.extend(signature::signature(dump, Layer::Qemu, &tables.names));
        found
    };
    let suite = |check, mutants| {
        Suite {
            check,
            of: name,
            record,
            mutants,
            findings: &findings,
            excused: &none,
        }
        .run(tables.every)
    };
    let table = &tables.names;
    Ok(vec![
        suite("vcpus", further_vcpus(record)),
        suite("topology", of_fields(table, record, &TOPOLOGY)),
        suite("limits", of_limits(record)),
        suite(
            "xsave",
            of_fields(table, record, &XSAVE)
                .into_iter()
                .chain(of_control(record))
                .chain(rules::of_components(table, record))
                .collect(),
        ),
        suite("dependencies", rules::of_dependencies(table, record)),
        suite("leaves", rules::of_leaves(table, record)),
        suite("geometry", rules::of_geometry(table, record)),
        suite("msr-values", rules::of_msr_values(table, record)),
        suite("msrs", of_msrs(table, record, Accelerator::Tcg)),
        suite("vendor", of_vendor(table, record)),
        suite("signature", rules::of_signature(record)),
    ])
}
