//! `releases`: the QEMUs that are here, and the releases that expectations are recorded of.

use std::collections::BTreeSet;

use clap::Args;
use cpuid_fidelity::expectation::holdings::{Part, names, releases};
use cpuid_fidelity::util::order::natural;

use super::common::table::{Format, Listed};
use super::{Context, NOT_RUN, print};

/// `releases`.
#[derive(Debug, Args)]
pub struct Releases {
    /// `json`: an object a line
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// Prints a row a release, and one more for each further binary of it; the exit status.
pub fn run(context: &Context, arguments: &Releases) -> anyhow::Result<u8> {
    let known = context.store.files.known();
    let inventory = context.installed_or_named();
    let mut listed = Listed::new(["release", "models", "tcg", "machines", "version", "path"]);
    let recorded = releases(known);
    let here = inventory
        .qemus
        .iter()
        .map(|qemu| qemu.offers.release_name());
    let all: BTreeSet<String> = recorded
        .iter()
        .map(ToString::to_string)
        .chain(here)
        .collect();
    let mut all: Vec<String> = all.into_iter().collect();
    all.sort_by_key(|release| natural(release));
    for release in all {
        let count = |part| names(known, &release, part).len().to_string();
        let row = |version: &str, path: String| {
            [
                release.clone(),
                count(Part::Definitions),
                count(Part::Tcg),
                count(Part::Machines),
                version.to_owned(),
                path,
            ]
        };
        let binaries = inventory.qemus.iter();
        let mut binaries = binaries
            .filter(|qemu| qemu.offers.release_name() == release)
            .peekable();
        if binaries.peek().is_none() {
            listed.push(row("-", "-".to_owned()));
        }
        binaries.for_each(|qemu| {
            listed.push(row(&qemu.offers.version, qemu.path.display().to_string()))
        });
    }
    print(&listed.text(arguments.format));
    for unusable in &inventory.unusable {
        note!("ERROR {}", unusable.reason);
    }
    Ok(if inventory.unusable.is_empty() {
        0
    } else {
        NOT_RUN
    })
}
