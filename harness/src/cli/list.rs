//! `list`: the planned cases.

use serde_json::json;

use super::arguments::{List, ListFormat};
use super::{Context, NOT_RUN, print};

/// Prints the planned cases; the exit status.
pub fn run(context: &Context, arguments: &List) -> anyhow::Result<u8> {
    let inventory = context.inventory()?;
    for unusable in &inventory.unusable {
        eprintln!("ERROR {}", unusable.reason);
    }
    let (_, trials) = super::run::chosen(context, &inventory, &arguments.choice);
    let mut text = String::new();
    for trial in &trials {
        for case in &trial.cases {
            let name = trial.case_name(case);
            text.push_str(&match arguments.format {
                ListFormat::Text => format!("{name}\n"),
                ListFormat::Json => format!(
                    "{}\n",
                    json!({
                        "case": name,
                        "trial": trial.name,
                        "lane": case.lane,
                        "qemu": {"path": case.qemu.path, "version": case.qemu.offers.version},
                        "machine": case.machine,
                        "cpu": case.cpu,
                        "resolved": case.resolved_model(),
                        "smp": case.smp.as_str(),
                        "expectation": trial.expectation,
                    })
                ),
            });
        }
    }
    print(&text);
    Ok(if inventory.unusable.is_empty() {
        0
    } else {
        NOT_RUN
    })
}
