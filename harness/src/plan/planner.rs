//! Configuration × what there is on this machine → the planned trials: one planner for the command line and for `cargo test`.

use super::inventory::Inventory;
use super::{compat, migrations};
use crate::case::{Filter, Trial};
use crate::config::{Config, ConfigError, Profile};
use crate::lanes::Registry;
use crate::util::near::hint;

/// Sections of a profile that no lane has.
const OWN: [&str; 2] = ["compat", "migration"];

/// All trials of a selection: lane by lane, then migrations, then pairs of releases.
///
/// # Errors
/// A section of the configuration is malformed, or belongs to no lane.
pub fn plan(
    registry: &Registry,
    inventory: &Inventory,
    config: &Config,
    profile: Profile,
    filter: &Filter,
) -> Result<Vec<Trial>, ConfigError> {
    known_sections(registry, config, profile)?;
    let scope = inventory.scope(config, profile, filter);
    let mut trials = Vec::new();
    for lane in registry.iter().filter(|lane| filter.lane(lane.lane())) {
        trials.extend(lane.plan(&scope)?);
    }
    trials.extend(migrations::plan(registry, &scope)?);
    trials.extend(compat::configured(registry, &scope)?);
    Ok(trials)
}

/// Reads every section of every profile, whether or not this machine plans anything by it.
///
/// # Errors
/// A section is malformed, or belongs to no lane.
pub fn check(registry: &Registry, config: &Config) -> Result<(), ConfigError> {
    let nothing = Inventory::default();
    for profile in [Profile::Default, Profile::Nightly] {
        plan(registry, &nothing, config, profile, &Filter::default())?;
    }
    Ok(())
}

fn known_sections(
    registry: &Registry,
    config: &Config,
    profile: Profile,
) -> Result<(), ConfigError> {
    let lanes: Vec<&str> = registry.iter().map(|lane| lane.lane().name()).collect();
    let known = |name: &String| lanes.contains(&name.as_str()) || OWN.contains(&name.as_str());
    let sections = config.sections(profile)?;
    match sections.iter().find(|name| !known(name)) {
        None => Ok(()),
        Some(unknown) => {
            let known: Vec<&str> = lanes.iter().chain(&OWN).copied().collect();
            let profile = profile.name();
            let near = hint(unknown, known.iter().copied());
            Err(config.error(format!(
                "unknown section `{profile}.{unknown}`, expected one of {}{near}",
                known.join(", ")
            )))
        }
    }
}
