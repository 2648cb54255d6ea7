//! An expectation as a difference from another one, its *base*: what a file adds to facts that stand elsewhere already.
//!
//! ```text
//! base = qemu-7.2/models/n270-v1.snap
//! -cpuid 0x80000008.00 eax[ 7: 0]  phys-bits = 32
//! +cpuid 0x80000008.00 eax[ 7: 0]  phys-bits = 36
//! ```
//! `-` takes a line of the base away, `+` adds one; the rest of a line is the whole line. Both texts are sets of lines in the order
//! of `LC_ALL=C sort`. Pure: no file is read here.

use std::collections::BTreeSet;
use std::sync::Arc;

/// A line, shared by all that have it.
pub type Text = Arc<str>;

/// What the first line of a based file starts with.
const BASE: &str = "base = ";

/// Characters of a line that say where it belongs.
const PLACE: usize = 32;

/// A line of a based file that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeltaError {
    /// Neither `-` nor `+` at the start.
    #[error("a line below “base = …” starts with - or +")]
    Sign,
    /// `-` of a line that the base does not have.
    #[error("the base has no such line to take away")]
    Absent,
    /// `+` of a line that the base has.
    #[error("the base has this line already")]
    Present,
    /// The same line twice.
    #[error("an earlier line says the same")]
    Twice,
}

/// The base that the content of a file names in its first line, a path below the folder of expectations.
pub fn base_of(content: &str) -> Option<&str> {
    let first = content.lines().find(|line| !line.is_empty())?;
    first.strip_prefix(BASE)
}

/// The lines of `base` with the changes of a based file made to them, in order; `changes` are the file's lines below the first one,
/// numbered.
///
/// # Errors
/// The number of the first line that changes nothing or is no change, and why.
pub fn expand<'a>(
    changes: impl Iterator<Item = (usize, &'a str)>,
    base: &[Text],
) -> Result<Vec<Text>, (usize, DeltaError)> {
    let mut lines: BTreeSet<Text> = base.iter().cloned().collect();
    let mut seen = BTreeSet::new();
    for (number, change) in changes {
        if !seen.insert(change) {
            return Err((number, DeltaError::Twice));
        }
        if let Some(line) = change.strip_prefix('-') {
            if !lines.remove(line) {
                return Err((number, DeltaError::Absent));
            }
        } else if let Some(line) = change.strip_prefix('+') {
            if !lines.insert(line.into()) {
                return Err((number, DeltaError::Present));
            }
        } else {
            return Err((number, DeltaError::Sign));
        }
    }
    Ok(lines.into_iter().collect())
}

/// `text` as a difference from `base`, the content of the file `name`; `None` where it has to stand whole: it is not in the order of
/// `sort` (a comment belongs to what follows it), has a line twice, or is no longer than the difference.
pub fn collapse(text: &str, name: &str, base: &str) -> Option<String> {
    let (lines, others) = (sorted(text)?, sorted(base)?);
    let taken = others.difference(&lines).map(|line| ('-', *line));
    let added = lines.difference(&others).map(|line| ('+', *line));
    let mut changes: Vec<(char, &str)> = taken.chain(added).collect();
    if changes.len() + 1 >= lines.len() {
        return None;
    }
    changes.sort_by_key(|(sign, line)| (place(line), *sign != '-', *line));
    let first = format!("{BASE}{name}");
    let changes = changes.iter().map(|(sign, line)| format!("{sign}{line}"));
    Some(
        [first]
            .into_iter()
            .chain(changes)
            .collect::<Vec<_>>()
            .join("\n"),
    )
}

/// The lines, if they are in order and each is there once.
fn sorted(text: &str) -> Option<BTreeSet<&str>> {
    let lines: Vec<&str> = text.lines().collect();
    let ordered = lines.is_sorted_by(|one, next| one < next);
    ordered.then(|| lines.into_iter().collect())
}

/// The start of a line, up to where its text stands.
fn place(line: &str) -> &str {
    let prefix = match line.strip_prefix("vcpu ") {
        Some(_) => line.find(": ").map_or(0, |colon| colon + 2),
        None => 0,
    };
    line.get(..prefix + PLACE).unwrap_or(line)
}

