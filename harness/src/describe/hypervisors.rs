//! Hypervisor leaves: every range that is signed, decoded by who signs it. A hypervisor that shows itself as another's has two.

use serde::Serialize;

use super::facts::Facts;
use super::page::{Name, Row, Section};
use crate::cpuid::answers::{Key, Regs};
use crate::cpuid::hypervisor::BASE;
use crate::cpuid::table::{Format, Space};

/// A range of hypervisor leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Hypervisor {
    pub base: u32,
    pub signature: String,
    /// Who signs so; `None`: nobody that is known here.
    pub name: Option<&'static str>,
    pub last_leaf: u32,
    /// Names and values of what it says beside features.
    pub facts: Vec<(&'static str, String)>,
    pub features: Vec<Listed>,
}

/// Features of one register, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    pub title: String,
    pub names: Vec<String>,
}

/// Signatures of EBX, ECX and EDX. Sources: Linux, arch/x86/kernel/cpu (hypervisor.c, mshyperv.c, vmware.c, acrn.c) and arch/x86/kernel
/// (kvm.c, jailhouse.c); QEMU, target/i386; Xen, public/arch-x86/cpuid.h; systemd, src/basic/virt.c.
const SIGNATURES: [(&str, &str); 14] = [
    ("KVMKVMKVM", "KVM"),
    ("Linux KVM Hv", "KVM, as Hyper-V"),
    ("Microsoft Hv", "Hyper-V's interface"),
    ("VMwareVMware", "VMware"),
    ("XenVMMXenVMM", "Xen"),
    ("TCGTCGTCGTCG", "QEMU's TCG"),
    ("bhyve bhyve ", "bhyve"),
    ("VBoxVBoxVBox", "VirtualBox"),
    (" lrpepyh  vr", "Parallels"),
    ("prl hyperv  ", "Parallels"),
    ("ACRNACRNACRN", "ACRN"),
    ("Jailhouse", "Jailhouse"),
    (" QNXQVMBSQG ", "QNX"),
    ("IntelTDX    ", "Intel TDX"),
];

/// All ranges that are signed. Linux looks for one at every 100H (arch/x86/include/asm/processor.h, for_each_possible_hypervisor_cpuid_base).
pub fn hypervisors(facts: &Facts<'_>) -> Vec<Hypervisor> {
    let bases = (BASE..BASE + 0x1_0000).step_by(0x100);
    bases.filter_map(|base| range(facts, base)).collect()
}

fn range(facts: &Facts<'_>, base: u32) -> Option<Hypervisor> {
    let [last_leaf, ebx, ecx, edx] = facts.regs(base, 0)?;
    let bytes = [ebx, ecx, edx].map(u32::to_le_bytes).concat();
    let bytes: Vec<u8> = bytes.into_iter().take_while(|byte| *byte != 0).collect();
    // A range that a processor does not have repeats a basic leaf (SDM), whose registers spell nothing.
    let is_text = bytes.len() > 3 && bytes.iter().all(|byte| (0x20..0x7f).contains(byte));
    if !is_text {
        return None;
    }
    let signature = String::from_utf8(bytes).ok()?;
    let known = SIGNATURES.iter().find(|(own, _)| *own == signature);
    let mut range = Hypervisor {
        base,
        name: known.map(|(_, name)| *name),
        signature,
        last_leaf,
        ..Hypervisor::default()
    };
    range.decode(facts);
    Some(range)
}

impl Hypervisor {
    fn decode(&mut self, facts: &Facts<'_>) {
        match self.signature.as_str() {
            "KVMKVMKVM" => self.kvm(facts),
            "Microsoft Hv" | "Linux KVM Hv" => self.hyperv(facts),
            "XenVMMXenVMM" => self.xen(facts),
            "bhyve bhyve " => self.bhyve(facts),
            _ => {}
        }
        if matches!(self.signature.as_str(), "KVMKVMKVM" | "VMwareVMware") {
            self.frequencies(facts);
        }
    }

    fn regs(&self, facts: &Facts<'_>, offset: u32) -> Option<Regs> {
        let leaf = self.base + offset;
        facts
            .regs(leaf, 0)
            .filter(|_| leaf <= self.last_leaf.max(self.base + 1))
    }

    /// Documentation/virt/kvm/x86/cpuid.rst; the same bits wherever the range starts.
    fn kvm(&mut self, facts: &Facts<'_>) {
        let Some(regs) = self.regs(facts, 1) else {
            return;
        };
        for (register, what) in [(0, "Features"), (3, "Hints")] {
            let fields = facts.fields(Space::Cpuid, Key::new(BASE + 1, 0), register);
            let flags = fields.filter(|field| field.format == Format::Flag);
            let set =
                flags.filter(|field| u64::from(regs[usize::from(register)]) & field.mask() != 0);
            let names: Vec<String> = set.map(|field| field.name.clone()).collect();
            self.list(what, 1, names);
        }
    }

