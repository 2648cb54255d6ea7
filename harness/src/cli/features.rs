//! `features`: the bits and fields that can be named, and which recorded CPU models have them.

use std::collections::BTreeMap;

use clap::Args;
use cpuid_fidelity::cpuid::parse;
use cpuid_fidelity::cpuid::table::{Field, Format, Space};
use cpuid_fidelity::expectation::holdings::{Part, names, releases};
use cpuid_fidelity::expectation::whole::{Wanted, whole};
use cpuid_fidelity::run::explain::{named, place};

use super::common::table::{Listed, Listing, join};
use super::{Context, print};

/// `features`.
#[derive(Debug, Args)]
pub struct Features {
    #[command(flatten)]
    listing: Listing,
    /// Bits that no property of QEMU sets too, and fields of several bits
    #[arg(long)]
    all: bool,
}

/// Prints a row a feature; of a single one the models that have it too. The exit status.
pub fn run(context: &Context, arguments: &Features) -> anyhow::Result<u8> {
    let wanted = arguments.listing.filter()?;
    let fields = context.store.table.fields().iter();
    let is_wanted = |field: &&Field| {
        let known = field.qemu.is_some() || arguments.all;
        let mut names = spellings(field);
        known && names.any(&wanted)
    };
    let fields: Vec<&Field> = fields.filter(is_wanted).collect();
    anyhow::ensure!(
        !fields.is_empty(),
        "no feature of QEMU matches; --all lists the bits that QEMU has no property for{}",
        arguments
            .listing
            .near(context.store.table.fields().iter().flat_map(spellings))
    );
    let (release, holders) = holders(context)?;
    let mut listed = Listed::new(["feature", "place", "since", "models", "other-names"]);
    for field in &fields {
        let held = holders
            .get(field.name.as_str())
            .map(|models| models.len().to_string());
        // Definitions are of TCG, which shows no feature MSRs: there none is unknown.
        let unseen = if field.space == Space::Msr { "?" } else { "0" };
        listed.push([
            field.name.clone(),
            place(field),
            field.qemu.map_or("-".to_owned(), |span| {
                format!("{}.{}", span.first.0, span.first.1)
            }),
            held.unwrap_or_else(|| unseen.to_owned()),
            join(field.aliases.iter().map(String::as_str)),
        ]);
    }
    print(&listed.text(arguments.listing.format));
    let pattern = arguments.listing.pattern.as_deref();
    let exact = pattern.and_then(|name| named(&context.store.table, name));
    if let Some(only) =
        exact.filter(|field| field.format == Format::Flag && field.space != Space::Msr)
    {
        let none = Vec::new();
        let models = holders.get(only.name.as_str()).unwrap_or(&none);
        print(&format!(
            "\nin these definitions of QEMU {release}: {}\n",
            join(models.iter().map(String::as_str))
        ));
    }
    Ok(0)
}

fn spellings(field: &Field) -> impl Iterator<Item = &str> {
    let aliases = field.aliases.iter();
    let aliases = aliases.filter_map(|alias| Some(alias.split_once(':')?.1));
    aliases.chain([field.name.as_str()])
}

/// The newest recorded release, and by name of a feature the models whose definition has it there.
fn holders(context: &Context) -> anyhow::Result<(String, BTreeMap<String, Vec<String>>)> {
    let known = context.store.files.known();
    let mut holders: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let Some(release) = releases(known).pop() else {
        return Ok(("-".to_owned(), holders));
    };
    for model in names(known, release, Part::Definitions) {
        let wanted = Wanted {
            model,
            release: Some(release),
            machine: None,
            tcg: false,
        };
        let text = whole(&context.store, &wanted)?;
        for line in parse::lines(&text.text)? {
            let held = holders.entry(line.name().to_owned()).or_default();
            if held.last().is_none_or(|last| last != model) {
                held.push(model.to_owned());
            }
        }
    }
    Ok((release.to_owned(), holders))
}
