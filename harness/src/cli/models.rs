//! `models`: the CPU models of the QEMUs that are here and of the recorded releases.

use clap::Args;
use cpuid_fidelity::case::Qemu;
use cpuid_fidelity::expectation::holdings::{Part, releases_with};

use super::common::offered::{labels, offered};
use super::common::table::{Listed, Listing, join};
use super::{Context, print};

/// `models`.
#[derive(Debug, Args)]
pub struct Models {
    #[command(flatten)]
    listing: Listing,
}

fn names(qemu: &Qemu) -> Vec<&str> {
    qemu.offers.model_names().collect()
}

/// Prints a row a model; the exit status.
pub fn run(context: &Context, arguments: &Models) -> anyhow::Result<u8> {
    let listing = &arguments.listing;
    let known = context.store.files.known();
    let found = offered(context, listing, ("CPU model", Part::Definitions), names)?;
    let mut listed = Listed::new([
        "model",
        "stands-for",
        "installed",
        "recorded",
        "recorded-tcg",
    ]);
    for name in &found.names {
        let here = found.with(name, names);
        let alias = here.last().and_then(|qemu| qemu.offers.aliases.get(name));
        listed.push([
            name.clone(),
            join(alias.map(String::as_str)),
            labels(&here),
            join(releases_with(known, Part::Definitions, name)),
            join(releases_with(known, Part::Tcg, name)),
        ]);
    }
    print(&listed.text(listing.format));
    Ok(found.status)
}