    /// TLFS, "Hypervisor CPUID Leaves".
    fn hyperv(&mut self, facts: &Facts<'_>) {
        let interface = facts
            .regs(self.base + 1, 0)
            .map(|regs| regs[0].to_le_bytes());
        let interface = interface.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        self.facts.extend(interface.map(|text| ("Interface", text)));
        let at = |name: &str| facts.value(name).unwrap_or(0);
        let (major, build) = (at("hv-version-major"), at("hv-version-build"));
        if major != 0 || build != 0 {
            let minor = at("hv-version-minor");
            self.facts
                .push(("Version", format!("{major}.{minor}, build {build}")));
        }
        for (offset, register, what) in HYPERV {
            let key = Key::new(self.base + offset, 0);
            self.list(what, offset, facts.set_flags(Space::Cpuid, key, register));
        }
        for (name, what) in [
            ("hv-spinlock-retries", "Spinlock retries"),
            ("hv-max-vps", "Virtual processors at most"),
            ("hv-max-lps", "Logical processors at most"),
        ] {
            let value = facts.nonzero(name);
            let shown = value.map(|value| match u32::try_from(value) {
                Ok(u32::MAX) => "never notify".to_owned(),
                _ => value.to_string(),
            });
            self.facts.extend(shown.map(|shown| (what, shown)));
        }
    }

    /// Xen's public/arch-x86/cpuid.h.
    fn xen(&mut self, facts: &Facts<'_>) {
        if let Some([version, ..]) = self.regs(facts, 1) {
            let version = format!("{}.{}", version >> 16, version & 0xffff);
            self.facts.push(("Version", version));
        }
        if let Some([pages, msr, ..]) = self.regs(facts, 2) {
            let shown = format!("{pages} of them, by MSR {msr:X}H");
            self.facts.push(("Hypercall pages", shown));
        }
        let Some([flags, vcpu, domain, _]) = self.regs(facts, 4) else {
            return;
        };
        let set = XEN
            .iter()
            .enumerate()
            .filter(|(bit, _)| flags >> bit & 1 != 0);
        self.list(
            "HVM features",
            4,
            set.map(|(_, name)| (*name).to_owned()).collect(),
        );
        if flags >> 3 & 1 != 0 {
            self.facts.push(("vCPU", vcpu.to_string()));
        }
        if flags >> 4 & 1 != 0 {
            self.facts.push(("Domain", domain.to_string()));
        }
    }

    /// FreeBSD, sys/amd64/vmm/x86.c: CPUID_BHYVE_FEAT_EXT_DEST_ID.
    fn bhyve(&mut self, facts: &Facts<'_>) {
        let features = self.regs(facts, 1).map_or(0, |regs| regs[0]);
        let names = (features & 1 != 0).then(|| "ext-dest-id".to_owned());
        self.list("Features", 1, names.into_iter().collect());
    }

    /// VMware's timing leaf, which QEMU's vmware-cpuid-freq gives under KVM too.
    fn frequencies(&mut self, facts: &Facts<'_>) {
        let Some([tsc, bus, ..]) = self.regs(facts, 0x10) else {
            return;
        };
        for (khz, what) in [(tsc, "TSC"), (bus, "APIC bus")] {
            if khz != 0 {
                self.facts.push((what, format!("{khz} kHz")));
            }
        }
    }

    fn list(&mut self, what: &str, offset: u32, names: Vec<String>) {
        if !names.is_empty() {
            let title = format!("{what} ({:X}H)", self.base + offset);
            self.features.push(Listed { title, names });
        }
    }

    pub fn section(&self) -> Section {
        let name = self.name.unwrap_or("unknown");
        let mut section = Section::new(&format!("Hypervisor: {name}"));
        let (base, last) = (self.base, self.last_leaf);
        let signature = format!("\"{}\" at {base:X}H, last leaf {last:X}H", self.signature);
        section.pair("Signature", signature);
        for (name, value) in &self.facts {
            section.pair(name, value.as_str());
        }
        for listed in &self.features {
            let names = listed.names.iter().map(|name| Name {
                name: name.clone(),
                others: Vec::new(),
                place: listed.title.clone(),
            });
            section
                .rows
                .push(Row::Names(listed.title.clone(), names.collect()));
        }
        section
    }
}

/// Offset, register, and what the flags are.
const HYPERV: [(u32, u8, &str); 8] = [
    (3, 0, "Privileges, low half"),
    (3, 1, "Privileges, high half"),
    (3, 2, "Power management"),
    (3, 3, "Features"),
    (4, 0, "Recommendations"),
    (6, 0, "Hardware features in use"),
    (9, 0, "Nested privileges"),
    (0xa, 0, "Nested features"),
];

/// XEN_HVM_CPUID_*, from bit 0.
const XEN: [&str; 7] = [
    "apic-access-virt",
    "x2apic-virt",
    "iommu-mappings",
    "vcpu-id",
    "domain-id",
    "ext-dest-id",
    "upcall-vector",
];
