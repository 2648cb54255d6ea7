//! The command line as a whole: options of every verb, and the verbs.

use clap::{Command, Parser, Subcommand};

use super::behaviour::Behaviour;
use super::bisect::Bisect;
use super::catalogue::Catalogue;
use super::check::Check;
use super::common::global::Global;
use super::context::Context;
use super::diff::Diff;
use super::domain::Domain;
use super::dump::Dump;
use super::explain::Explain;
use super::features::Features;
use super::fleet::Fleet;
use super::lab::Lab;
use super::libvirt::Libvirt;
use super::list::List;
use super::machines::Machines;
use super::merge::Merge;
use super::migrate::Migrate;
use super::models::Models;
use super::nightly::Nightly;
use super::package::PackageFiles;
use super::record::Record;
use super::release_day::ReleaseDay;
use super::releases::Releases;
use super::report::Report;
use super::run::Run;
use super::show::Show;
use super::{
    behaviour, bisect, catalogue, check as check_verb, diff, domain, dump, explain, features,
    fleet, lab, libvirt, list, machines, merge, migrate, models, nightly, package, record,
    release_day, releases, report, run as run_verb, show,
};

/// Does the guest really see the CPU it was promised?
///
/// Exit status: 0 all as promised, 1 findings, 2 usage or configuration, 3 something could not be run, or nothing was compared.
#[derive(Debug, Parser)]
#[command(version = env!("CPUID_FIDELITY_VERSION"), max_term_width = 100)]
pub struct Arguments {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub verb: Verb,
}

/// Verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Boot the planned guests and compare each with the expectations
    Run(Run),
    /// List the planned cases, a line each; boots no guest, but starts each QEMU that is new here to ask what it offers
    List(List),
    /// List the releases of QEMU that are here, and those that expectations are recorded of
    Releases(Releases),
    /// List CPU models: which QEMUs have them, and which releases of them are recorded
    Models(Models),
    /// List machine types: which QEMUs have them, and which releases of them are recorded
    Machines(Machines),
    /// List features: where CPUID shows each, its names, and which CPU models have it
    Features(Features),
    /// List which features do otherwise than CPUID says, by QEMU release and kernel: announced and refused, hidden and running
    Behaviour(Behaviour),
    /// Check one guest, or a file with what one showed, by every rule whose inputs are there
    Check(Check),
    /// Show what one guest sees
    Dump(Dump),
    /// Show where a feature is at each layer, which layer dropped it, and why
    Explain(Explain),
    /// Run KVM of a kernel on an emulated host: what it offers, and all checks in it
    Lab(Lab),
    /// Find the CPU that every one of many hosts can give, say why it is no more, and prove it
    Fleet(Fleet),
    /// Take a guest from one QEMU to another, live or through a file, and compare what it sees on both sides
    Migrate(Migrate),
    /// Compare libvirt's files and answers with QEMU and with guests
    Libvirt(Libvirt),
    /// Put a `-cpu` argument into libvirt's XML and back, or try a domain's XML in a guest
    Domain(Domain),
    /// Write all layers of one case to a file, to be checked again elsewhere
    Record(Record),
    /// Run the nightly selection, resumable, and keep its results beside the nights before
    Nightly(Nightly),
    /// Record a QEMU that nobody recorded, and write what its guests see differently from those of the release before
    ReleaseDay(ReleaseDay),
    /// Find the commit, or the version, of QEMU or Linux that first shows what a case found
    Bisect(Bisect),
    /// Join the results of several runs: shards, attempts, hosts
    Merge(Merge),
    /// Show the results of a run again, in every format
    Report(Report),
    /// Show a CPU as a person reads it: of a file, a recorded CPU model, this host or a guest
    Show(Show),
    /// Compare two files of any format, recorded CPU models, CPU models or machine types
    Diff(Diff),
    /// Measure which CPUID bit each boolean CPU property of a QEMU moves
    Catalogue(Catalogue),
    /// Write the man pages and the shells' completions, for a package
    #[command(hide = true)]
    PackageFiles(PackageFiles),
}

/// Runs the verb; the exit status. `command` is the whole command line, which the man pages are made of.
pub fn run(arguments: &Arguments, command: fn() -> Command) -> anyhow::Result<u8> {
    let context = || Context::new(&arguments.global);
    match &arguments.verb {
        Verb::Run(run) => run_verb::run(&context()?, run),
        Verb::List(list) => list::run(&context()?, list),
        Verb::Releases(releases) => releases::run(&context()?, releases),
        Verb::Models(models) => models::run(&context()?, models),
        Verb::Machines(machines) => machines::run(&context()?, machines),
        Verb::Features(features) => features::run(&context()?, features),
        Verb::Behaviour(behaviour) => behaviour::run(&context()?, behaviour),
        Verb::Check(check) => check_verb::run(&context()?, check),
        Verb::Dump(dump) => dump::run(&context()?, dump),
        Verb::Explain(explain) => explain::run(&context()?, explain),
        Verb::Fleet(fleet) => fleet::run(&context()?, fleet),
        Verb::Lab(lab) => lab::run(&context()?, lab),
        Verb::Migrate(migrate) => migrate::run(&context()?, migrate),
        Verb::Libvirt(libvirt) => libvirt::run(&context()?, libvirt),
        Verb::Domain(domain) => domain::run(&context()?, domain),
        Verb::Record(record) => record::run(&context()?, record),
        Verb::Nightly(nightly) => nightly::run(&context()?, nightly),
        Verb::ReleaseDay(day) => release_day::run(&context()?, day),
        Verb::Bisect(bisect) => bisect::run(&arguments.global, bisect),
        Verb::Merge(merge) => merge::run(merge, &arguments.global.manner()),
        Verb::Report(report) => report::run(report, &arguments.global.manner()),
        Verb::Show(show) => show::run(&context()?, show),
        Verb::Diff(diff) => diff::run(&context()?, diff),
        Verb::Catalogue(catalogue) => catalogue::run(&context()?, catalogue),
        Verb::PackageFiles(files) => package::run(command(), files),
    }
}
