//! Options that select among the planned cases.

use std::collections::BTreeSet;

use clap::Args;
use cpuid_fidelity::case::glob::Glob;
use cpuid_fidelity::case::trial::{Filter, Trial};
use cpuid_fidelity::case::{Accelerator, Lane};
use cpuid_fidelity::config::Profile;
use cpuid_fidelity::lanes::Registry;
use cpuid_fidelity::plan::Inventory;
use cpuid_fidelity::util::near::near;

use super::kernel::Booted;
use super::qemu::nearest;

/// Which of the planned cases.
#[derive(Clone, Debug, Args)]
pub struct Choice {
    /// Only this lane; repeatable
    #[arg(long = "lane", value_name = "LANE")]
    pub lanes: Vec<Lane>,
    /// Only machine types that match; repeatable. Models are compared whole on the newest q35 machine type
    #[arg(long = "machine", value_name = "GLOB")]
    pub machines: Vec<Glob>,
    /// Only CPU models that match; repeatable
    #[arg(long = "cpu", value_name = "GLOB")]
    pub models: Vec<Glob>,
    /// Which selection of the configuration
    #[arg(long, value_enum, default_value_t, env = "CPUID_FIDELITY_PROFILE")]
    pub profile: Profile,
    #[command(flatten)]
    pub kernel: Booted,
    /// Lane `linux`: further words of the guests' kernel command lines, as clearcpuid=avx2
    #[arg(long, value_name = "TEXT")]
    pub append: Option<String>,
    /// Only part K of N: what depends on no host is dealt out, KVM lanes are in every part
    #[arg(long, value_name = "K/N", value_parser = shard)]
    pub shard: Option<(usize, usize)>,
}

impl Choice {
    /// What of it decides which cases a plan has, and no case has by itself; a reproducer of `run` needs it again.
    pub fn plan_options(&self) -> Vec<String> {
        let profile = Some(self.profile).filter(|profile| *profile != Profile::default());
        let words = profile.map(|profile| ["--profile".to_owned(), profile.name().to_owned()]);
        words.into_iter().flatten().collect()
    }

    /// Whether nothing is left out of the selection.
    pub fn is_everything(&self) -> bool {
        self.lanes.is_empty()
            && self.machines.is_empty()
            && self.models.is_empty()
            && self.append.is_none()
            && self.kernel.kernel.is_none()
            && self.shard.is_none()
    }

    /// As the plan takes it.
    pub fn filter(&self, accel: Option<Accelerator>) -> Filter {
        let mut lanes = self.lanes.clone();
        if let Some(accelerator) = accel {
            let of_accelerator: Vec<Lane> = Registry::default()
                .iter()
                .filter(|lane| lane.runs_here_on(accelerator))
                .map(|lane| lane.lane())
                .collect();
            lanes.retain(|lane| of_accelerator.contains(lane));
            if self.lanes.is_empty() {
                lanes = of_accelerator;
            }
        }
        let append = self.append.iter();
        let append = append.flat_map(|line| line.split_whitespace());
        Filter {
            lanes,
            machines: self.machines.clone(),
            models: self.models.clone(),
            accelerator: accel,
            kernel_parameters: append.map(str::to_owned).collect(),
            names_kernel: self.kernel.kernel.is_some(),
            names_host: self.kernel.lab_host.is_some(),
            megabytes: self.kernel.memory,
        }
    }
}

impl Choice {
    /// Refuses names that no QEMU, and no planned case, has: they are mistyped.
    ///
    /// # Errors
    /// The first of them, with the nearest names.
    pub fn known(&self, inventory: &Inventory, planned: &[Trial]) -> anyhow::Result<()> {
        let offers = || inventory.qemus.iter().map(|qemu| &qemu.offers);
        let cases = || planned.iter().flat_map(|trial| &trial.cases);
        let models = offers().flat_map(|offers| offers.model_names());
        let models = models.chain(cases().map(|case| case.cpu.as_str()));
        refuse_unknown("CPU model", &self.models, &models.collect())?;
        let machines = offers().flat_map(|offers| offers.machine_names());
        let machines = machines.chain(cases().map(|case| case.machine.as_str()));
        refuse_unknown("machine type", &self.machines, &machines.collect())
    }
}

/// Refuses a pattern that fits none of the names.
///
/// # Errors
/// The first such pattern, with the nearest names.
pub fn refuse_unknown(what: &str, globs: &[Glob], names: &BTreeSet<&str>) -> anyhow::Result<()> {
    let known = |glob: &Glob| names.iter().any(|name| glob.fits(name));
    match globs.iter().find(|glob| !known(glob)) {
        None => Ok(()),
        Some(glob) => {
            let near = near(glob.as_str(), names.iter().copied());
            anyhow::bail!("no {what} matches “{}”{}", glob.as_str(), nearest(&near))
        }
    }
}

fn shard(text: &str) -> Result<(usize, usize), String> {
    let parts = text.split_once('/');
    let numbers = parts.and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
    numbers
        .filter(|(k, n)| (1..=*n).contains(k))
        .ok_or_else(|| "K/N with 1 ≤ K ≤ N wanted".to_owned())
}
