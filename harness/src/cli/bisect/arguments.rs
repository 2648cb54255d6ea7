//! What `bisect` accepts.

use std::path::PathBuf;

use clap::builder::ArgPredicate;
use clap::{Args, Subcommand};
use cpuid_fidelity::bisect::Target;
use cpuid_fidelity::lanes::lab::hosts::HostName;

use crate::cli::common::kernel::parameter;

/// `bisect`.
#[derive(Debug, Args)]
pub struct Bisect {
    #[command(subcommand)]
    pub what: What,
}

/// What is bisected.
#[derive(Debug, Subcommand)]
pub enum What {
    /// Find the QEMU commit, with `git bisect run` in a clean working tree
    Qemu(QemuTree),
    /// Find the Linux commit, likewise; each kernel runs in a lab: no reboot, no KVM hardware
    Kernel(KernelTree),
    /// Find the version in an ordered list of QEMU binaries or kernels
    Versions(Versions),
    /// One step of `git bisect run`: exit status 0 good, 1 bad, 125 cannot be tested, 128 and over ends the bisect
    Step(Step),
}

/// What is looked at, and what of it counts.
#[derive(Clone, Debug, Args)]
pub struct Hunted {
    /// Only this feature or field counts, as QEMU spells it; Linux's and libvirt's spellings are understood
    #[arg(long, value_name = "F")]
    pub feature: Option<String>,
    /// What is expected: `good` for what the good end shows, or a file (a record, a dump as JSON, expectation lines)
    /// [default: the expectation that the case names, else `good`]
    #[arg(long, value_name = "WHAT")]
    pub against: Option<PathBuf>,
}

/// A repository and its two ends.
#[derive(Clone, Debug, Args)]
pub struct Tree {
    /// The working tree, clean; it is left as it was found
    #[arg(long, value_name = "DIR")]
    pub repo: PathBuf,
    /// A commit that is as it should be
    #[arg(long, value_name = "REV", allow_hyphen_values = true)]
    pub good: String,
    /// A later one that is not
    #[arg(long, value_name = "REV", allow_hyphen_values = true)]
    pub bad: String,
    #[command(flatten)]
    pub hunted: Hunted,
    /// Build a commit with this shell command, run in the working tree with $SRC (the tree) and $BUILD (a folder that is kept
    /// from commit to commit); where it fails the commit is skipped
    #[arg(long, value_name = "CMD")]
    pub build: Option<String>,
    /// Write a draft of a bug report here, besides printing it
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Forget what an interrupted bisect found out
    #[arg(long)]
    pub anew: bool,
}

/// `bisect qemu`.
#[derive(Debug, Args)]
pub struct QemuTree {
    #[command(flatten)]
    pub tree: Tree,
    /// The case, as `list` names it: definition/qemu-11.1/-/EPYC-v4; `-` for no release's expectation
    #[arg(long, value_name = "CASE")]
    pub case: Target,
    /// With `--build`: the QEMU that it makes, below the working tree
    #[arg(
        long,
        value_name = "PATH",
        requires = "build",
        default_value = "build/qemu-system-x86_64"
    )]
    pub binary: PathBuf,
}

/// `bisect kernel`.
#[derive(Debug, Args)]
pub struct KernelTree {
    #[command(flatten)]
    pub tree: Tree,
    /// The case, as `list` names it: lab/linux-6.12/qemu-10.0/EPYC-v1 [default: what KVM says that it supports]
    #[arg(long, value_name = "CASE", default_value = KVM, hide_default_value = true)]
    pub case: Target,
    /// With `--build`: the kernel that it makes, image or folder, below the working tree
    #[arg(
        long,
        value_name = "PATH",
        requires = "build",
        default_value = "arch/x86/boot/bzImage"
    )]
    pub image: PathBuf,
    /// With `--build`: its modules, likewise, where they are not found beside the image
    #[arg(long, value_name = "DIR", requires = "build")]
    pub modules: Option<PathBuf>,
    #[command(flatten)]
    pub lab: LabArguments,
}

