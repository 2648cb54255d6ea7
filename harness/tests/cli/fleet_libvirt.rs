//! The answers of `fleet` beside those of `virsh hypervisor-cpu-baseline`, for random fleets of the hosts of libvirt's own tests.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use cpuid_fidelity::config::Config;
use cpuid_fidelity::expectation::Store;
use cpuid_fidelity::fleet::{
    self, Bits, Catalogue, Fleet, HostFile, Model, Page, Reading, Tables, Wish, fold, models,
    switched_off,
};
use cpuid_fidelity::input::read;
use roxmltree::Document;

use rayon::prelude::*;

use super::require::{Capability, require, root};

const FLEETS: usize = 100;

/// A host: its processor, as the names of its files have it, and the vendor.
#[derive(Clone, Debug)]
struct Host {
    name: String,
    vendor: String,
}

/// What both answer for one fleet.
struct Row {
    hosts: Vec<String>,
    ours: BTreeSet<String>,
    /// What a guest of libvirt's answer gets.
    theirs: BTreeSet<String>,
    /// What libvirt's answer asks for and no guest gets: some host does not give it, so that QEMU filters it and does not start under
    /// `enforce`; or it needs a feature that the answer has not.
    wrong: BTreeSet<String>,
}

/// Hosts with CPUID, QEMU's expansion, and what libvirt makes of them.
fn all_hosts(folder: &Path) -> Vec<Host> {
    let entries = std::fs::read_dir(folder).expect("the dumps").flatten();
    let names = entries.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        Some(
            name.strip_prefix("x86_64-cpuid-")?
                .strip_suffix("-json.xml")?
                .to_owned(),
        )
    });
    let mut hosts: Vec<Host> = names
        .filter_map(|name| {
            let text =
                std::fs::read_to_string(folder.join(format!("x86_64-cpuid-{name}-json.xml")))
                    .ok()?;
            let vendor = ["AMD", "Intel", "Hygon"]
                .into_iter()
                .find(|vendor| text.contains(&format!("<vendor>{vendor}</vendor>")))?;
            Some(Host {
                name,
                vendor: vendor.to_owned(),
            })
        })
        .collect();
    hosts.sort_by(|one, other| one.name.cmp(&other.name));
    hosts
}

