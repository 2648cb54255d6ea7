//! Tables, models and hosts for tests.

use std::path::Path;
use std::sync::OnceLock;

use super::answer::Fleet;
use super::catalogue::Catalogue;
use super::choice::Wish;
use super::class::Class;
use super::facts::{Basis, Facts, KernelFacts};
use super::layout::Layout;
use super::models::{self, Model};
use super::tables::Tables;
use crate::config::Config;
use crate::cpuid::Table;
use crate::expectation::store::Store;

/// The checkout's tables.
pub fn store() -> &'static Store {
    static STORE: OnceLock<Store> = OnceLock::new();
    STORE.get_or_init(|| {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .find(|folder| folder.join("fidelity.toml").is_file());
        let config = Config::read(&file.expect("a checkout").join("fidelity.toml"))
            .expect("a configuration");
        Store::open(&config).expect("the tables")
    })
}

pub fn table() -> Table {
    store().table.clone()
}

pub fn catalogue(releases: &[(u32, u32)]) -> Catalogue {
    let store = store();
    let tables = Tables::built_in(&store.table).expect("the tables");
    Catalogue::new(&store.table, &store.levels, tables, releases)
}

/// All models of QEMU 11.1.
pub fn models() -> Vec<Model> {
    static MODELS: OnceLock<Vec<Model>> = OnceLock::new();
    let read = || {
        models::models(store(), "qemu-11.1", "pc-q35-11.1", &catalogue(&[(11, 1)]))
            .expect("the models")
    };
    MODELS.get_or_init(read).clone()
}

/// A fleet of these hosts, of QEMU 11.1, as nobody wishes anything in particular.
pub fn fleet(classes: &[Class]) -> Fleet<'_> {
    static PARTS: OnceLock<(Catalogue, Vec<Model>)> = OnceLock::new();
    let (catalogue, models) = PARTS.get_or_init(|| (catalogue(&[(11, 1)]), models()));
    Fleet {
        catalogue,
        models,
        classes,
        wish: Wish::default(),
    }
}

pub fn model(name: &str) -> Model {
    let models = models();
    let found = models.into_iter().find(|model| model.name == name);
    found.unwrap_or_else(|| panic!("no model {name}"))
}

/// A host that gives what a model has, and these flags; called as the model is, with its flags.
pub fn class(name: &str, plus: &[&str], minus: &[&str]) -> Class {
    let catalogue = catalogue(&[(11, 1)]);
    let model = model(name);
    let gives = (model.nested | catalogue.bits(plus.iter().copied()))
        .without(catalogue.bits(minus.iter().copied()));
    let mut host = name.to_lowercase();
    for flag in plus.iter().chain(minus) {
        host.push('-');
        host.push_str(flag);
    }
    Class {
        facts: Facts {
            gives,
            lacks: !gives,
            hardware: gives,
            basis: Basis::Kvm,
            vendor: Some(model.vendor.clone()),
            brand: None,
            phys_bits: Some(46),
            layout: Layout::new(),
            kernel: KernelFacts::default(),
        },
        hosts: vec![host],
        remarks: Vec::new(),
    }
}
