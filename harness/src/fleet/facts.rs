//! What is known of one host.

use std::collections::BTreeMap;
use std::fmt;

use super::bits::Bits;
use super::layout::Layout;
use crate::host::Found;
use crate::host::kernel::Module;

/// On whose word a host's features rest, the strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Basis {
    /// KVM_GET_SUPPORTED_CPUID and KVM's feature MSRs.
    Kvm,
    /// QEMU's expansion of `host` under KVM.
    Qemu,
    /// `domcapabilities`, or a Kubernetes node's labels, which are made from that.
    Libvirt,
    /// CPUID of the hardware; what KVM makes of it is predicted.
    Cpuid,
    /// /proc/cpuinfo, `lscpu` or `virsh capabilities`: names of features; what KVM makes of them is predicted.
    Names,
}

impl Basis {
    /// All of them.
    pub const ALL: [Basis; 5] = [
        Basis::Kvm,
        Basis::Qemu,
        Basis::Libvirt,
        Basis::Cpuid,
        Basis::Names,
    ];

    /// How reports call it.
    pub fn name(self) -> &'static str {
        match self {
            Basis::Kvm => "KVM's word",
            Basis::Qemu => "QEMU's expansion of host",
            Basis::Libvirt => "libvirt's domcapabilities",
            Basis::Cpuid => "CPUID of the hardware (predicted)",
            Basis::Names => "/proc/cpuinfo (predicted)",
        }
    }

    /// Whether what KVM gives is predicted, because nobody asked it.
    pub fn is_prediction(self) -> bool {
        matches!(self, Basis::Cpuid | Basis::Names)
    }
}

impl fmt::Display for Basis {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// What is known of a host, in the numbers of a [`Catalogue`](super::Catalogue).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Facts {
    /// Features that a guest can have.
    pub gives: Bits,
    /// Features that it cannot have. What is in neither set is unknown.
    pub lacks: Bits,
    /// Features that the hardware has.
    pub hardware: Bits,
    /// The strongest word that there is.
    pub basis: Basis,
    /// `AuthenticAMD`.
    pub vendor: Option<String>,
    /// What the processor calls itself.
    pub brand: Option<String>,
    /// Bits of physical addresses.
    pub phys_bits: Option<u32>,
    /// Where XSAVE keeps each component.
    pub layout: Layout,
    /// The kernel.
    pub kernel: KernelFacts,
}

/// What the host's kernel is, as far as it decides what guests get.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct KernelFacts {
    /// `uname -r`.
    pub release: Option<String>,
    /// Parameters of its command line that take features away.
    pub parameters: Vec<String>,
    /// Parameters of KVM's modules, as `kvm_amd.nested` and their values.
    pub modules: BTreeMap<String, String>,
    /// Revision of the microcode.
    pub microcode: Option<String>,
}

impl Facts {
    /// Features of which nothing is known.
    pub fn unknown(&self, all: Bits) -> Bits {
        all.without(self.gives | self.lacks)
    }
}

impl KernelFacts {
    /// Parameters by module, as [`crate::host::HostLayer`] has them.
    pub fn nested_modules(&self) -> BTreeMap<String, Module> {
        let mut modules: BTreeMap<String, Module> = BTreeMap::new();
        for (name, value) in &self.modules {
            if let Some((module, parameter)) = name.split_once('.') {
                modules
                    .entry(module.to_owned())
                    .or_default()
                    .insert(parameter.to_owned(), Found::Value(value.clone()));
            }
        }
        modules
    }

    /// Major and minor number of its release.
    pub fn version(&self) -> Option<(u32, u32)> {
        version(self.release.as_deref()?)
    }
}

/// `6.1.0-50-amd64` → 6, 1.
pub fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|letter: char| !letter.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_of_linux_is_two_numbers() {
        assert_eq!(version("6.1.0-50-amd64"), Some((6, 1)));
        assert_eq!(version("5.14.0-362.el9.x86_64"), Some((5, 14)));
        assert_eq!(version("next"), None);
    }
}
