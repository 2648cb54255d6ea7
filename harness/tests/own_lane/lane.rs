//! Lane `recorded`: what a file holds takes the place of a guest, and the case asks for two vCPUs, of which the file has one.

use std::path::PathBuf;
use std::time::Duration;

use cpuid_fidelity::case::{Case, Lane, Qemu, Subject, Trial};
use cpuid_fidelity::config::ConfigError;
use cpuid_fidelity::cpuid::render;
use cpuid_fidelity::evidence::{Evidence, QemuLayer};
use cpuid_fidelity::host::{Ability, Unable};
use cpuid_fidelity::lanes::{
    Backend, Before, Bench, Broken, GatherError, Observation, Observed, Scope, gather,
};
use cpuid_fidelity::vmm::Options;

/// The lane.
pub const LANE: Lane = Lane::new("recorded");

/// A lane over one file.
pub struct Recorded {
    /// A dump in JSON.
    pub file: PathBuf,
    /// Whether the dump counts as the definition of the model too, which the checks of QEMU's guests under TCG need.
    pub has_definition: bool,
}

impl Backend for Recorded {
    fn lane(&self) -> Lane {
        LANE
    }

    fn available(&self, _: &Ability, _: &Case) -> Result<(), Unable> {
        Ok(())
    }

    fn plan(&self, _: &Scope<'_>) -> Result<Vec<Trial>, ConfigError> {
        let mut case = Case::new(&Qemu::none().into(), LANE, "q35", "EPYC-Milan");
        case.smp = "2".parse().expect("a topology");
        let name = format!("{LANE}/-/-/{}", case.cpu);
        Ok(vec![Trial::single(name, Subject::Layers, "".into(), case)])
    }

    fn boot(&self, bench: &Bench, _: &Case, _: &Options, _: &Before) -> Observed {
        let text = std::fs::read_to_string(&self.file);
        let text = text.map_err(|error| Broken::not_started(error.to_string()))?;
        let dump = serde_json::from_str(&text);
        let dump = dump.map_err(|error| Broken::not_started(error.to_string()))?;
        Ok(Observation {
            lines: render(&dump, &bench.store.table, &bench.store.volatile),
            dump,
            qemu: Some(QemuLayer::default()),
            elapsed: Duration::ZERO,
            command: Vec::new(),
            given: Vec::new(),
            kept: Vec::new(),
            libvirt: None,
        })
    }

    fn gather(
        &self,
        _: &Bench,
        case: &Case,
        seen: &Observation,
        _: &Before,
    ) -> Result<Evidence, GatherError> {
        Ok(Evidence {
            definition: self.has_definition.then(|| seen.dump.clone()),
            ..gather::of_guest(case, seen)
        })
    }
}
