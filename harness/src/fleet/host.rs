//! A host: everything that its files say, the strongest word first.

use super::bits::Bits;
use super::facts::{Basis, Facts, KernelFacts};
use super::layout::Layout;
use super::remarks::Remark;
use super::source::Source;
use super::sources::Reading;
use super::tables::Way;
use crate::input::Input;

/// A file of a host, as it was read.
#[derive(Clone, Debug)]
pub struct HostFile {
    /// Its name.
    pub name: String,
    /// What is in it.
    pub inputs: Vec<Input>,
}

/// A host.
#[derive(Clone, Debug)]
pub struct Host {
    /// What it is called.
    pub name: String,
    /// What is known of it.
    pub facts: Facts,
    /// What is odd.
    pub remarks: Vec<Remark>,
}

/// A host of which nothing is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {reason}")]
pub struct Refusal {
    /// What it is called.
    pub name: String,
    /// Why.
    pub reason: String,
}

impl Host {
    /// Puts together what the files say.
    ///
    /// # Errors
    /// None of them says anything of a host.
    pub fn new(name: &str, files: &[HostFile], reading: &Reading<'_>) -> Result<Host, Refusal> {
        let mut sources: Vec<Source> = Vec::new();
        let mut remarks = Vec::new();
        let mut kernel = KernelFacts::default();
        let mut own_name = None;
        for file in files {
            for input in &file.inputs {
                let read = reading.input(&file.name, input, &kernel);
                sources.extend(read.sources);
                remarks.extend(read.remarks);
                own_name = own_name.or(read.name);
                if read.kernel.release.is_some() {
                    kernel = read.kernel;
                }
            }
        }
        sources.sort_by_key(|source| source.basis);
        let Some(first) = sources.first() else {
            let reasons: Vec<String> = remarks.iter().map(ToString::to_string).collect();
            let reason = if reasons.is_empty() {
                "its files say nothing of a CPU".to_owned()
            } else {
                reasons.join("; ")
            };
            return Err(Refusal {
                name: name.to_owned(),
                reason,
            });
        };
        remarks.extend(
            contradictions(&sources, reading)
                .into_iter()
                .map(Remark::Contradiction),
        );
        if remarks
            .iter()
            .any(|remark| matches!(remark, Remark::IsGuest))
            && first.basis == Basis::Kvm
        {
            // What KVM gives is known; that the host is a guest itself changes nothing of it.
            remarks.retain(|remark| !matches!(remark, Remark::IsGuest));
        }
        remarks.sort();
        remarks.dedup();
        Ok(Host {
            name: own_name
                .filter(|_| files.len() == 1)
                .unwrap_or_else(|| name.to_owned()),
            facts: merged(&sources, kernel),
            remarks,
        })
    }
}

/// A stronger word counts; a weaker one fills in what it leaves open.
fn merged(sources: &[Source], kernel: KernelFacts) -> Facts {
    let (mut gives, mut lacks) = (Bits::default(), Bits::default());
    let mut hardware = Bits::default();
    for basis in Basis::ALL {
        let own = || sources.iter().filter(|source| source.basis == basis);
        // Of two words of the same strength the one that gives less counts.
        let no = own().fold(Bits::default(), |all, source| all | source.lacks);
        let yes = own()
            .fold(Bits::default(), |all, source| all | source.gives)
            .without(no);
        let known = gives | lacks;
        gives = gives | yes.without(known);
        lacks = lacks | no.without(known);
        hardware = own()
            .filter_map(|source| source.hardware)
            .fold(hardware, |all, (has, _)| all | has);
    }
    // KVM's table has the layout that guests get.
    let layout = sources
        .iter()
        .map(|source| &source.layout)
        .find(|layout| !layout.is_empty());
    Facts {
        gives,
        lacks,
        hardware,
        basis: sources.first().map_or(Basis::Names, |source| source.basis),
        vendor: first(sources, |source| source.vendor.clone()),
        brand: first(sources, |source| source.brand.clone()),
        // KVM's table and /proc/cpuinfo leave out what memory encryption takes; the least is right.
        phys_bits: sources.iter().filter_map(|source| source.phys_bits).min(),
        layout: layout.cloned().unwrap_or_else(Layout::new),
        kernel,
    }
}

fn first<T>(sources: &[Source], get: impl Fn(&Source) -> Option<T>) -> Option<T> {
    sources.iter().find_map(get)
}

/// What two sources of one host cannot both be right in.
fn contradictions(sources: &[Source], reading: &Reading<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let named: Vec<(&Source, &String)> = sources
        .iter()
        .filter_map(|source| Some((source, source.vendor.as_ref()?)))
        .collect();
    if let Some((first, vendor)) = named.first()
        && let Some((other, theirs)) = named.iter().find(|(_, other)| other != vendor)
    {
        found.push(format!(
            "{} is of {vendor}, {} of {theirs}",
            first.name, other.name
        ));
        return found;
    }
    for hardware in sources.iter().filter(|source| source.basis == Basis::Cpuid) {
        let Some((_, lacks)) = hardware.hardware else {
            continue;
        };
        for other in sources.iter().filter(|source| source.name != hardware.name) {
            let has = match other.hardware {
                Some((has, _)) => has,
                None => other.gives,
            };
            let wrong = has & lacks & only_of_hardware(reading);
            if !wrong.is_empty() {
                let names = reading.catalogue.names(wrong).join(" ");
                found.push(format!(
                    "{} has {names}, and {} has not",
                    other.name, hardware.name
                ));
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Features that nobody can give without the hardware.
fn only_of_hardware(reading: &Reading<'_>) -> Bits {
    let catalogue = reading.catalogue;
    let rows = catalogue
        .tables
        .kvm
        .iter()
        .filter(|(_, row)| row.ways == [Way::Hardware]);
    catalogue.bits(rows.map(|(name, _)| name.as_str()))
}