/// What a kernel is given in its lab.
#[derive(Clone, Debug, Default, Args)]
pub struct LabArguments {
    /// Further words of the kernels' command line, as clearcpuid=avx2
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub cmdline: Option<String>,
    /// Parameter of a module, as kvm_amd.nested=0; repeatable
    #[arg(long, value_name = "MODULE.NAME=VALUE", value_parser = parameter)]
    pub module_param: Vec<String>,
    /// MiB of the emulated host's RAM [default: what the initramfs needs]
    #[arg(long, value_name = "MIB")]
    pub memory: Option<u64>,
    /// The emulated host: amd, intel, or intel:MODEL, as intel:haswell [default: amd]
    #[arg(long, value_name = "HOST")]
    pub lab_host: Option<HostName>,
    /// Features that the host's processor lacks, by its emulator's names
    #[arg(long, value_name = "FEATURE", value_delimiter = ',')]
    pub without: Vec<String>,
}

impl LabArguments {
    /// As a command line has them.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = Vec::new();
        if let Some(line) = &self.cmdline {
            arguments.extend(["--cmdline".to_owned(), line.clone()]);
        }
        for parameter in &self.module_param {
            arguments.extend(["--module-param".to_owned(), parameter.clone()]);
        }
        if let Some(memory) = self.memory {
            arguments.extend(["--memory".to_owned(), memory.to_string()]);
        }
        if let Some(host) = &self.lab_host {
            arguments.extend(["--lab-host".to_owned(), host.to_string()]);
        }
        for feature in &self.without {
            arguments.extend(["--without".to_owned(), feature.clone()]);
        }
        arguments
    }
}

/// The case of a kernel where none is named: what KVM itself supports, compared with the good end.
pub const KVM: &str = "lab/-/kvm";

/// `bisect versions`.
#[derive(Debug, Args)]
pub struct Versions {
    /// QEMUs, the good end first: releases (7.2), folders or paths
    #[arg(long, value_name = "QEMU", num_args = 1.., required_unless_present = "kernel", conflicts_with = "kernel")]
    pub qemu: Vec<PathBuf>,
    /// Kernels, the good end first: releases (6.12), folders of unpacked packages, build trees, images
    #[arg(long, value_name = "KERNEL", num_args = 1..)]
    pub kernel: Vec<PathBuf>,
    /// The case, as `list` names it [default for kernels: what KVM says that it supports]
    #[arg(
        long,
        value_name = "CASE",
        required_unless_present = "kernel",
        default_value_if("kernel", clap::builder::ArgPredicate::IsPresent, KVM)
    )]
    pub case: Option<Target>,
    #[command(flatten)]
    pub hunted: Hunted,
    #[command(flatten)]
    pub lab: LabArguments,
    /// Write a draft of a bug report here, besides printing it
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

/// `bisect step`.
#[derive(Debug, Args)]
pub struct Step {
    /// The case, as `list` names it
    #[arg(
        long,
        value_name = "CASE",
        required_unless_present_any = ["state", "kernel"],
        default_value_if("kernel", ArgPredicate::IsPresent, KVM)
    )]
    pub case: Option<Target>,
    #[command(flatten)]
    pub hunted: Hunted,
    /// Build what is checked out here with this shell command first; where it fails the status is 125
    #[arg(long, value_name = "CMD")]
    pub build: Option<String>,
    /// The kernel to look at; `--qemu` names the QEMU
    #[arg(long, value_name = "KERNEL")]
    pub kernel: Option<PathBuf>,
    /// The kernel's modules, where they are not found beside the image
    #[arg(long, value_name = "DIR", requires = "kernel")]
    pub modules: Option<PathBuf>,
    #[command(flatten)]
    pub lab: LabArguments,
    /// A guest that cannot be run is bad, and one that merely changed is good
    #[arg(long)]
    pub hunt_breakage: bool,
    /// Folder of a bisect of `bisect qemu` or `bisect kernel`, whose step this is
    #[arg(long, value_name = "DIR", hide = true, conflicts_with_all = ["case", "build", "kernel", "feature", "against"])]
    pub state: Option<PathBuf>,
    /// The process of that bisect, with which this step ends
    #[arg(long, value_name = "PID", hide = true, requires = "state")]
    pub driver: Option<i32>,
}
