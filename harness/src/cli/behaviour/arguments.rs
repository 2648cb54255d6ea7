//! The arguments of `behaviour`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use cpuid_fidelity::lanes::lab::hosts::HostName;
use cpuid_fidelity::util::near::hint;

/// `behaviour`.
#[derive(Debug, Args)]
pub struct Behaviour {
    /// Only probes and features whose name has this in it
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// How to print it; `markdown` is the whole page docs/behaviour.md
    #[arg(long, value_enum, default_value_t = Format::Text, conflicts_with = "name")]
    pub format: Format,
    /// Boot every guest of these QEMUs, or of the KVM of --kernel, print the rows that say something else than they do, and exit 1 if there are any
    #[arg(long, group = "measured", conflicts_with_all = ["name", "format"])]
    pub check: bool,
    /// The same, and write what they do into behaviour.tsv
    #[arg(long, group = "measured", conflicts_with_all = ["name", "format"])]
    pub write: bool,
    /// The kernel whose KVM runs the guests, by its release (6.12), a folder or an image [default: QEMU's TCG runs them]
    #[arg(long, value_name = "KERNEL", requires = "measured")]
    pub kernel: Option<PathBuf>,
    /// The emulated host: amd (QEMU's SVM), intel (Bochs' VMX), or one of their processors, as amd:rome and intel:haswell [default: amd]
    #[arg(long, value_name = "HOST", requires = "kernel")]
    pub lab_host: Option<HostName>,
    /// Try the probes on processors of an emulator that is neither QEMU nor KVM, on all of them or on those named, without features of theirs:
    /// bochs, bochs:ryzen,tigerlake, bochs:tigerlake-longmode
    #[arg(long, value_name = "EMULATOR", conflicts_with_all = ["name", "measured"])]
    pub emulator: Option<Emulator>,
    /// Keep what the agent saw of each processor in this folder, as MODEL.json, for `show`, `check` and `diff`
    #[arg(long, value_name = "FOLDER", requires = "emulator")]
    pub dumps: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A line a fact.
    Text,
    /// The map of holes and lies.
    Markdown,
    /// A JSON object a processor, with --emulator.
    Json,
}

/// Bochs, and the processors that are named; none for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emulator {
    pub processors: Vec<String>,
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
