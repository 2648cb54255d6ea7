//! What tests are about.

use std::sync::Arc;

use super::Qemu;
use super::offers::{Machine, Model, Offers};

/// A QEMU of this version that offers these machine types and CPU models.
pub fn qemu(version: &str, machines: &[&str], models: &[&str]) -> Arc<Qemu> {
    let machine = |name: &&str| Machine {
        name: (*name).to_owned(),
        ..Machine::default()
    };
    let model = |name: &&str| Model {
        name: (*name).to_owned(),
        ..Model::default()
    };
    Arc::new(Qemu {
        path: format!("/opt/qemu-{version}").into(),
        label: format!("qemu-{version}"),
        offers: Arc::new(Offers {
            version: version.to_owned(),
            machines: machines.iter().map(machine).collect(),
            models: models.iter().map(model).collect(),
            ..Offers::default()
        }),
    })
}
