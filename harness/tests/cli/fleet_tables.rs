//! The tables and forms of `fleet` beside what they were made from: QEMU's answers, libvirt's map.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use cpuid_fidelity::config::Config;
use cpuid_fidelity::cpuid::table::Space;
use cpuid_fidelity::expectation::Store;
use cpuid_fidelity::fleet::{
    Catalogue, Form, NAMELESS, PageAnswer, PageChoice, Tables, form, models,
};
use cpuid_fidelity::lanes::libvirt::maps;
use cpuid_fidelity::util::cancel::Cancel;
use cpuid_fidelity::vmm::qmp::ask;
use serde_json::{Value, json};

use super::require::{Capability, require, root};

/// Models of QEMU 11.1 that libvirt 12.8 does not know.
const NEWER: [&str; 15] = [
    "Cascadelake-Server-v6",
    "Cascadelake-Server-v7",
    "ClearwaterForest-v4",
    "DiamondRapids-v2",
    "EPYC-Genoa-v3",
    "EPYC-Milan-v4",
    "EPYC-Turin-v2",
    "GraniteRapids-v6",
    "GraniteRapids-v7",
    "Icelake-Server-v8",
    "Icelake-Server-v9",
    "SapphireRapids-v7",
    "SapphireRapids-v8",
    "SierraForest-v6",
    "Skylake-Server-v6",
];

fn store() -> Store {
    let config = Config::read(&root().join("fidelity.toml")).expect("a configuration");
    Store::open(&config).expect("the tables")
}

fn answers(qemu: &Path, commands: &[Value]) -> Vec<Value> {
    let deadline = Duration::from_secs(120);
    let cancel = Cancel::new().expect("an eventfd");
    ask(qemu, "q35,accel=tcg", commands, deadline, &cancel).expect("answers")
}

/// Versioned models of a QEMU, and those for which another name stands.
fn offered(qemu: &Path) -> (Vec<String>, BTreeMap<String, String>) {
    let answer = answers(qemu, &[json!({"execute": "query-cpu-definitions"})]);
    let definitions = answer[0].as_array().expect("models").clone();
    let name = |value: &Value| value.as_str().map(str::to_owned);
    let of = definitions
        .iter()
        .filter_map(|one| Some((name(&one["name"])?, name(&one["alias-of"]))));
    let (mut versioned, mut aliases) = (Vec::new(), BTreeMap::new());
    for (model, alias) in of {
        match alias {
            Some(other) => drop(aliases.insert(model, other)),
            None => versioned.push(model),
        }
    }
    versioned.retain(|name| name.contains("-v"));
    (versioned, aliases)
}

/// With `vmx` and its features forced, of each model those that stand in MSRs.
fn msr_features(
    qemu: &Path,
    store: &Store,
    names: &[String],
) -> BTreeMap<String, BTreeSet<String>> {
    let props = json!({"x-force-features": true, "vmx": true});
    let expand = |name: &String| {
        let model = json!({"name": name, "props": props});
        json!({"execute": "query-cpu-model-expansion", "arguments": {"type": "full", "model": model}})
    };
    let commands: Vec<Value> = names.iter().map(expand).collect();
    let fields = store
        .table
        .fields()
        .iter()
        .filter(|field| field.space == Space::Msr);
    let fields: Vec<&str> = fields.map(|field| field.name.as_str()).collect();
    let of = |answer: &Value| {
        let props = &answer["model"]["props"];
        let on = fields.iter().filter(|name| props[**name] == true);
        on.map(|name| (*name).to_owned()).collect()
    };
    let all = answers(qemu, &commands);
    names.iter().cloned().zip(all.iter().map(of)).collect()
}

#[test]
fn models_have_in_msrs_what_each_qemu_says_and_are_called_as_it_calls_them() {
    let store = store();
    let tables = Tables::built_in(&store.table).expect("the tables");
    for release in ["7.2", "10.0", "11.1"] {
        let qemu = or_skip!(require(Capability::QemuRelease(release)));
        let (versioned, aliases) = offered(&qemu);
        let listed: Vec<String> = versioned
            .iter()
            .filter(|name| tables.model_msrs.contains_key(*name))
            .cloned()
            .collect();
        assert!(listed.len() > 40, "{release}: {listed:?}");
        for (model, has) in msr_features(&qemu, &store, &listed) {
            let written: BTreeSet<String> = tables.model_msrs[&model].iter().cloned().collect();
            assert_eq!(has, written, "{model} of QEMU {release}");
        }
        let numbers: Vec<u32> = release
            .split('.')
            .map(|part| part.parse().expect("a number"))
            .collect();
        let catalogue = Catalogue::new(
            &store.table,
            &store.levels,
            tables.clone(),
            &[(numbers[0], numbers[1])],
        );
        let folder = format!("qemu-{release}");
        let known =
            models(&store, &folder, &format!("pc-q35-{release}"), &catalogue).expect("models");
        for (alias, model) in &aliases {
            let named = cpuid_fidelity::fleet::Model::named(&known, alias);
            assert_eq!(
                named.map(|model| &model.name),
                Some(model),
                "{alias} of QEMU {release}"
            );
        }
    }
}

#[test]
fn libvirt_knows_the_models_and_flags_that_its_form_may_name() {
    let virsh = or_skip!(require(Capability::LibvirtRelease("12.8")));
    let folder = virsh.parent().expect("a folder").join("cpu_map");
    let map = maps::read(&folder).expect("libvirt's map");
    let store = store();
    let tables = Tables::built_in(&store.table).expect("the tables");
    let catalogue = Catalogue::new(&store.table, &store.levels, tables, &[(11, 1)]);
    let flags: Vec<String> = catalogue
        .names(catalogue.addable)
        .into_iter()
        .map(str::to_owned)
        .collect();
    let best = PageChoice {
        model: "EPYC-v1".to_owned(),
        plus: flags.clone(),
        ..PageChoice::default()
    };
    let answer = PageAnswer {
        best,
        ..PageAnswer::default()
    };
    let xml = form(Form::Libvirt, &answer, &store.table);
    let document = roxmltree::Document::parse(&xml).expect("XML");
    let named = document
        .descendants()
        .filter(|node| node.has_tag_name("feature"))
        .filter_map(|node| node.attribute("name"));
    let known: BTreeSet<&str> = map
        .features
        .iter()
        .map(|feature| feature.name.as_str())
        .collect();
    let unknown: Vec<&str> = named.filter(|name| !known.contains(name)).collect();
    assert!(flags.len() > 150, "{}", flags.len());
    assert_eq!(unknown, Vec::<&str>::new());
    let named: Vec<&&str> = NAMELESS
        .iter()
        .filter(|name| known.contains(*name))
        .collect();
    assert!(named.is_empty(), "libvirt has a name for {named:?}");
    let models = models(&store, "qemu-11.1", "pc-q35-11.1", &catalogue).expect("models");
    let unknown = models
        .iter()
        .filter(|model| !map.models.contains_key(&model.name));
    let unknown: BTreeSet<&str> = unknown.map(|model| model.name.as_str()).collect();
    assert_eq!(unknown, NEWER.into());
}
