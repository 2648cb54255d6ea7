//! The symbolic links that a path goes through, so that it leads to the same file elsewhere.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// Links by the path at which each is, the parts above it canonical; each leads to a canonical path.
pub type Links = BTreeMap<PathBuf, PathBuf>;

/// Most links that one path may go through (path_resolution(7)).
const MOST: usize = 40;

/// The canonical path of an absolute one. The links on the way are added to `links`.
///
/// # Errors
/// Nothing is there, or the links go in a circle.
pub fn resolve(path: &Path, links: &mut Links) -> std::io::Result<PathBuf> {
    let mut left = parts(path);
    let mut at = PathBuf::from("/");
    let mut followed = 0;
    while let Some(part) = left.pop() {
        if part == ".." {
            at.pop();
            continue;
        }
        let next = at.join(part);
        if !next.symlink_metadata()?.is_symlink() {
            at = next;
            continue;
        }
        followed += 1;
        if followed > MOST {
            return Err(rustix::io::Errno::LOOP.into());
        }
        links.insert(next.clone(), next.canonicalize()?);
        let target = next.read_link()?;
        if target.is_absolute() {
            at = PathBuf::from("/");
        }
        left.extend(parts(&target));
    }
    Ok(at)
}

/// The names of a path, the last one first.
fn parts(path: &Path) -> Vec<OsString> {
    let named = |part: &Component<'_>| matches!(part, Component::Normal(_) | Component::ParentDir);
    let parts = path.components().rev().filter(named);
    parts.map(|part| part.as_os_str().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn every_link_on_the_way_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("a path");
        std::fs::create_dir_all(root.join("real/bin")).expect("a folder");
        std::fs::write(root.join("real/bin/dash"), "").expect("a file");
        symlink("real/bin", root.join("bin")).expect("a link");
        symlink("dash", root.join("real/bin/sh")).expect("a link");
        let mut links = Links::new();
        let found = resolve(&root.join("real/../bin/sh"), &mut links).expect("a file");
        assert_eq!(found, root.join("real/bin/dash"));
        let wanted = [("bin", "real/bin"), ("real/bin/sh", "real/bin/dash")];
        let wanted = wanted.map(|(link, target)| (root.join(link), root.join(target)));
        assert_eq!(links, Links::from(wanted));
    }

    #[test]
    fn a_circle_and_a_path_to_nothing_are_errors() {
        let folder = tempfile::tempdir().expect("a folder");
        symlink("b", folder.path().join("a")).expect("a link");
        symlink("a", folder.path().join("b")).expect("a link");
        let mut links = Links::new();
        assert!(resolve(&folder.path().join("a"), &mut links).is_err());
        assert!(resolve(&folder.path().join("none"), &mut links).is_err());
    }
}