/// Fleets of two to five hosts of one vendor, the same each time.
fn fleets(hosts: &[Host]) -> Vec<Vec<Host>> {
    let mut state: u64 = 20;
    let mut random = |below: usize| {
        // Knuth's MMIX generator.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut fleets = Vec::new();
    while fleets.len() < FLEETS {
        let first = hosts[random(hosts.len())].clone();
        let others: Vec<&Host> = hosts
            .iter()
            .filter(|host| host.vendor == first.vendor && host.name != first.name)
            .collect();
        let mut fleet = vec![first];
        for _ in 0..=random(4) {
            if !others.is_empty() {
                fleet.push(others[random(others.len())].clone());
            }
        }
        fleet.sort_by(|one, other| one.name.cmp(&other.name));
        fleet.dedup_by(|one, other| one.name == other.name);
        if fleet.len() > 1 {
            fleets.push(fleet);
        }
    }
    fleets
}

/// libvirt's answers, in the order of the fleets.
fn baselines(folder: &Path, fleets: &[Vec<Host>], virsh: &Path, qemu: &Path) -> Vec<String> {
    let work = tempfile::tempdir_in("/tmp").expect("a folder");
    let mut commands = String::new();
    for (number, fleet) in fleets.iter().enumerate() {
        let read = |host: &Host| {
            std::fs::read_to_string(folder.join(format!("x86_64-cpuid-{}-json.xml", host.name)))
                .expect("a CPU")
        };
        let file = work.path().join(format!("{number}.xml"));
        std::fs::write(&file, fleet.iter().map(read).collect::<String>()).expect("a file");
        commands.push_str(&format!(
            "echo @@@\nhypervisor-cpu-baseline --virttype qemu --machine q35 --emulator {} --file {}\n",
            qemu.display(),
            file.display()
        ));
    }
    let home = work.path();
    let mut child = Command::new("unshare")
        .args([
            "--user",
            "--map-user=1000",
            "--map-group=1000",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
        ])
        .arg(virsh)
        .args([
            "-q",
            "-c",
            &format!("qemu:///embed?root={}/root", home.display()),
        ])
        .envs(["HOME", "TMPDIR", "XDG_RUNTIME_DIR"].map(|name| (name, home)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("virsh");
    let mut input = child.stdin.take().expect("its input");
    let writer = std::thread::spawn(move || input.write_all(commands.as_bytes()));
    let output = child.wait_with_output().expect("its end");
    writer
        .join()
        .expect("a thread")
        .expect("the commands were read");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // virsh repeats each command: a piece is an answer where the command stands in it.
    let pieces = text
        .split("@@@")
        .filter(|piece| piece.contains("hypervisor-cpu-baseline"));
    pieces.map(str::to_owned).collect()
}

/// What a guest of libvirt's `<cpu>` has, by QEMU's definition of the model.
fn features(xml: &str, store: &Store, catalogue: &Catalogue, models: &[Model]) -> Option<Bits> {
    let xml = &xml[xml.find("<cpu")?..=xml.rfind('>')?];
    let document = Document::parse(xml).expect("XML");
    let name = document
        .descendants()
        .find(|node| node.has_tag_name("model"))?
        .text()?;
    let alias = store.bases.aliases.get(name).map_or(name, String::as_str);
    let model = Model::named(models, alias).unwrap_or_else(|| panic!("no model {name}"));
    let named = |policy: &str| -> Bits {
        let own = document.descendants().filter(|node| {
            node.has_tag_name("feature") && node.attribute("policy") == Some(policy)
        });
        own.filter_map(|node| {
            let name = node.attribute("name")?;
            let table = store.table.fields().iter();
            let field = table.into_iter().find(|field| {
                field.name == name || field.aliases_of("libvirt").any(|alias| alias == name)
            });
            catalogue.number(&field.or_else(|| store.table.named(name))?.name)
        })
        .collect()
    };
    let bits = (model.features | named("require")).without(named("disable"));
    // The features that QEMU sets in every guest are in no answer.
    Some(bits & catalogue.addable)
}

fn ours(folder: &Path, fleet: &[Host], reading: &Reading<'_>) -> Page {
    let host = |host: &Host| {
        let files = ["json", "xml"].map(|end| {
            let name = format!("x86_64-cpuid-{}.{end}", host.name);
            let bytes = std::fs::read(folder.join(&name)).expect("a file");
            let inputs = read(&bytes, reading.table).expect("a host");
            HostFile { name, inputs }
        });
        fleet::Host::new(&host.name, &files, reading).expect("a host")
    };
    let classes = fold(fleet.iter().map(host).collect());
    let wish = Wish {
        nested: true,
        plain: false,
    };
    let hosts = Fleet {
        catalogue: reading.catalogue,
        models: reading.models,
        classes: &classes,
        wish,
    };
    Page::new(&hosts, "11.1", "pc-q35-11.1", Vec::new(), true)
}

fn row(page: &Page, fleet: &[Host], libvirt: Bits, catalogue: &Catalogue) -> Row {
    let answer = page.answer.as_ref().expect("an answer");
    let given = |name: &str| {
        page.classes
            .iter()
            .all(|class| class.gives.iter().any(|own| own == name))
    };
    let addable: BTreeSet<&str> = catalogue.names(catalogue.addable).into_iter().collect();
    // Without svm QEMU gives nothing of its leaf, whatever flags say (`feature_dependencies` in target/i386/cpu.c).
    let made = catalogue.names(switched_off(libvirt, catalogue));
    let (theirs, wrong) = catalogue
        .names(libvirt)
        .into_iter()
        .map(str::to_owned)
        .partition(|name| given(name) && made.contains(&name.as_str()));
    Row {
        hosts: fleet.iter().map(|host| host.name.clone()).collect(),
        ours: answer
            .best
            .features
            .iter()
            .filter(|name| addable.contains(name.as_str()))
            .cloned()
            .collect(),
        theirs,
        wrong,
    }
}

#[test]
fn fleets_of_public_dumps_get_at_least_what_libvirt_gives_them() {
    let folder = or_skip!(require(Capability::Dumps("libvirt-11.3.0"))).join("tests/cputestdata");
    let virsh = or_skip!(require(Capability::LibvirtRelease("12.8")));
    let qemu = or_skip!(require(Capability::QemuRelease("11.1")));
    let config = Config::read(&root().join("fidelity.toml")).expect("a configuration");
    let store = Store::open(&config).expect("the tables");
    let catalogue = Catalogue::new(
        &store.table,
        &store.levels,
        Tables::built_in(&store.table).expect("tables"),
        &[(11, 1)],
    );
    let models = models(&store, "qemu-11.1", "pc-q35-11.1", &catalogue).expect("the models");
    let reading = Reading {
        table: &store.table,
        catalogue: &catalogue,
        models: &models,
        assumed: None,
    };
    let fleets = fleets(&all_hosts(&folder));
    let answers = baselines(&folder, &fleets, &virsh, &qemu);
    assert_eq!(answers.len(), FLEETS);
    let (mut more, mut unanswered, mut fewer, mut unproven) = (0, 0, Vec::new(), Vec::new());
    let pages: Vec<Page> = fleets
        .par_iter()
        .map(|fleet| ours(&folder, fleet, &reading))
        .collect();
    for ((fleet, answer), page) in fleets.iter().zip(&answers).zip(&pages) {
        let Some(libvirt) = features(answer, &store, &catalogue, &models) else {
            unanswered += 1;
            continue;
        };
        let row = row(page, fleet, libvirt, &catalogue);
        let beyond: Vec<&String> = row.ours.difference(&row.theirs).collect();
        let lacking: Vec<&String> = row.theirs.difference(&row.ours).collect();
        println!(
            "{}\n  ours {}, libvirt {}, of which {} fail; beyond libvirt {beyond:?}; libvirt's that fail {:?}; only libvirt's {lacking:?}",
            row.hosts.join(" "),
            row.ours.len(),
            row.theirs.len() + row.wrong.len(),
            row.wrong.len(),
            row.wrong
        );
        more += usize::from(row.ours.len() > row.theirs.len());
        if row.ours.len() < row.theirs.len() {
            fewer.push(row.hosts.join(" "));
        }
        let proven = page
            .proof
            .as_ref()
            .is_some_and(|proof| proof.filtered.is_empty() && proof.differing.is_empty());
        if !proven {
            unproven.push(row.hosts.join(" "));
        }
    }
    println!(
        "{FLEETS} fleets: more than libvirt in {more}, fewer in {}, libvirt without an answer in {unanswered}",
        fewer.len()
    );
    assert!(fewer.is_empty(), "{fewer:?}");
    assert!(unproven.is_empty(), "{unproven:?}");
    assert!(
        more * 10 >= (FLEETS - unanswered) * 3,
        "{more} of {}",
        FLEETS - unanswered
    );
}
