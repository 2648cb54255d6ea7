//! Names that QEMUs offer and expectations have files of, as `models` and `machines` list them.

use std::collections::BTreeSet;
use std::sync::Arc;

use cpuid_fidelity::case::Qemu;
use cpuid_fidelity::expectation::holdings::{Part, names, releases};
use cpuid_fidelity::util::order::natural;

use super::exit::NOT_RUN;
use super::table::{Listing, join};
use crate::cli::context::Context;

/// What there is: binaries that answer, and names of them and of the recorded releases.
pub struct Offered {
    /// Usable binaries, oldest release first.
    pub qemus: Vec<Arc<Qemu>>,
    /// The names that are wanted, in natural order.
    pub names: Vec<String>,
    /// The exit status: a binary that cannot be asked is missing in the list.
    pub status: u8,
}

/// The names that match, of all binaries by `of` and of the files of `part`.
///
/// # Errors
/// None matches; `what` is their kind.
pub fn offered(
    context: &Context,
    listing: &Listing,
    (what, part): (&str, Part),
    of: impl for<'q> Fn(&'q Qemu) -> Vec<&'q str>,
) -> anyhow::Result<Offered> {
    let wanted = listing.filter()?;
    let known = context.store.files.known();
    let inventory = context.installed_or_named();
    for unusable in &inventory.unusable {
        note!("ERROR {}", unusable.reason);
    }
    let here = inventory.qemus.iter().flat_map(|qemu| of(qemu));
    let recorded = releases(known);
    let recorded = recorded
        .iter()
        .flat_map(|release| names(known, release, part));
    let every: BTreeSet<&str> = here.chain(recorded).collect();
    let mut matching: Vec<&str> = every.iter().copied().filter(|name| wanted(name)).collect();
    matching.sort_by_key(|name| natural(name));
    anyhow::ensure!(
        !matching.is_empty(),
        "no {what} matches, of {} QEMUs here and {} recorded releases{}",
        inventory.qemus.len(),
        releases(known).len(),
        listing.near(every.into_iter())
    );
    let names = matching.into_iter().map(str::to_owned).collect();
    let status = if inventory.unusable.is_empty() {
        0
    } else {
        NOT_RUN
    };
    Ok(Offered {
        qemus: inventory.qemus,
        names,
        status,
    })
}

impl Offered {
    /// The binaries that have a name.
    pub fn with<'a>(
        &'a self,
        name: &'a str,
        of: impl for<'q> Fn(&'q Qemu) -> Vec<&'q str>,
    ) -> Vec<&'a Arc<Qemu>> {
        let has = |qemu: &&Arc<Qemu>| of(qemu).contains(&name);
        self.qemus.iter().filter(has).collect()
    }
}

/// Their releases, as a cell.
pub fn labels(qemus: &[&Arc<Qemu>]) -> String {
    join(
        qemus
            .iter()
            .map(|qemu| qemu.label.trim_start_matches("qemu-")),
    )
}
