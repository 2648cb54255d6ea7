//! The family, model and stepping that libvirt's `.sig` files have in words are those that `show` has of the dump beside them.

use std::collections::BTreeMap;

use cpuid_fidelity::describe::describe;

use super::held::{Held, LIBVIRT, files_of, levels, table};

/// `family:     6 (0x06)` and so on.
fn parse(file: &Held) -> BTreeMap<String, u64> {
    let text = String::from_utf8_lossy(&file.bytes);
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    let number = |value: &str| value.split_whitespace().next()?.parse().ok();
    pairs
        .filter_map(|(name, value)| Some((name.to_owned(), number(value)?)))
        .collect()
}

#[test]
fn the_signatures_that_libvirt_has_in_words_are_what_show_says() {
    let files = or_skip!(files_of(LIBVIRT));
    let (table, by_name) = (table(), files.iter().map(|file| (file.name.as_str(), file)));
    let (levels, by_name) = (levels(&table), by_name.collect::<BTreeMap<_, _>>());
    let mut compared = 0;
    for (name, file) in &by_name {
        let Some(stem) = name.strip_suffix(".sig") else {
            continue;
        };
        let dump = by_name[format!("{stem}.xml").as_str()];
        let inputs = dump.read(&table).expect("a dump");
        let identity = describe("", &inputs[0], &table, &levels).identity;
        let shown = [
            ("family", identity.family),
            ("model", identity.model),
            ("stepping", identity.stepping),
        ];
        let shown = shown.into_iter();
        let shown: BTreeMap<String, u64> = shown
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect();
        assert_eq!(shown, parse(file), "{name}");
        compared += 1;
    }
    assert!(compared > 50, "{compared} signatures");
}
