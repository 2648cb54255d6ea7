//! Paths of expectations, below their folder: which release, which folder, which name.

use std::path::{Path, PathBuf};

use super::lineage::{Known, SUFFIX};
use crate::util::order::natural;

/// Whether the path of an expectation names this release of QEMU or a newer one: `qemu-10.0`, or an end of `7.2..10.0`.
pub(super) fn is_about(path: &str, release: &str) -> bool {
    let ends = path.split('/').flat_map(|part| {
        let is_pair = part.contains("..");
        let plain = part.strip_suffix(SUFFIX).unwrap_or(part);
        let plain = plain.split_once('+').map_or(plain, |(plain, _)| plain);
        let ends = plain.split("..").map(|end| end.trim_end_matches(".x"));
        ends.filter_map(move |end| match end.strip_prefix("qemu-") {
            Some(named) => Some(named),
            None => is_pair.then_some(end),
        })
    });
    let newer = |end: &str| natural(end) >= natural(release);
    ends.into_iter().any(newer)
}

/// With `/` between folders, as a base is named.
pub(super) fn slashed(path: &Path) -> String {
    let text = path.to_string_lossy();
    text.replace(std::path::MAIN_SEPARATOR, "/")
}

/// The folder of a release's expectations: `qemu-10.0`, `kernels/6.12`, or `migration/qemu-7.2..qemu-11.1`.
pub(super) fn release_of(expectation: &Path) -> PathBuf {
    let deep = ["kernels", "migration"]
        .iter()
        .any(|folder| expectation.starts_with(folder));
    let depth = if deep { 2 } else { 1 };
    expectation.components().take(depth).collect()
}

/// The names of the expectations in a folder, without suffix.
pub(super) fn below<'a>(known: &'a Known, folder: &str) -> impl Iterator<Item = &'a str> + use<'a> {
    let prefix = format!("{folder}/");
    known.iter().filter_map(move |path| {
        let name = path.strip_prefix(&prefix)?.strip_suffix(SUFFIX)?;
        (!name.contains('/')).then_some(name)
    })
}
