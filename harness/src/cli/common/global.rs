//! Options of every verb.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use cpuid_fidelity::case::Accelerator;
use cpuid_fidelity::cpuid::probes::{PROBES, ProbeSet, named};
use cpuid_fidelity::report::styled::{Detail, Manner};
use cpuid_fidelity::util::limits::TIMEOUT;
use cpuid_fidelity::util::near::hint;

use super::screen::{self, Color};

/// Options of every verb.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every verb")]
pub struct Global {
    /// Configuration file [default: fidelity.toml here or in a folder above; built-in defaults without one]
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "CPUID_FIDELITY_CONFIG"
    )]
    pub config: Option<PathBuf>,
    /// QEMU to test instead of those of the configuration, by its release (11.1), folder or path; repeatable (`dump` takes the newest)
    #[arg(long, global = true, value_name = "QEMU", env = "QEMU")]
    pub qemu: Vec<PathBuf>,
    /// libvirt to use instead of the installed one, by its release (9.0; scripts/fetch-libvirt brings others), the folder or the path of its virsh
    #[arg(long, global = true, value_name = "LIBVIRT", env = "LIBVIRT")]
    pub libvirt: Option<PathBuf>,
    /// Accelerator: restricts `run` and `list` to the lanes that use it
    #[arg(long, global = true, value_name = "ACCEL", env = "ACCEL")]
    pub accel: Option<Accelerator>,
    /// Guests at once, 0 for one a core [default: of the configuration]
    #[arg(long, global = true, value_name = "N", env = "CPUID_FIDELITY_JOBS")]
    pub jobs: Option<usize>,
    /// Time a guest may take before it is killed and counts as ERROR [default: of the configuration]
    #[arg(long, global = true, value_name = "SECONDS", env = "TIMEOUT", value_parser = seconds)]
    pub timeout: Option<f64>,
    /// What the agent tries of what features do: all of it, instructions on registers alone, or nothing [default: all, as far as the
    /// host's KVM can run it]
    #[arg(long, global = true, value_name = "WHICH", value_enum)]
    pub probes: Option<Probes>,
    /// Do not try this probe, for guests that it kills; repeatable
    #[arg(long, global = true, value_name = "PROBE", value_parser = probe)]
    pub skip_probe: Vec<String>,
    /// Print every case with all its findings, each cause, and a table
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
    /// Print nothing but the causes of what failed, and the verdict
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Colours: on a terminal (NO_COLOR and CLICOLOR_FORCE count), always or never
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t)]
    pub color: Color,
}

/// What the agent tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Probes {
    /// Nothing.
    None,
    /// Instructions that touch registers alone.
    Safe,
    /// Memory, control registers and MSRs too.
    All,
}

impl Global {
    /// Which probes were asked for; whether the host may leave out what its KVM cannot run.
    pub fn probe_set(&self) -> (ProbeSet, bool) {
        let set = match self.probes {
            Some(Probes::None) => ProbeSet::NONE,
            Some(Probes::Safe) => ProbeSet::safe(),
            Some(Probes::All) | None => ProbeSet::all(),
        };
        let names = self.skip_probe.iter();
        let set = names.fold(set, |set, name| set.without(name));
        (set, self.probes.is_none())
    }

    /// What narrows the probes, an argument each: results of one choice are none of another.
    pub fn probe_options(&self) -> Vec<String> {
        let which = self.probes.and_then(|which| which.to_possible_value());
        let which = which.map(|which| format!("{}={}", Self::PROBES, which.get_name()));
        let skipped = self.skip_probe.iter();
        let skipped = skipped.map(|name| format!("{}={name}", Self::SKIP_PROBE));
        which.into_iter().chain(skipped).collect()
    }

    const PROBES: &str = "--probes";
    const SKIP_PROBE: &str = "--skip-probe";

    /// Whether it is one of [`Global::probe_options`].
    pub fn narrows_probes(option: &str) -> bool {
        let name = option.split('=').next();
        name == Some(Self::PROBES) || name == Some(Self::SKIP_PROBE)
    }

    /// How results are printed.
    pub fn manner(&self) -> Manner {
        let (output, error) = screen::looks(self.color);
        let detail = match (self.quiet, self.verbose) {
            (true, _) => Detail::Quiet,
            (false, true) => Detail::Verbose,
            (false, false) => Detail::Normal,
        };
        Manner {
            output,
            error,
            detail,
        }
    }
}

fn probe(name: &str) -> Result<String, String> {
    let names = PROBES.iter().map(|probe| probe.name);
    match named(name) {
        Some(_) => Ok(name.to_owned()),
        None => Err(format!("no probe “{name}”{}", hint(name, names))),
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if seconds > 0.0 && seconds <= TIMEOUT as f64 {
        Ok(seconds)
    } else {
        Err(format!("more than 0 and at most {TIMEOUT} seconds wanted"))
    }
}
