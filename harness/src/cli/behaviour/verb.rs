//! `behaviour`: which features do otherwise than CPUID says, as it was recorded.

use cpuid_fidelity::cpuid::probes::PROBES;
use cpuid_fidelity::report::behaviour::{lines, page};
use cpuid_fidelity::util::near::hint;

use super::arguments::{Behaviour, Format};
use super::measure;
use crate::cli::{Context, print, print_line};

/// Prints what was recorded, or measures it; the exit status.
pub fn run(context: &Context, arguments: &Behaviour) -> anyhow::Result<u8> {
    if arguments.check || arguments.write {
        return measure::run(context, arguments, arguments.write);
    }
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