/// Whether two expectation lines speak of one place.
pub(super) fn same_place(one: &str, other: &str) -> bool {
    place(one) == place(other)
}

#[cfg(test)]
mod tests {
    use proptest::collection::btree_set;
    use proptest::prelude::*;

    use super::*;

    const OLD: &str = "cpuid 0x00000001.00 ecx[ 5]     vmx\n\
                       cpuid 0x80000002.00 eax[31: 0]  model-id-0 = \"QEMU\"\n\
                       cpuid 0x80000008.00 eax[ 7: 0]  phys-bits = 32\n\
                       msr   0x0000010a                #GP";
    const NEW: &str = "cpuid 0x00000001.00 ecx[ 5]     vmx\n\
                       cpuid 0x00000001.00 ecx[ 6]     smx\n\
                       cpuid 0x80000002.00 eax[31: 0]  model-id-0 = \"QEMU\"\n\
                       cpuid 0x80000008.00 eax[ 7: 0]  phys-bits = 36\n\
                       msr   0x0000010a                #GP";

    fn expanded(file: &str, base: &str) -> Result<String, (usize, DeltaError)> {
        let base: Vec<Text> = base.lines().map(Text::from).collect();
        let numbered = file.lines().enumerate().skip(1);
        let lines = expand(numbered.map(|(index, line)| (index + 1, line)), &base)?;
        Ok(lines.join("\n"))
    }

    #[test]
    fn a_file_has_its_base_and_what_differs_by_place() {
        assert_eq!(
            collapse(NEW, "models/A-v1.snap", OLD).as_deref(),
            Some(
                "base = models/A-v1.snap\n\
                 +cpuid 0x00000001.00 ecx[ 6]     smx\n\
                 -cpuid 0x80000008.00 eax[ 7: 0]  phys-bits = 32\n\
                 +cpuid 0x80000008.00 eax[ 7: 0]  phys-bits = 36"
            )
        );
    }

    #[test]
    fn a_file_that_adds_nothing_is_its_base_line() {
        let file = collapse(OLD, "a.snap", OLD).expect("a based file");
        assert_eq!(file, "base = a.snap");
        assert_eq!(base_of(&format!("\n\n{file}")), Some("a.snap"));
        assert_eq!(expanded(&file, OLD).as_deref(), Ok(OLD));
    }

    #[test]
    fn what_is_not_in_order_or_gains_nothing_stands_whole() {
        assert_eq!(collapse("b\na", "x", "a\nb"), None, "not in order");
        assert_eq!(collapse("a\na\nb", "x", "a\nb"), None, "a line twice");
        assert_eq!(collapse("a\nb\nc", "x", "d\ne\nf"), None, "longer");
        assert_eq!(base_of("cpuid 0x00000003.00             zero"), None);
    }

    #[test]
    fn a_change_that_changes_nothing_is_refused_with_its_line() {
        for (change, error) in [
            ("-msr   0x0000010b                #GP", DeltaError::Absent),
            ("+msr   0x0000010a                #GP", DeltaError::Present),
            ("msr   0x0000010b                #GP", DeltaError::Sign),
        ] {
            let file = format!("base = x\n{change}");
            assert_eq!(expanded(&file, OLD), Err((2, error)), "{change}");
        }
        let twice = "base = x\n+a\n+a";
        assert_eq!(expanded(twice, OLD), Err((3, DeltaError::Twice)));
    }

    proptest! {
        /// Whatever two texts have, the difference gives the one back from the other.
        #[test]
        fn any_text_expands_to_what_it_was(
            text in btree_set("[a-c ]{1,3}[-+]?[a-c]", 0..20),
            base in btree_set("[a-c ]{1,3}[-+]?[a-c]", 0..20),
        ) {
            let joined = |set: BTreeSet<String>| set.into_iter().collect::<Vec<_>>().join("\n");
            let (text, base) = (joined(text), joined(base));
            if let Some(file) = collapse(&text, "x", &base) {
                prop_assert_eq!(expanded(&file, &base), Ok(text));
            }
        }
    }
}
