//! `behaviour --emulator`: whether the table of probes is true, on an emulator that is neither QEMU nor KVM.

use std::path::Path;

use cpuid_fidelity::check::behaviour::explained::Compared;
use cpuid_fidelity::report::oracle::{Shown, json_lines, text};
use cpuid_fidelity::run::oracle::{OnModel, Oracle, model_of};
use cpuid_fidelity::util::near::hint;
use cpuid_fidelity::vmm::bochs::{BochsError, fetched, models};

use super::arguments::{Emulator, Format};
use crate::cli::common::exit::{NOT_RUN, NotRun, write_result};
use crate::cli::{Context, print, print_json};

/// Tries the probes on the emulator's processors.
pub fn run(
    context: &Context,
    emulator: &Emulator,
    format: Format,
    dumps: Option<&Path>,
) -> anyhow::Result<u8> {
    let bochs = fetched(&context.config.cache);
    let known = known(context, emulator, &bochs)?;
    let oracle = Oracle {
        bochs: &bochs,
        store: &context.store,
        options: &context.options,
        threads: context.jobs.threads(known.len()),
        cancel: &context.cancel,
    };
    let seen = match &*emulator.processors {
        [] => oracle.all(&known),
        named => oracle.each(named),
    };
    if let Some(folder) = dumps {
        keep(&seen, folder)?;
    }
    let shown: Vec<Shown<'_>> = seen.iter().map(shown).collect();
    // A row may be about a processor that nobody named.
    let unused = match &*emulator.processors {
        [] => context.store.bochs.unused(&compared(&shown)),
        _ => Vec::new(),
    };
    match format {
        Format::Json => json_lines(&shown).iter().for_each(|line| print_json(line)),
        _ => print(&text(&shown, &unused)),
    }
    Ok(match status(&shown) {
        0 if !unused.is_empty() => 1,
        status => status,
    })
}

/// The models that Bochs has, among them all that are named.
fn known(context: &Context, emulator: &Emulator, bochs: &Path) -> anyhow::Result<Vec<String>> {
    if !bochs.exists() {
        let bochs = bochs.display();
        return Err(NotRun(format!("no Bochs at {bochs}: run scripts/fetch-bochs")).into());
    }
    let known = models(bochs, &context.cancel).map_err(|error| NotRun(error.to_string()))?;
    let mut named = emulator.processors.iter().map(|name| model_of(name));
    if let Some(name) = named.find(|name| !known.iter().any(|model| model == name)) {
        let near = hint(name, known.iter().map(String::as_str));
        let all = known.join(", ");
        anyhow::bail!("no processor “{name}” in Bochs{near}; there are {all}");
    }
    Ok(known)
}

fn shown(on: &OnModel) -> Shown<'_> {
    let seen = on.seen.as_ref();
    let seen = seen.map(|seen| (seen.dump.mode, &seen.compared));
    (&on.model, seen.map_err(BochsError::to_string))
}

fn compared<'a>(shown: &[Shown<'a>]) -> Vec<&'a Compared> {
    let seen = shown.iter().filter_map(|(_, seen)| seen.as_ref().ok());
    seen.map(|(_, compared)| *compared)
        .filter(|compared| !compared.is_empty())
        .collect()
}

/// 3 where a processor gave no answer or nothing was tried, 1 where one is not as expected.
fn status(shown: &[Shown<'_>]) -> u8 {
    let compared = compared(shown);
    if compared.len() < shown.len() {
        return NOT_RUN;
    }
    let mut otherwise = compared.iter().flat_map(|compared| &compared.otherwise);
    u8::from(otherwise.any(|found| !found.expected))
}

fn keep(seen: &[OnModel], folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    for on in seen {
        if let Ok(seen) = &on.seen {
            let dump = serde_json::to_string(&seen.dump)? + "\n";
            write_result(&folder.join(format!("{}.json", on.model)), &dump)?;
        }
    }
    Ok(())
}
