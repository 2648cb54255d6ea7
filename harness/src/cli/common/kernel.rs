//! Options that describe the kernel of a lab or of a Linux guest.

use std::path::PathBuf;

use clap::Args;
use cpuid_fidelity::case::LabKernel;
use cpuid_fidelity::config::Config;
use cpuid_fidelity::lanes::kernels::kernel;
use cpuid_fidelity::lanes::lab::hosts::HostName;
use cpuid_fidelity::lanes::linux::with_parameters;
use cpuid_fidelity::plan::named;

/// A kernel for a lab, or for a Linux guest, and what the guest's is given beside.
#[derive(Clone, Debug, Default, Args)]
pub struct Kernel {
    #[command(flatten)]
    pub booted: Booted,
    /// Lane `linux`: further words of the guest's kernel command line, as clearcpuid=avx2
    #[arg(long, value_name = "TEXT")]
    pub append: Option<String>,
}

/// A kernel for a lab, or for a Linux guest.
#[derive(Clone, Debug, Default, Args)]
pub struct Booted {
    /// Lanes `lab` and `linux`: a kernel by its release (6.12), a folder (an unpacked package, a build tree) or an image
    #[arg(long, value_name = "KERNEL")]
    pub kernel: Option<PathBuf>,
    /// The kernel's modules: lib/modules/RELEASE, or a folder above it [default: looked for beside the image]
    #[arg(long, value_name = "DIR", requires = "kernel")]
    pub modules: Option<PathBuf>,
    /// Further words of the kernel's command line, as clearcpuid=avx2
    #[arg(long, value_name = "TEXT", requires = "kernel")]
    pub cmdline: Option<String>,
    /// Parameter of a module, as kvm_amd.nested=0; repeatable
    #[arg(long, value_name = "MODULE.NAME=VALUE", requires = "kernel", value_parser = parameter)]
    pub module_param: Vec<String>,
    /// The emulated host: amd (QEMU's SVM), intel (Bochs' VMX), or one of their processors, as amd:rome and intel:haswell [default: amd]
    #[arg(long, value_name = "HOST", requires = "kernel")]
    pub lab_host: Option<HostName>,
    /// Features that the host's processor lacks, by its emulator's names, with all that depend on them: avx512,avx512dq,avx512bw,avx512cd
    #[arg(
        long,
        value_name = "FEATURE",
        requires = "kernel",
        value_delimiter = ','
    )]
    pub without: Vec<String>,
    /// MiB of the emulated host's RAM [default: what the initramfs needs]
    #[arg(long, value_name = "MIB", requires = "kernel")]
    pub memory: Option<u64>,
}

impl Booted {
    /// The kernel that the command line describes, with its parameters; `None` where it names none. Its expectations are those of its
    /// version, whatever parameters it is given.
    ///
    /// # Errors
    /// There is no kernel of that release or at that path, or its modules are another's.
    pub fn named(&self, config: &Config) -> anyhow::Result<Option<LabKernel>> {
        let Some(name) = &self.kernel else {
            return Ok(None);
        };
        let modules = self.modules.as_deref();
        let plain = match named::kernel(config, name)? {
            None => kernel(name, modules, &[]).map_err(anyhow::Error::msg)?,
            Some(there) if modules.is_none() => there,
            Some(there) => {
                kernel(&there.path, modules, &there.parameters).map_err(anyhow::Error::msg)?
            }
        };
        let line = self.cmdline.iter().flat_map(|line| line.split_whitespace());
        let parameters = line
            .map(str::to_owned)
            .chain(self.module_param.iter().cloned());
        Ok(Some(with_parameters(
            &plain,
            &parameters.collect::<Vec<_>>(),
        )))
    }
}

/// `MODULE.NAME=VALUE`.
pub fn parameter(text: &str) -> Result<String, String> {
    let whole = text
        .split_once('=')
        .and_then(|(name, _)| name.split_once('.'));
    match whole {
        Some((module, name))
            if !module.is_empty() && !name.is_empty() && !text.contains(char::is_whitespace) =>
        {
            Ok(text.to_owned())
        }
        _ => Err("MODULE.NAME=VALUE wanted, as kvm_amd.nested=0".to_owned()),
    }
}
