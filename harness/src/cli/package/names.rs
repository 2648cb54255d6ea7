//! Names that a shell offers for a value: those of the expectations that are built into the program. No QEMU is started for them.

use std::collections::BTreeSet;

use cpuid_fidelity::cpuid::table::{Format, Table};
use cpuid_fidelity::expectation::files::Files;
use cpuid_fidelity::util::order::natural;

use crate::cli::context::BUILT_IN;

/// CPU models that any release has, by any of their names.
pub fn models() -> Vec<String> {
    in_folders(&["models", "tcg"])
}

/// Machine types that any release has. The newest `pc-q35` has no file, because the others are compared with it.
pub fn machines() -> Vec<String> {
    let newest = releases()
        .into_iter()
        .map(|release| format!("pc-q35-{release}"));
    sorted(newest.chain(in_folders(&["machines"])).collect())
}

/// Releases of QEMU, `11.1`.
pub fn releases() -> Vec<String> {
    let files = Files::built_in(&BUILT_IN);
    let folders = files.known().iter();
    let folders = folders.filter_map(|path| path.split('/').next()?.strip_prefix("qemu-"));
    sorted(folders.map(str::to_owned).collect())
}

/// Features, as QEMU spells them.
pub fn features() -> Vec<String> {
    let text = BUILT_IN.get_file("features.tsv");
    let text = text.and_then(include_dir::File::contents_utf8);
    let table = Table::parse("features.tsv", text.unwrap_or_default());
    let fields = table.iter().flat_map(Table::fields);
    let flags = fields.filter(|field| field.format == Format::Flag);
    sorted(flags.map(|field| field.name.clone()).collect())
}

/// The names of the files in folders of this name, of all releases.
fn in_folders(wanted: &[&str]) -> Vec<String> {
    let files = Files::built_in(&BUILT_IN);
    let names = files.known().iter().filter_map(|path| {
        let parts: Vec<&str> = path.split('/').collect();
        match parts[..] {
            [release, folder, file] if release.starts_with("qemu-") && wanted.contains(&folder) => {
                file.strip_suffix(".snap").map(str::to_owned)
            }
            _ => None,
        }
    });
    sorted(names.collect())
}

fn sorted(names: BTreeSet<String>) -> Vec<String> {
    let mut names: Vec<String> = names.into_iter().collect();
    names.sort_by_key(|name| natural(name));
    names
}
