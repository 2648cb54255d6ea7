//! `machines`: the machine types of the QEMUs that are here and of the recorded releases.

use std::collections::BTreeSet;

use clap::Args;
use cpuid_fidelity::expectation::holdings::{Part, names, releases, releases_with};
use cpuid_fidelity::util::order::natural;

use super::common::table::{Listed, Listing, join};
use super::{Context, print};

/// `machines`.
#[derive(Debug, Args)]
pub struct Machines {
    #[command(flatten)]
    listing: Listing,
}

/// Prints a row a machine type; the exit status.
pub fn run(context: &Context, arguments: &Machines) -> anyhow::Result<u8> {
    let wanted = arguments.listing.filter()?;
    let known = context.store.files.known();
    let inventory = context.installed_or_named();
    let offered = inventory.qemus.iter();
    let offered = offered.flat_map(|qemu| qemu.offers.machine_names());
    let recorded = releases(known).into_iter();
    let recorded = recorded.flat_map(|release| names(known, release, Part::Machines));
    let every: BTreeSet<&str> = offered.chain(recorded).collect();
    let all = every.iter().copied().filter(|name| wanted(name));
    let mut all: Vec<&str> = all.collect();
    all.sort_by_key(|name| natural(name));
    let mut listed = Listed::new(["machine", "installed", "recorded"]);
    for name in all {
        let has = |qemu: &&std::sync::Arc<cpuid_fidelity::case::Qemu>| {
            qemu.offers.machine_names().any(|model| model == name)
        };
        let here: Vec<_> = inventory.qemus.iter().filter(has).collect();
        listed.push([
            name.to_owned(),
            join(
                here.iter()
                    .map(|qemu| qemu.label.trim_start_matches("qemu-")),
            ),
            join(releases_with(known, Part::Machines, name)),
        ]);
    }
    anyhow::ensure!(
        !listed.is_empty(),
        "no machine type matches, of {} QEMUs here and {} recorded releases{}",
        inventory.qemus.len(),
        releases(known).len(),
        arguments.listing.near(every.into_iter())
    );
    print(&listed.text(arguments.listing.format));
    Ok(0)
}
