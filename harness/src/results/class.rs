//! The class of a host: what of it has a say in what a KVM guest sees.

use serde::{Deserialize, Serialize};

use fidelity_protocol::crc::crc32;

use crate::host::cpuinfo;
use crate::host::cpuinfo::Cpuinfo;
use crate::host::kernel;
use crate::host::kernel::Kernel;

/// CPU model, microcode, kernel, KVM and its options. Hosts of one class are interchangeable; results of KVM lanes are kept
/// apart by class, and host-independent ones must not depend on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostClass {
    /// Short and unique: `amd-epyc-9b14/linux-6.1.0/kvm_amd/1f2e3d4c`; the last part is CRC-32 over all of the other fields.
    pub id: String,
    /// `model name` of /proc/cpuinfo.
    pub cpu: String,
    /// `microcode`.
    pub microcode: String,
    /// `uname -r`.
    pub kernel: String,
    /// Every parameter of every KVM module, `kvm.tdp_mmu=Y`, sorted; a module without any as its name.
    pub kvm: Vec<String>,
}

impl HostClass {
    /// Of this host.
    pub fn of_this_host() -> HostClass {
        let cpuinfo = cpuinfo::cpuinfo().value().cloned().unwrap_or_default();
        HostClass::new(&cpuinfo, &kernel::kernel())
    }

    fn new(cpuinfo: &Cpuinfo, kernel: &Kernel) -> HostClass {
        let identity = |name: &str| cpuinfo.identity.get(name).cloned().unwrap_or_default();
        let mut kvm = Vec::new();
        for (module, parameters) in &kernel.modules {
            if parameters.is_empty() {
                kvm.push(module.clone());
            }
            kvm.extend(parameters.iter().filter_map(|(name, value)| {
                Some(format!("{module}.{name}={}", value.value()?.trim()))
            }));
        }
        let mut class = HostClass {
            id: String::new(),
            cpu: identity("model name"),
            microcode: identity("microcode"),
            kernel: kernel.release.value().cloned().unwrap_or_default(),
            kvm,
        };
        let all = [&class.cpu, &class.microcode, &class.kernel].map(String::as_str);
        let text = all.join("\n") + "\n" + &class.kvm.join("\n");
        let vendor_module = kernel.modules.keys().find(|name| *name != "kvm");
        class.id = format!(
            "{}/linux-{}/{}/{:08x}",
            slug(&class.cpu),
            class.kernel,
            vendor_module.map_or("no-kvm", String::as_str),
            crc32(&[text.as_bytes()])
        );
        class
    }
}

/// Lower case, a `-` for everything that is neither letter nor digit.
fn slug(name: &str) -> String {
    let words = name.split(|letter: char| !letter.is_ascii_alphanumeric());
    let words: Vec<_> = words
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    words.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::found::Found;

    fn host(nested: &str) -> HostClass {
        let cpuinfo = cpuinfo::parse("model name\t: AMD EPYC (tm) 7\nmicrocode\t: 0x1\n");
        let mut kernel = Kernel {
            release: Found::Value("6.1.0-9".to_owned()),
            ..Kernel::default()
        };
        let module = [("nested".to_owned(), Found::Value(format!("{nested}\n")))];
        kernel.modules.insert("kvm_amd".to_owned(), module.into());
        HostClass::new(&cpuinfo, &kernel)
    }

    #[test]
    fn a_class_is_named_by_what_counts() {
        let class = host("1");
        assert!(
            class.id.starts_with("amd-epyc-tm-7/linux-6.1.0-9/kvm_amd/"),
            "{}",
            class.id
        );
        assert_eq!(class.kvm, ["kvm_amd.nested=1"]);
    }

    #[test]
    fn an_option_of_kvm_makes_another_class() {
        assert_ne!(host("1").id, host("0").id);
        assert_eq!(host("1"), host("1"));
    }
}
