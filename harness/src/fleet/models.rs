//! CPU models of a release, as guests have them under KVM.

use std::collections::BTreeMap;
use std::path::Path;

use super::bits::Bits;
use super::catalogue::Catalogue;
use super::needs;
use crate::case::offers::model_version;
use crate::cpuid::Table;
use crate::cpuid::dump::Dump;
use crate::cpuid::parse::parse_masked;
use crate::evidence::Promised;
use crate::expectation::holdings::{self, Part};
use crate::expectation::promise::Unrecorded;
use crate::expectation::store::Store;
use crate::input::{Format, Input, Known};

/// Models that stand for no processor: of which vendor they are is chance.
const GENERIC: [&str; 4] = ["kvm64", "kvm32", "qemu64", "qemu32"];

/// Models without virtual-8086 extensions, which every other one has. The definitions have it of none, because QEMU turns it off under TCG
/// (`x86_tcg_default_props` in target/i386/tcg/tcg-cpu.c). Measured under KVM: query-cpu-model-expansion with x-force-features=on.
const WITHOUT_VME: [&str; 2] = ["qemu32-v1", "qemu64-v1"];
/// Models with AMD's second version of performance monitoring, which TCG has not; measured in the same way.
const WITH_PERFMON_V2: [&str; 4] = [
    "EPYC-Genoa-v2",
    "EPYC-Genoa-v3",
    "EPYC-Turin-v1",
    "EPYC-Turin-v2",
];

/// A model.
#[derive(Clone, Debug)]
pub struct Model {
    /// Its versioned name.
    pub name: String,
    /// Names without a version that stand for it, as `Skylake-Server-IBRS`.
    pub aliases: Vec<String>,
    /// Its features under KVM, where no flag says otherwise.
    pub features: Bits,
    /// The same with those of nested virtualization.
    pub nested: Bits,
    /// `AuthenticAMD`.
    pub vendor: String,
    /// Bits of physical addresses.
    pub phys_bits: u32,
    /// CPUID.01H:EAX: stepping, model and family.
    pub signature: u32,
    /// The whole definition.
    pub definition: Dump,
}

impl Model {
    /// The model that libvirt or QEMU calls so: a name without a version is version 1, or that of which it is another name.
    pub fn named<'a>(models: &'a [Model], name: &str) -> Option<&'a Model> {
        let first = format!("{name}-v1");
        let fits = |model: &&Model| {
            model.name == name || model.name == first || model.aliases.iter().any(|own| own == name)
        };
        models.iter().find(fits)
    }

    /// Whether it stands for no processor.
    pub fn is_generic(&self) -> bool {
        GENERIC.contains(&self.family())
    }

    /// Its name without the version.
    pub fn family(&self) -> &str {
        self.name
            .rsplit_once("-v")
            .map_or(&self.name, |(family, _)| family)
    }

    /// The vendor, where the model is of one.
    pub fn specific_vendor(&self) -> Option<String> {
        (!self.is_generic()).then(|| self.vendor.clone())
    }
}

/// All versioned models that the release has, on a machine type. `folder` is `qemu-11.1`.
///
/// # Errors
/// The machine type is not recorded, or a file cannot be read.
pub fn models(
    store: &Store,
    folder: &str,
    machine: &str,
    catalogue: &Catalogue,
) -> Result<Vec<Model>, Unrecorded> {
    let known = store.files.known();
    let release = folder.trim_start_matches("qemu-");
    let names = holdings::names(known, release, Part::Definitions);
    let aliases = aliases(store, folder);
    let mut all = Vec::new();
    for name in names
        .into_iter()
        .filter(|name| model_version(name).is_some())
    {
        let promised = store.promised(folder, machine, name)?;
        let model = model(name, &promised, &store.table, catalogue);
        all.extend(model.map(|model| Model {
            aliases: aliases.get(name).cloned().unwrap_or_default(),
            ..model
        }));
    }
    Ok(all)
}

/// By versioned model, its other names: their file under lane `tcg`, where QEMU's names without a version are recorded too, is that model's.
fn aliases(store: &Store, folder: &str) -> BTreeMap<String, Vec<String>> {
    let lane = format!("{folder}/tcg");
    let stands_for = |name: &str| -> Option<String> {
        let file = format!("{lane}/{name}.snap");
        let content = store.files.content(Path::new(&file)).ok()??;
        let mut lines = content.lines().filter(|line| !line.is_empty());
        let base = lines.next()?.strip_prefix("base = ")?;
        let model = base
            .strip_prefix(&format!("{lane}/"))?
            .strip_suffix(".snap")?;
        let is_alone = lines.next().is_none() && model_version(model).is_some();
        is_alone.then(|| model.to_owned())
    };
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let names = store.files.names(Path::new(&lane));
    for name in names.filter(|name| model_version(name).is_none()) {
        if let Some(model) = stands_for(name) {
            all.entry(model).or_default().push(name.to_owned());
        }
    }
    all
}

/// One model; `None` where its file is no definition.
fn model(name: &str, promised: &Promised, table: &Table, catalogue: &Catalogue) -> Option<Model> {
    let lines: Vec<String> = promised.lines.iter().map(ToString::to_string).collect();
    let definition = parse_masked(&lines.join("\n")).ok()?;
    let input = Input::of_dump(Format::Expectation, definition.clone());
    let known = Known::new(&input, input.cpus.first()?, table);
    let number = |field: &str| table.named(field).and_then(|field| known.value(field, 0));
    let flags = catalogue.features().iter().enumerate();
    let set = flags.filter(|(_, feature)| feature.field.space != crate::cpuid::table::Space::Msr);
    let mut bits: Bits = set
        .filter(|(_, feature)| known.value(&feature.field, 0) == Some(1))
        .map(|(at, _)| at)
        .collect();
    let msrs = catalogue
        .tables
        .model_msrs
        .get(name)
        .map_or(&[][..], Vec::as_slice);
    bits = bits | catalogue.bits(msrs.iter().map(String::as_str));
    if !WITHOUT_VME.contains(&name) {
        bits = bits | catalogue.bits(["vme"]);
    }
    if WITH_PERFMON_V2.contains(&name) {
        bits = bits | catalogue.bits(["perfmon-v2"]);
    }
    let vendor =
        ["vendor-0", "vendor-1", "vendor-2"].map(|part| number(part).unwrap_or_default() as u32);
    let vendor: Vec<u8> = vendor
        .into_iter()
        .flat_map(u32::to_le_bytes)
        .filter(|byte| *byte != 0)
        .collect();
    let leaf1 = definition
        .boot_processor()
        .and_then(|boot| boot.cpuid(1, 0));
    // A definition of TCG has what goes with no guest of KVM's.
    bits = bits.without(catalogue.bits(["hypervisor", "ht"]));
    Some(Model {
        name: name.to_owned(),
        aliases: Vec::new(),
        features: needs::under_kvm(bits, catalogue),
        nested: needs::under_kvm(bits, catalogue) | bits & catalogue.nested,
        vendor: String::from_utf8_lossy(&vendor).into_owned(),
        phys_bits: number("phys-bits")
            .and_then(|bits| u32::try_from(bits).ok())
            .unwrap_or(40),
        signature: leaf1.map_or(0, |regs| regs[0]),
        definition,
    })
}
