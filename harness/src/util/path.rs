//! Programs by their names.

use std::path::{Component, Path, PathBuf};

/// Most bytes of a name from outside that becomes a part of a path.
const LONGEST: usize = 128;

/// `name` where it can be one part of a path and nothing else: letters, digits and `. _ + - ~`, not starting with a dot. A name that comes
/// from outside (the release in a kernel's image) goes into a path only through this function.
pub fn component(name: &str) -> Option<&str> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "._+-~".contains(letter);
    let fits = (1..=LONGEST).contains(&name.len()) && !name.starts_with('.');
    (fits && name.chars().all(plain)).then_some(name)
}

/// Whether `path` leads to a place below the folder that it is joined to, and nowhere else.
pub fn leads_down(path: &Path) -> bool {
    let mut parts = path.components();
    let down = parts.all(|part| matches!(part, Component::Normal(_)));
    down && !path.as_os_str().is_empty()
}

/// The folder that a file is in.
pub fn folder_of(path: &Path) -> &Path {
    let folder = path.parent();
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// A binary as named on a command line: without a slash it is looked up in PATH, as a shell would.
pub fn named(path: &Path) -> PathBuf {
    let name = path.to_str().filter(|name| !name.contains('/'));
    name.and_then(in_path).unwrap_or_else(|| path.to_owned())
}

/// The file that a shell would start for `name`.
pub fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut candidates = std::env::split_paths(&path).map(|folder| folder.join(name));
    candidates.find(|candidate| candidate.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_leads_down_has_no_way_up() {
        assert!(leads_down(Path::new("kvm/qemu-11.1/-/EPYC-v4,+avx2.json")));
        for path in ["", "/etc/passwd", "..", "a/../../b", "./../a"] {
            assert!(!leads_down(Path::new(path)), "{path:?}");
        }
    }

    #[test]
    fn a_part_of_a_path_leads_nowhere_else() {
        for name in ["6.12.117+deb13-cloud-amd64", "7.3.0-rc1_x~1"] {
            assert_eq!(component(name), Some(name));
        }
        let long = "6".repeat(LONGEST + 1);
        for name in [
            "",
            ".",
            "..",
            ".hidden",
            "/some/folder/x",
            "../x",
            "a b",
            "a\nb",
            "é",
            &long,
        ] {
            assert_eq!(component(name), None, "{name:?}");
        }
    }
}
