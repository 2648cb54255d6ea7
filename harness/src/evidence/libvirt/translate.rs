//! Translations of a QEMU `-cpu` argument into libvirt's elements and back: what a translation is.
//! [`to_libvirt`](super::to_libvirt()) and [`to_qemu`](super::to_qemu()) make them.

use crate::vmm::libvirt::domain::GuestCpu;
use crate::vmm::libvirt::setting::Settings;

/// A translation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Translated<T> {
    /// As far as it goes.
    pub value: T,
    /// What cannot be expressed, a sentence each.
    pub lost: Vec<String>,
    /// What libvirt does beside, a sentence each; nothing is lost by it.
    pub notes: Vec<String>,
    /// Whether a part of it is lost because libvirt's cpu_map has no name for a feature.
    pub has_nameless: bool,
}

/// What libvirt is asked for: a `<cpu>`, and what decides beside it what the CPU is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The `<cpu>`.
    pub cpu: GuestCpu,
    /// The rest.
    pub settings: Settings,
}

impl Asked {
    /// A `<cpu>` alone where that is all, else as much of a `<domain>` as there is. `vcpus` are those that run, and those there is room for.
    pub fn xml(&self, vcpus: Option<(u32, u32)>) -> String {
        if self.settings.0.is_empty() && vcpus.is_none() {
            return self.cpu.xml();
        }
        let cpu = self.cpu.xml();
        let vcpus = vcpus.map_or(String::new(), |(vcpus, room)| vcpu_element(vcpus, room));
        let parts = ["features", "clock", "devices"].map(|of| self.part(of));
        let [features, clock, devices] = parts;
        format!(
            "<domain type='{}'>\n{vcpus}{features}  {cpu}\n{clock}{devices}</domain>",
            self.kind()
        )
    }

    /// Only KVM has a host's CPU, enlightenments and paravirtual features.
    fn kind(&self) -> &'static str {
        let host = self.cpu.mode.starts_with("host");
        let settings = &self.settings;
        let kvm = [
            "features/hyperv",
            "features/kvm",
            "features/apic",
            "features/pvspinlock",
            "clock/",
            "devices/",
        ];
        if host || kvm.iter().any(|path| settings.has(path)) {
            "kvm"
        } else {
            "qemu"
        }
    }

    fn part(&self, of: &str) -> String {
        let inner = self.settings.children(of);
        let attributes = if of == "clock" { " offset='utc'" } else { "" };
        if inner.is_empty() {
            return inner;
        }
        format!("  <{of}{attributes}>{inner}</{of}>\n")
    }
}

fn vcpu_element(vcpus: u32, room: u32) -> String {
    let current = if vcpus < room {
        format!(" current='{vcpus}'")
    } else {
        String::new()
    };
    format!("  <vcpu{current}>{room}</vcpu>\n")
}
