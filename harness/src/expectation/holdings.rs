//! What the expectations hold: of which releases, models and machine types.

use std::collections::BTreeSet;

use super::lineage::Known;
use super::paths::below;
use crate::util::order::natural;

/// What stands before a release in the name of its folder.
const PREFIX: &str = "qemu-";

/// Which part of a release's folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Whole definitions of CPU models.
    Definitions,
    /// CPU models as TCG shows them.
    Tcg,
    /// What machine types change of the definitions.
    Machines,
}

impl Part {
    /// The folder below that of a release.
    fn folder(self) -> &'static str {
        match self {
            Part::Definitions => "models",
            Part::Tcg => "tcg",
            Part::Machines => "machines",
        }
    }
}

/// The recorded releases of QEMU, as `10.0`, oldest first.
pub fn releases(known: &Known) -> Vec<&str> {
    let folders = known.iter().filter_map(|path| path.split('/').next());
    let releases: BTreeSet<&str> = folders
        .filter_map(|name| name.strip_prefix(PREFIX))
        .collect();
    let mut releases: Vec<&str> = releases.into_iter().collect();
    releases.sort_by_key(|release| natural(release));
    releases
}

/// The names that a part of a release's folder has files of.
pub fn names<'a>(known: &'a Known, release: &str, part: Part) -> Vec<&'a str> {
    below(known, &format!("{PREFIX}{release}/{}", part.folder())).collect()
}

/// The releases that have a file of `name`, oldest first. The newest machine type of a release has none: the definitions are its.
pub fn releases_with<'a>(known: &'a Known, part: Part, name: &str) -> Vec<&'a str> {
    let has = |release: &&str| {
        let newest = part == Part::Machines && name == format!("pc-q35-{release}");
        newest || known.contains(&format!("{PREFIX}{release}/{}/{name}.snap", part.folder()))
    };
    releases(known).into_iter().filter(has).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        let paths = [
            "qemu-10.0/models/EPYC-v4.snap",
            "qemu-7.2/models/EPYC-v4.snap",
            "qemu-7.2/machines/pc-q35-7.1.snap",
            "linux-6.1/EPYC-v4.snap",
        ];
        paths.map(str::to_owned).into_iter().collect()
    }

    #[test]
    fn releases_stand_in_natural_order() {
        assert_eq!(releases(&known()), ["7.2", "10.0"]);
        assert_eq!(
            releases_with(&known(), Part::Definitions, "EPYC-v4"),
            ["7.2", "10.0"]
        );
        assert!(releases_with(&known(), Part::Tcg, "EPYC-v4").is_empty());
    }

    #[test]
    fn the_newest_machine_type_is_held_by_the_definitions() {
        let held = |name| releases_with(&known(), Part::Machines, name).join(" ");
        assert_eq!(held("pc-q35-7.1"), "7.2");
        assert_eq!(held("pc-q35-10.0"), "10.0");
        assert_eq!(held("pc-q35-9.0"), "");
        assert_eq!(names(&known(), "7.2", Part::Machines), ["pc-q35-7.1"]);
    }
}
