//! What `fleet` accepts.

use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use cpuid_fidelity::fleet::Form;
use cpuid_fidelity::lanes::lab::hosts::HostName;
use cpuid_fidelity::util::order::release;

use crate::cli::common::kernel::{Booted, Kernel};

/// `fleet`.
#[derive(Debug, Args)]
pub struct Fleet {
    /// A file with a host in any format that is read, `NAME=FILE` to name the host (the same name again adds to it), or a folder: each file in it is a host,
    /// and each folder in it is one with several files
    #[arg(value_name = "HOST", required_unless_present = "lab")]
    pub hosts: Vec<String>,
    /// Release of QEMU, 11.1 or qemu-11.1, where no --qemu names a binary; repeatable, and the oldest counts [default: the newest that is recorded]
    #[arg(long)]
    pub release: Vec<String>,
    /// Machine type
    #[arg(long, value_name = "M", default_value = "q35")]
    pub machine: String,
    /// Guests that run guests: add svm or vmx, and what belongs to it
    #[arg(long)]
    pub nested: bool,
    /// No feature beyond those of the model
    #[arg(long)]
    pub plain: bool,
    /// Hosts whose kernel is not known have at least this Linux, as 6.1
    #[arg(long, value_name = "RELEASE", value_parser = linux)]
    pub assume_kernel: Option<(u32, u32)>,
    /// Try the answer on every host: what QEMU would filter there by what is known of it, and what guests would see; then boot it here under lane
    /// definition, where a QEMU of the release is here
    #[arg(long)]
    pub prove: bool,
    /// An emulated host more, `HOST@KERNEL`, as amd:rome@6.12 or intel:haswell@6.12,clearcpuid=avx2,kvm_intel.nested=0,-avx512; repeatable. The answer is
    /// started under enforce on each of them, what guests see and do is compared, a guest is moved from each to each, and one feature more is tried
    #[arg(long, value_name = "HOST@KERNEL", value_parser = lab)]
    pub lab: Vec<LabHost>,
    /// Hosts of several vendors are several fleets: an answer for each vendor is a success
    #[arg(long)]
    pub by_vendor: bool,
    /// Compare with the JSON of an earlier run; exit status 1 where the answer or a host lost something
    #[arg(long, value_name = "FILE")]
    pub since: Option<PathBuf>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = FleetFormat::Text)]
    pub format: FleetFormat,
    /// Write it as JSON here too
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write it as Markdown here too
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
}

/// An emulated host of a fleet.
#[derive(Clone, Debug)]
pub struct LabHost {
    /// As it was written: its name in reports.
    pub name: String,
    /// Processor, kernel and parameters.
    pub kernel: Kernel,
}

/// `amd:rome@6.12,clearcpuid=avx2,kvm_amd.nested=0,-avx`.
fn lab(text: &str) -> Result<LabHost, String> {
    let expected = || "expected HOST@KERNEL, as amd:rome@6.12,clearcpuid=avx2".to_owned();
    let (host, rest) = text.split_once('@').ok_or_else(expected)?;
    let mut words = rest.split(',').filter(|word| !word.is_empty());
    let kernel = words.next().ok_or_else(expected)?;
    let mut booted = Booted {
        kernel: Some(kernel.into()),
        lab_host: Some(
            host.parse::<HostName>()
                .map_err(|error| error.to_string())?,
        ),
        ..Booted::default()
    };
    let mut cmdline = Vec::new();
    for word in words {
        match word.strip_prefix('-') {
            Some(feature) => booted.without.push(feature.to_owned()),
            None => cmdline.push(word),
        }
    }
    booted.cmdline = (!cmdline.is_empty()).then(|| cmdline.join(" "));
    Ok(LabHost {
        name: text.to_owned(),
        kernel: Kernel {
            booted,
            append: None,
        },
    })
}

/// Formats of `fleet`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FleetFormat {
    /// For people.
    Text,
    /// One object.
    Json,
    /// For an issue or a page.
    Markdown,
    /// The answer alone, as another program takes it.
    Answer(Form),
}

impl ValueEnum for FleetFormat {
    fn value_variants<'a>() -> &'a [FleetFormat] {
        const ALL: [FleetFormat; 3 + Form::ALL.len()] = {
            let mut all = [FleetFormat::Text; 3 + Form::ALL.len()];
            all[1] = FleetFormat::Json;
            all[2] = FleetFormat::Markdown;
            let mut at = 0;
            while at < Form::ALL.len() {
                all[3 + at] = FleetFormat::Answer(Form::ALL[at]);
                at += 1;
            }
            all
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, help) = match self {
            FleetFormat::Text => ("text", "For people"),
            FleetFormat::Json => ("json", "One object"),
            FleetFormat::Markdown => ("markdown", "For an issue or a page"),
            FleetFormat::Answer(form) => form.described(),
        };
        Some(PossibleValue::new(name).help(help))
    }
}

fn linux(text: &str) -> Result<(u32, u32), String> {
    release(text).ok_or_else(|| "a release of Linux is expected, as 6.1".to_owned())
}
