//! `catalogue`: which bit each CPU property moves.

use std::collections::BTreeSet;

use anyhow::Context as _;
use clap::Args;
use cpuid_fidelity::run::catalogue;
use cpuid_fidelity::run::catalogue::Catalogue as Measured;
use cpuid_fidelity::util::open;
use cpuid_fidelity::util::printable::line;

use super::common::exit::write_result;
use super::{Context, NOT_RUN, print, print_line};

/// `catalogue`.
#[derive(Debug, Args)]
pub struct Catalogue {
    /// Compare with features.tsv, and exit 1 where they differ
    #[arg(long)]
    pub check: bool,
    /// Mark in features.tsv what was measured
    #[arg(long, conflicts_with = "check")]
    pub write: bool,
}

/// Measures, prints or compares or marks; the exit status.
pub fn run(context: &Context, arguments: &Catalogue) -> anyhow::Result<u8> {
    let inventory = context.inventory()?;
    let engine = context.engine()?;
    let mut wrong = 0;
    let (mut seen, mut unseen) = (BTreeSet::new(), BTreeSet::new());
    for qemu in &inventory.qemus {
        let measured = catalogue::measure(&engine, qemu)?;
        let release = qemu.offers.release();
        let complaints = catalogue::disagreements(&measured, &context.store.table, release);
        wrong += complaints.len();
        if arguments.check || arguments.write {
            complaints
                .iter()
                .for_each(|line| print_line(&format!("{}: {line}", qemu.label)))
        } else {
            print(&shown(&qemu.label, &measured))
        }
        for field in context.store.table.fields() {
            if catalogue::seen(&measured, field) {
                seen.insert(field.name.clone());
            } else if field.qemu.is_some_and(|releases| releases.holds(release)) {
                unseen.insert(field.name.clone());
            }
        }
    }
    if arguments.write {
        mark(context, &(&seen - &unseen))?;
    }
    for unusable in &inventory.unusable {
        note!("ERROR {}", unusable.reason);
    }
    Ok(if inventory.unusable.is_empty() {
        u8::from(arguments.check && wrong > 0)
    } else {
        NOT_RUN
    })
}

fn shown(label: &str, measured: &Measured) -> String {
    let mut text = String::new();
    for (property, bits) in &measured.moved {
        let bits: Vec<String> = bits.iter().map(ToString::to_string).collect();
        let bits = if bits.is_empty() {
            "-".to_owned()
        } else {
            bits.join(" ")
        };
        text.push_str(&format!("{label}\t{}\t{bits}\n", line(property)));
    }
    for (property, reason) in &measured.broken {
        text.push_str(&format!(
            "{label}\t{}\tERROR {}\n",
            line(property),
            line(reason)
        ));
    }
    text
}

/// Turns `public` into `measured` in the rows of the table that every release with the property showed: a name that one of
/// them hides (`sgx` from 7.2 on, without an EPC) could not be held to its bit there. Nothing else of the file changes.
fn mark(context: &Context, seen: &BTreeSet<String>) -> anyhow::Result<()> {
    let path = context.store.files.folder().join("features.tsv");
    let text = open::text(&path).with_context(|| format!("failed to read {}", path.display()))?;
    let lines = text.lines().map(|line| {
        let mut cells: Vec<&str> = line.split('\t').collect();
        if cells.len() == 10
            && cells[0] == "cpuid"
            && cells[8] == "public"
            && seen.contains(cells[5])
        {
            cells[8] = "measured";
        }
        cells.join("\t") + "\n"
    });
    let text: String = lines.collect();
    Ok(write_result(&path, &text)?)
}
