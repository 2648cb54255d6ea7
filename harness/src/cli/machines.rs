//! `machines`: the machine types of the QEMUs that are here and of the recorded releases.

use clap::Args;
use cpuid_fidelity::case::Qemu;
use cpuid_fidelity::expectation::holdings::{Part, releases_with};

use super::common::offered::{labels, offered};
use super::common::table::{Listed, Listing, join};
use super::{Context, print};

/// `machines`.
#[derive(Debug, Args)]
pub struct Machines {
    #[command(flatten)]
    listing: Listing,
}

fn names(qemu: &Qemu) -> Vec<&str> {
    qemu.offers.machine_names().collect()
}

/// Prints a row a machine type; the exit status.
pub fn run(context: &Context, arguments: &Machines) -> anyhow::Result<u8> {
    let listing = &arguments.listing;
    let known = context.store.files.known();
    let found = offered(context, listing, ("machine type", Part::Machines), names)?;
    let mut listed = Listed::new(["machine", "installed", "recorded"]);
    for name in &found.names {
        listed.push([
            name.clone(),
            labels(&found.with(name, names)),
            join(releases_with(known, Part::Machines, name)),
        ]);
    }
    print(&listed.text(listing.format));
    Ok(found.status)
}
