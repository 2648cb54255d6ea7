//! `behaviour`: which features do otherwise than CPUID says, as it was recorded; and whether the table of probes is true, on another emulator.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, ValueEnum};
use cpuid_fidelity::check::behaviour::explained::Compared;
use cpuid_fidelity::cpuid::probes::PROBES;
use cpuid_fidelity::report::behaviour::{lines, page};
use cpuid_fidelity::report::oracle::{Shown, json_lines, text};
use cpuid_fidelity::run::oracle::{OnModel, Oracle, model_of};
use cpuid_fidelity::util::near::hint;
use cpuid_fidelity::vmm::bochs::{BochsError, fetched, models};

use super::common::exit::{NOT_RUN, NotRun, write_result};
use super::{Context, print, print_json, print_line};

/// `behaviour`.
#[derive(Debug, Args)]
pub struct Behaviour {
    /// Only probes and features whose name has this in it
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// How to print it; `markdown` is the whole page docs/behaviour.md
    #[arg(long, value_enum, default_value_t = Format::Text, conflicts_with = "name")]
    format: Format,
    /// Try the probes on processors of an emulator that is neither QEMU nor KVM, on all of them or on those named, without features of theirs:
    /// bochs, bochs:ryzen,tigerlake, bochs:tigerlake-longmode
    #[arg(long, value_name = "EMULATOR", conflicts_with = "name")]
    emulator: Option<Emulator>,
    /// Keep what the agent saw of each processor in this folder, as MODEL.json, for `show`, `check` and `diff`
    #[arg(long, value_name = "FOLDER", requires = "emulator")]
    dumps: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line a fact.
    Text,
    /// The map of holes and lies.
    Markdown,
    /// A JSON object a processor, with --emulator.
    Json,
}

/// Bochs, and the processors that are named; none for all.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Emulator {
    processors: Vec<String>,
}

impl FromStr for Emulator {
    type Err = String;

    fn from_str(text: &str) -> Result<Emulator, String> {
        let (name, models) = text.split_once(':').unwrap_or((text, ""));
        if name != "bochs" {
            let near = hint(name, ["bochs"].into_iter());
            return Err(format!("no emulator “{name}”{near}; there is bochs"));
        }
        let models = models.split(',').filter(|model| !model.is_empty());
        Ok(Emulator {
            processors: models.map(str::to_owned).collect(),
        })
    }
}

/// Prints what was recorded, or what the emulator gives; the exit status.
pub fn run(context: &Context, arguments: &Behaviour) -> anyhow::Result<u8> {
    match (&arguments.emulator, arguments.format) {
        (Some(_), Format::Markdown) => {
            anyhow::bail!(
                "--format markdown is a page of what was recorded: it goes without --emulator"
            )
        }
        (Some(emulator), format) => tried(context, emulator, format, arguments.dumps.as_deref()),
        (None, Format::Json) => anyhow::bail!("--format json goes with --emulator"),
        (None, _) => recorded(context, arguments),
    }
}

fn recorded(context: &Context, arguments: &Behaviour) -> anyhow::Result<u8> {
    let facts = &context.store.behaviour;
    if arguments.format == Format::Markdown {
        print(&page(facts));
        return Ok(0);
    }
    let name = arguments.name.as_deref().unwrap_or_default();
    let features = PROBES.iter().flat_map(|probe| probe.features.clone());
    let mut names = features.chain(PROBES.iter().map(|probe| probe.name));
    if !names.clone().any(|known| known.contains(name)) {
        anyhow::bail!(
            "no probe and no feature that is tried has “{name}” in its name{}",
            hint(name, &mut names)
        );
    }
    let found = lines(facts, |known| known.contains(name));
    if found.is_empty() {
        print_line(&format!(
            "{name}: works where it is announced and is refused where it is hidden, wherever that was recorded"
        ));
    }
    found.iter().for_each(|line| print_line(line));
    Ok(0)
}

/// Tries the probes on the emulator's processors.
fn tried(
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
