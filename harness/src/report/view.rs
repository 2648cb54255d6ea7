//! QEMU's view of a CPU, as people and programs read it.

use serde_json::{Value, json};

use super::heading;
use crate::case::guest::Case;
use crate::cpuid::table::Table;
use crate::evidence::qemu::QemuLayer;
use crate::evidence::qemu::{Properties, Words};
use crate::evidence::warnings::Warned;
use crate::util::printable::line;

/// Sections with a heading each; features as expectation lines.
pub fn text(case: &Case, layer: &QemuLayer, table: &Table) -> String {
    let asked = case.with_cpu(case.cpu_argument());
    let mut text = heading::comments(&heading::guest(&asked), case.lane);
    let mut section = |name: &str, lines: Vec<String>| {
        text.push_str(&format!("\n# {name}: {}\n", lines.len()));
        lines
            .iter()
            .for_each(|shown| text.push_str(&format!("{}\n", line(shown))));
    };
    section(
        "class (query-cpus-fast)",
        layer.class.iter().cloned().collect(),
    );
    section(
        "feature words (QOM feature-words)",
        lines(&layer.words, table),
    );
    section(
        "filtered (QOM filtered-features)",
        lines(&layer.filtered, table),
    );
    section("warnings", warnings(layer));
    section(
        "unavailable-features (query-cpu-definitions, the model without flags)",
        layer.unavailable.clone().unwrap_or_default(),
    );
    for (kind, properties) in expansions(layer) {
        let lines = properties
            .iter()
            .map(|(name, value)| format!("{name} = {}", plain(value)));
        section(
            &format!("query-cpu-model-expansion {kind}"),
            lines.collect(),
        );
    }
    section("not understood", layer.unreadable.clone());
    text
}

/// The same as one object; features by name, with their places.
pub fn object(case: &Case, layer: &QemuLayer, table: &Table) -> Value {
    let features = |words: &Words| -> Vec<Value> {
        let bits = words.iter().flat_map(|(word, value)| word.bits(*value));
        bits.map(|bit| json!({"name": bit.name(table), "where": bit.to_string()}))
            .collect()
    };
    json!({
        "cpu": case.cpu,
        "machine": case.machine,
        "lane": case.lane,
        "qemu": {"path": case.qemu.path, "version": case.qemu.offers.version},
        "class": layer.class,
        "feature-words": features(&layer.words),
        "filtered-features": features(&layer.filtered),
        "warnings": warnings(layer),
        "unavailable-features": layer.unavailable,
        "static": layer.static_properties,
        "full": layer.full_properties,
        "not-understood": layer.unreadable,
    })
}

fn lines(words: &Words, table: &Table) -> Vec<String> {
    let bits = words.iter().flat_map(|(word, value)| word.bits(*value));
    bits.map(|bit| bit.line(table).to_string()).collect()
}

fn warnings(layer: &QemuLayer) -> Vec<String> {
    let warnings = &layer.warnings;
    let place = |warned: &Warned| {
        let Warned { leaf, bit, .. } = warned;
        match (warned.register, warned.subleaf) {
            (None, _) => format!("MSR.{leaf:02X}H[{bit}]"),
            (Some(register), subleaf) => {
                let register = ["EAX", "EBX", "ECX", "EDX"][usize::from(register)];
                let subleaf = subleaf.map_or(String::new(), |subleaf| format!(".{subleaf:02X}H"));
                format!("CPUID.{leaf:02X}H{subleaf}:{register}[{bit}]")
            }
        }
    };
    let not_given = warnings
        .features
        .iter()
        .map(|warned| format!("not supported: {} at {}", warned.name, place(warned)));
    let dependent = warnings
        .dependent
        .iter()
        .map(|warned| format!("needs others: {} at {}", warned.name, place(warned)));
    let conflicts = warnings.conflicts.iter().map(|(warned, with)| {
        format!(
            "conflicts with {with}: {} at {}",
            warned.name,
            place(warned)
        )
    });
    let capabilities = warnings
        .capabilities
        .iter()
        .map(|name| format!("not supported: {name}"));
    let others = warnings.unknown.iter().cloned();
    not_given
        .chain(capabilities)
        .chain(dependent)
        .chain(conflicts)
        .chain(others)
        .collect()
}

fn expansions(layer: &QemuLayer) -> impl Iterator<Item = (&'static str, &Properties)> {
    let fixed = layer
        .static_properties
        .iter()
        .map(|properties| ("static", properties));
    let full = layer
        .full_properties
        .iter()
        .map(|properties| ("full", properties));
    fixed.chain(full)
}

/// As `-cpu` takes it.
fn plain(value: &Value) -> String {
    match value {
        Value::Bool(true) => "on".to_owned(),
        Value::Bool(false) => "off".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
