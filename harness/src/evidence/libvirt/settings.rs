//! Settings beside `<cpu>`, read from a domain's XML.

use roxmltree::Node;

use crate::vmm::libvirt::setting::{ROWS, Row, Setting, Settings};

/// The settings of a `<domain>`, and a sentence for each whose value libvirt does not take.
pub(super) fn read(domain: Node<'_, '_>) -> (Settings, Vec<String>) {
    let mut found: Vec<(usize, Setting)> = Vec::new();
    let mut refused = Vec::new();
    for row in &ROWS {
        let Some(element) = find(domain, row.path) else {
            continue;
        };
        let value = match element.attribute(row.attribute) {
            Some(value) => value.to_owned(),
            None if is_on_alone(row) => "on".to_owned(),
            None => {
                refused.extend(missing(row, element));
                continue;
            }
        };
        if row.accepts(&value) {
            found.push((element.range().start, Setting { row, value }));
        } else {
            refused.push(format!(
                "{} {}='{value}': libvirt does not take it",
                row.path, row.attribute
            ));
        }
    }
    found.sort_by_key(|(place, _)| *place);
    let mut settings = Settings(found.into_iter().map(|(_, setting)| setting).collect());
    settings.sort();
    refused.extend(without_effect(&settings));
    (settings, refused)
}

/// Whether an element without the attribute is on (virDomainFeaturesDefParse): `<pmu/>`.
fn is_on_alone(row: &Row) -> bool {
    row.attribute == "state" && row.path.split('/').count() == 2
}

/// What libvirt says of an element without an attribute that it has to have.
fn missing(row: &Row, element: Node<'_, '_>) -> Option<String> {
    let counts = row.needs == row.path && element.attribute("state") == Some("on");
    let wanted = row.attribute == "state" || counts;
    wanted.then(|| {
        format!(
            "{} without {}: libvirt does not take it",
            row.path, row.attribute
        )
    })
}

/// What is asked for and passed to QEMU by no libvirt: an enlightenment that is off where all others are passed through.
fn without_effect(settings: &Settings) -> Vec<String> {
    if settings.get("features/hyperv", "mode") != Some("passthrough") {
        return Vec::new();
    }
    let off = settings.0.iter().filter(|set| {
        set.row.path.starts_with("features/hyperv/")
            && set.row.attribute == "state"
            && set.value == "off"
    });
    let sentence = |set: &Setting| {
        format!(
            "{} state='off': libvirt passes nothing for it, and hv-passthrough=on gives it",
            set.row.path
        )
    };
    off.map(sentence).collect()
}

/// The element at a path of [`ROWS`].
fn find<'a, 'i>(from: Node<'a, 'i>, path: &str) -> Option<Node<'a, 'i>> {
    let (first, rest) = path
        .split_once('/')
        .map_or((path, None), |(first, rest)| (first, Some(rest)));
    let (name, told_by) = first.split_once('[').unwrap_or((first, ""));
    let told_by = told_by.trim_end_matches(']').split_once('=');
    let element = from.children().find(|node| {
        let right = told_by.is_none_or(|(key, value)| node.attribute(key) == Some(value));
        node.has_tag_name(name) && right
    })?;
    match rest {
        Some(rest) => find(element, rest),
        None => Some(element),
    }
}
