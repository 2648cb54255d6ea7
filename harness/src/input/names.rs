//! The names that programs have for features → the feature table's.

use std::collections::HashMap;

use super::cpu::Cpu;
use crate::cpuid::table::{Field, Format, Space, Table};

/// Whose names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// QEMU's properties.
    Qemu,
    /// libvirt's cpu_map: a name that it has not of its own is QEMU's.
    Libvirt,
    /// `flags` of Linux's /proc/cpuinfo.
    Linux,
    /// `vmx flags` of it.
    LinuxVmx,
}

/// Names of features in one spelling.
pub struct Names<'a>(HashMap<&'a str, &'a Field>);

/// The VMX capability MSRs, whose features Linux has on a line of their own.
const VMX: std::ops::RangeInclusive<u32> = 0x480..=0x492;

impl<'a> Names<'a> {
    /// All of a spelling.
    pub fn new(table: &'a Table, spelling: Spelling) -> Names<'a> {
        match spelling {
            Spelling::Qemu => Names::qemu(table),
            Spelling::Libvirt => {
                let mut names = Names::qemu(table);
                names.0.extend(aliases(table, "libvirt"));
                names
            }
            Spelling::Linux => Names(
                aliases(table, "linux")
                    .filter(|own| !is_vmx(own.1))
                    .collect(),
            ),
            Spelling::LinuxVmx => Names(
                aliases(table, "linux")
                    .filter(|own| is_vmx(own.1))
                    .collect(),
            ),
        }
    }

    /// A property is named for the bit whose own name it is, and CPUID's names come first, as in [`Table::named`].
    fn qemu(table: &'a Table) -> Names<'a> {
        let mut names: HashMap<&str, &Field> = HashMap::new();
        for (alias, field) in aliases(table, "qemu") {
            names.entry(alias).or_insert(field);
        }
        for space in [Space::Msr, Space::Cpuid] {
            let own = flags(table).filter(|field| field.space == space);
            names.extend(own.map(|field| (field.name.as_str(), field)));
        }
        Names(names)
    }

    /// Without the features of a leaf: where that leaf is not there, their names are those of other features.
    pub fn without(mut self, leaf: u32) -> Names<'a> {
        self.0
            .retain(|_, field| field.space != Space::Cpuid || field.leaf != leaf);
        self
    }

    /// The feature of this name.
    pub fn get(&self, name: &str) -> Option<&'a Field> {
        self.0.get(name).copied()
    }

    /// Notes that a processor has a feature, or that it has not; a name that the table does not know is kept as it is.
    pub fn note(&self, cpu: &mut Cpu, name: &str, has: bool) {
        let Some(field) = self.get(name) else {
            cpu.unnamed.insert(name.to_owned());
            return;
        };
        let (to, from) = if has {
            (&mut cpu.present, &mut cpu.absent)
        } else {
            (&mut cpu.absent, &mut cpu.present)
        };
        from.remove(&field.name);
        to.insert(field.name.clone());
    }
}

fn flags(table: &Table) -> impl Iterator<Item = &Field> {
    let flags = table.fields().iter();
    flags.filter(|field| field.format == Format::Flag && field.space != Space::HyperV)
}

fn aliases<'a>(
    table: &'a Table,
    prefix: &'static str,
) -> impl Iterator<Item = (&'a str, &'a Field)> {
    flags(table).flat_map(move |field| {
        let aliases = field.aliases_of(prefix);
        aliases.map(move |alias| (alias, field))
    })
}

fn is_vmx(field: &Field) -> bool {
    field.space == Space::Msr && VMX.contains(&field.leaf)
}

/// Features that Linux would list and that a processor's /proc/cpuinfo has not: the processor lacks them, or the kernel hides them
/// (`nosmap`, a bug that it works around, a feature that it was built without, a name that it has not yet). That is all that such a file says of them.
pub fn unlisted<'a>(cpu: &Cpu, table: &'a Table) -> Vec<&'a str> {
    let names = Names::new(table, Spelling::Linux);
    let mut fields: Vec<&str> = names.0.values().map(|field| field.name.as_str()).collect();
    fields.retain(|name| !cpu.present.contains(*name));
    fields.sort_unstable();
    fields.dedup();
    fields
}
