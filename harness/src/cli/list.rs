//! `list`: the planned cases.

use clap::{Args, ValueEnum};
use cpuid_fidelity::util::printable;
use serde_json::json;

use super::common::choice::Choice;
use super::common::place;
use super::{Context, NOT_RUN, print};

/// `list`.
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    pub choice: Choice,
    /// `json`: an object a line
    #[arg(long, value_enum, default_value_t = ListFormat::Text)]
    pub format: ListFormat,
}

/// Formats of `list`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// A name a line.
    Text,
    /// An object a line.
    Json,
}

/// Prints the planned cases; the exit status.
pub fn run(context: &Context, arguments: &List) -> anyhow::Result<u8> {
    let inventory = place::inventory(context, &arguments.choice.kernel)?;
    for unusable in &inventory.unusable {
        note!("ERROR {}", unusable.reason);
    }
    let (_, trials) = super::run::chosen(context, &inventory, &arguments.choice)?;
    let mut text = String::new();
    for trial in &trials {
        for case in &trial.cases {
            let name = trial.case_name(case);
            text.push_str(&match arguments.format {
                ListFormat::Text => format!("{}\n", printable::line(&name)),
                ListFormat::Json => format!(
                    "{}\n",
                    printable::json(
                        &json!({
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
                        .to_string()
                    )
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
