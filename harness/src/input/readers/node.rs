//! A Kubernetes node, or a list of them, with the labels of KubeVirt's node-labeller (`kubectl get nodes -o json`; labels in
//! staging/src/kubevirt.io/api/core/v1/types.go): features and usable models of the host by libvirt's names.

use serde_json::Value;

use crate::cpuid::Table;
use crate::input::coverage::Coverage;
use crate::input::cpu::{Cpu, Input, State};
use crate::input::error::InputError;
use crate::input::format::Format;
use crate::input::malformed;
use crate::input::names::{Names, Spelling};
use crate::input::reader::Reader;
use crate::input::text::Text;

pub const READER: Reader = Reader {
    format: Format::Node,
    knows: |text| text.shape.has_key("kind") && text.shape.has_key("apiVersion"),
    read,
};

const FEATURE: &str = "cpu-feature.node.kubevirt.io/";
const HOST_FEATURE: &str = "host-model-required-features.node.kubevirt.io/";
const MODEL: &str = "cpu-model.node.kubevirt.io/";
const HOST_MODEL: &str = "host-model-cpu.node.kubevirt.io/";
const VENDOR: &str = "cpu-vendor.node.kubevirt.io/";
/// KubeVirt's names of vendors, and CPUID's.
const VENDORS: [(&str, &str); 3] = [
    ("Intel", "GenuineIntel"),
    ("AMD", "AuthenticAMD"),
    ("Hygon", "HygonGenuine"),
];

fn read(text: &Text, table: &Table) -> Result<Vec<Input>, InputError> {
    let value: Value = serde_json::from_str(&text.whole())
        .map_err(|error| malformed::json(Format::Node, &error))?;
    let names = Names::new(table, Spelling::Libvirt);
    let items = match value["items"].as_array() {
        Some(items) => items.as_slice(),
        None => std::slice::from_ref(&value),
    };
    let nodes: Vec<Input> = items.iter().filter_map(|item| node(item, &names)).collect();
    if nodes.is_empty() {
        let kind = value["kind"].as_str().unwrap_or("something else");
        let problem =
            format!("expected nodes with labels of KubeVirt ({FEATURE}…), found {kind} without");
        return Err(malformed::form(Format::Node, (1, 1), problem));
    }
    Ok(nodes)
}

/// One node; `None` where KubeVirt did not label it.
fn node(item: &Value, names: &Names<'_>) -> Option<Input> {
    let labels = item["metadata"]["labels"].as_object()?;
    let mut cpu = Cpu::default();
    let mut models = Vec::new();
    for (label, value) in labels {
        let is_set = value.as_str() == Some("true");
        for feature in [FEATURE, HOST_FEATURE] {
            if let Some(name) = label.strip_prefix(feature) {
                names.note(&mut cpu, name, is_set);
            }
        }
        match label.split_at(label.find('/').map_or(0, |at| at + 1)) {
            (MODEL | HOST_MODEL, name) if is_set => models.push(name.to_owned()),
            (VENDOR, name) if is_set => {
                let known = VENDORS.iter().find(|(own, _)| *own == name);
                let vendor = known.map_or(name, |(_, vendor)| vendor);
                cpu.fields.insert("vendor".to_owned(), vendor.to_owned());
            }
            _ => {}
        }
    }
    if cpu.present.is_empty() && models.is_empty() {
        return None;
    }
    models.sort();
    models.dedup();
    cpu.fields
        .insert("usable-models".to_owned(), models.join(" "));
    let title = item["metadata"]["name"].as_str().map(str::to_owned);
    Some(Input {
        title,
        cpus: vec![cpu],
        ..Input::new(Format::Node, State::Os, Coverage::Excerpt)
    })
}
