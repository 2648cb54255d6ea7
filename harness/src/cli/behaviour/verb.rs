//! `behaviour`: which features do otherwise than CPUID says, as it was recorded, or on another emulator.

use cpuid_fidelity::cpuid::probes::PROBES;
use cpuid_fidelity::report::behaviour::{lines, page};
use cpuid_fidelity::util::near::hint;

use super::arguments::{Behaviour, Format};
use super::{emulator, measure};
use crate::cli::{Context, print, print_line};

/// Prints what was recorded, or measures it; the exit status.
pub fn run(context: &Context, arguments: &Behaviour) -> anyhow::Result<u8> {
    match (&arguments.emulator, arguments.format) {
        _ if arguments.check || arguments.write => {
            measure::run(context, arguments, arguments.write)
        }
        (Some(_), Format::Markdown) => {
            anyhow::bail!(
                "--format markdown is a page of what was recorded: it goes without --emulator"
            )
        }
        (Some(named), format) => emulator::run(context, named, format, arguments.dumps.as_deref()),
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
