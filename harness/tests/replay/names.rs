//! Names of features compared with others' own: what recorded Linux guests show, and libvirt's table where it is installed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use cpuid_fidelity::cpuid::line::{Line, Register};
use cpuid_fidelity::cpuid::linux_rules::{LinuxRules, RowKind};
use cpuid_fidelity::cpuid::table::{Field, Space, Table};
use cpuid_fidelity::expectation::files::{Expected, Files};
use serde::Deserialize;

use super::require::{Capability, require};

fn expectations() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("expectations")
}

fn table() -> Table {
    let text = fs::read_to_string(expectations().join("features.tsv")).expect("the table");
    Table::parse("features.tsv", &text).expect("a table")
}

fn rules(table: &Table) -> LinuxRules {
    let text = fs::read_to_string(expectations().join("linux.tsv")).expect("the rules");
    LinuxRules::parse("linux.tsv", &text, |name| table.named(name).is_some()).expect("rules")
}

type Names = BTreeSet<(&'static str, String)>;

/// Flags of `flags`, `bugs` and `vmx flags` that the tables name.
fn named() -> Names {
    let table = table();
    let mut names = Names::new();
    for field in table.fields() {
        let vmx = field.space == Space::Msr && (0x480..=0x493).contains(&field.leaf);
        let list = if vmx { "vmx" } else { "flags" };
        names.extend(
            field
                .aliases_of("linux")
                .map(|name| (list, name.to_owned())),
        );
    }
    for row in rules(&table).rows() {
        let list = match row.kind {
            RowKind::Flag => "flags",
            RowKind::Bug => "bugs",
            RowKind::Vmx => "vmx",
            _ => continue,
        };
        names.insert((list, row.name.clone()));
    }
    names
}

/// Names that recorded guests show.
fn seen() -> Names {
    let mut names = Names::new();
    let files = Files::new(&expectations());
    for folder in fs::read_dir(expectations()).expect("a folder").flatten() {
        if !folder.file_name().to_string_lossy().starts_with("linux-") {
            continue;
        }
        for file in fs::read_dir(folder.path()).expect("a folder").flatten() {
            let path = file.path();
            let path = path.strip_prefix(expectations()).expect("below it");
            let Ok(Expected::Text(text)) = files.expectation(path) else {
                panic!("{} is no expectation", path.display());
            };
            names.extend(text.lines().filter_map(Line::read).filter_map(|line| {
                let list = match line.place.register {
                    Register::Flags => "flags",
                    Register::Bugs => "bugs",
                    Register::VmxFlags => "vmx",
                    _ => return None,
                };
                Some((list, line.text))
            }));
        }
    }
    names
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unseen {
    reason: String,
    #[serde(default)]
    flags: Vec<String>,
    #[serde(default)]
    bugs: Vec<String>,
    #[serde(default)]
    vmx: Vec<String>,
}

#[derive(Deserialize)]
struct File {
    unseen: Vec<Unseen>,
}

/// Names that no recorded guest shows, each with its reason.
fn unseen() -> Names {
    let text = fs::read_to_string(expectations().join("unseen.toml")).expect("the list");
    let file: File = toml::from_str(&text).expect("a list");
    let mut all = Names::new();
    for entry in file.unseen {
        assert!(!entry.reason.is_empty(), "names without a reason");
        for (list, names) in [
            ("flags", entry.flags),
            ("bugs", entry.bugs),
            ("vmx", entry.vmx),
        ] {
            for name in names {
                assert!(
                    all.insert((list, name.clone())),
                    "{list} {name} is listed twice"
                );
            }
        }
    }
    all
}

#[test]
fn every_linux_name_is_seen_on_a_guest_or_listed_with_its_reason() {
    let (named, seen, unseen) = (named(), seen(), unseen());
    let without: Vec<_> = named
        .difference(&seen)
        .filter(|name| !unseen.contains(*name))
        .collect();
    assert!(
        without.is_empty(),
        "neither recorded nor in unseen.toml: {without:?}"
    );
    let both: Vec<_> = unseen.intersection(&seen).collect();
    assert!(both.is_empty(), "recorded, and in unseen.toml: {both:?}");
    let stale: Vec<_> = unseen.difference(&named).collect();
    assert!(
        stale.is_empty(),
        "in unseen.toml, and in no table: {stale:?}"
    );
    let unnamed: Vec<_> = seen.difference(&named).collect();
    assert!(unnamed.is_empty(), "recorded, and in no table: {unnamed:?}");
}

#[test]
fn every_name_of_libvirts_is_known_at_its_bit() {
    let map = or_skip!(require(Capability::CpuMap));
    let text = fs::read_to_string(map.join("x86_features.xml")).expect("libvirt's table");
    let wrong = disagreements(&text, &table());
    assert!(
        wrong.is_empty(),
        "libvirt and features.tsv disagree:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn a_name_of_libvirts_at_another_bit_is_told() {
    let text = "<cpus><feature name='avx2'><cpuid eax_in='0x07' ecx_in='0x00' ebx='0x00000040'/></feature>\
                <feature name='rdctl-no'><msr index='0x10a' edx='0x00000000' eax='0x00000001'/></feature></cpus>";
    assert_eq!(
        disagreements(text, &table()),
        ["avx2: fdp-excptn-only here"]
    );
}

/// Features of libvirt's that are one bit, and stand there under no name of theirs.
fn disagreements(text: &str, table: &Table) -> Vec<String> {
    let document = roxmltree::Document::parse(text).expect("libvirt's table");
    let mut wrong = Vec::new();
    for feature in document
        .descendants()
        .filter(|node| node.has_tag_name("feature"))
    {
        let name = feature.attribute("name").unwrap_or_default();
        let fields: Vec<&Field> = feature
            .children()
            .filter(roxmltree::Node::is_element)
            .flat_map(|node| fields(node, table))
            .collect();
        let goes_by = |field: &&Field| {
            let mut names = field.aliases_of("libvirt").chain(field.aliases_of("qemu"));
            field.name == name || names.any(|alias| alias == name)
        };
        if let [field] = fields[..]
            && !goes_by(&field)
        {
            wrong.push(format!("{name}: {} here", field.name));
        }
        if fields.is_empty() {
            wrong.push(format!("{name}: no row here"));
        }
    }
    wrong
}

/// The rows of the bits that an element names.
fn fields<'a>(node: roxmltree::Node<'_, '_>, table: &'a Table) -> Vec<&'a Field> {
    let number = |name: &str| {
        let text = node.attribute(name)?.trim_start_matches("0x");
        u32::from_str_radix(text, 16).ok()
    };
    let registers = ["eax", "ebx", "ecx", "edx"];
    let mut found = Vec::new();
    for (register, name) in (0u8..).zip(registers) {
        let bits = number(name).unwrap_or(0);
        for bit in (0..32u8).filter(|bit| bits >> bit & 1 == 1) {
            let of = |space, leaf, subleaf, register, bit: u8| {
                let mut fields = table.register(space, leaf, subleaf, register);
                fields.find(|field| (field.low..=field.high).contains(&bit))
            };
            found.extend(match number("index") {
                Some(index) => {
                    let high = if name == "edx" { 32 } else { 0 };
                    of(Space::Msr, index, 0, 0, bit + high)
                }
                None => of(
                    Space::Cpuid,
                    number("eax_in").unwrap_or(0),
                    number("ecx_in").unwrap_or(0),
                    register,
                    bit,
                ),
            });
        }
    }
    found
}
