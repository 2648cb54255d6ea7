//! `diff`: two dumps or records, in expectation lines; two CPU models; two machine types.

use std::path::Path;

use anyhow::Context as _;
use cpuid_fidelity::case::guest::Lane;
use cpuid_fidelity::check::compare;
use cpuid_fidelity::cpuid::dump::Dump;
use cpuid_fidelity::cpuid::line::Line;
use cpuid_fidelity::cpuid::parse;
use cpuid_fidelity::cpuid::render::render;
use cpuid_fidelity::cpuid::volatile::Volatile;
use cpuid_fidelity::expectation::store::snapshot_content;
use cpuid_fidelity::run::record::Record;

use super::arguments::Diff;
use super::{Context, print};

/// Prints the differences as `git diff` would; 1 where there are any.
pub fn run(context: &Context, arguments: &Diff) -> anyhow::Result<u8> {
    let names = [&arguments.a, &arguments.b];
    // A file goes first: it is there, whatever it is called. A path is no name of QEMU's.
    let a_file = |name: &String| name.contains(['/', '.']) && !name.starts_with("pc-");
    if !names
        .iter()
        .any(|name| Path::new(name).exists() || a_file(name))
    {
        return offered(context, arguments);
    }
    let unmasked = Volatile::default();
    let a = lines(context, Path::new(&arguments.a), &unmasked)?;
    let b = lines(context, Path::new(&arguments.b), &unmasked)?;
    let changes = compare(&a, &b, "");
    let text: String = changes
        .iter()
        .map(cpuid_fidelity::check::Change::diff)
        .collect();
    print(&text);
    Ok(u8::from(!changes.is_empty()))
}

/// Two names of something that the newest QEMU offers.
fn offered(context: &Context, arguments: &Diff) -> anyhow::Result<u8> {
    if !matches!(arguments.lane, Lane::Definition | Lane::Tcg | Lane::Kvm) {
        anyhow::bail!("CPU models and machine types are compared in lanes definition, tcg and kvm");
    }
    let inventory = context.inventory()?;
    let qemu = super::run::one_qemu(&inventory)?;
    let (a, b) = (arguments.a.as_str(), arguments.b.as_str());
    let has_model = |name: &str| qemu.offers.models.iter().any(|model| model.name == name);
    let has_machine = |name: &str| {
        let mut machines = qemu.offers.machines.iter();
        machines.any(|machine| machine.name == name)
    };
    if has_model(a) && has_model(b) {
        return super::diff_models::run(context, arguments, &qemu);
    }
    if has_machine(a) && has_machine(b) {
        return super::diff_machines::run(context, arguments, &qemu);
    }
    let unknown = |name: &&&str| !has_model(name) && !has_machine(name);
    let unknown: Vec<&str> = [a, b].iter().filter(unknown).copied().collect();
    match unknown.is_empty() {
        true => anyhow::bail!("{a} and {b} are not of one kind"),
        false => anyhow::bail!(
            "failed to read {}: no such file, and {} has no CPU model or machine type of that name",
            unknown.join(" and "),
            qemu.label
        ),
    }
}

/// Of a record, a JSON dump, a text dump, or an expectation; the first two masked by `volatile`.
pub fn lines(context: &Context, path: &Path, volatile: &Volatile) -> anyhow::Result<Vec<Line>> {
    let name = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("failed to read {name}"))?;
    if text.trim_start().starts_with('{') {
        if Record::is_one(&text) {
            let record = Record::parse(path, &text)?;
            return Ok(render(&record.guest, &context.store.table, volatile));
        }
        let dump: Dump = serde_json::from_str(&text)
            .with_context(|| format!("failed to read the dump in {name}"))?;
        return Ok(render(&dump, &context.store.table, volatile));
    }
    parse::lines(&snapshot_content(&text).unwrap_or(text))
        .map_err(|error| anyhow::anyhow!("{name}: {error}"))
}
