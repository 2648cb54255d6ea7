//! A domain's XML: a pure function of what is asked for.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::cpu_parts::{AddressBits, Cache};
use super::escape::escaped;
use super::setting::{Cell, Settings};
use crate::case::Parts;

/// `policy` of a feature.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// The guest shall have it, whatever the host has.
    Force,
    /// The guest shall have it, and where it cannot the domain shall not start.
    Require,
    /// The guest may have it.
    Optional,
    /// The guest shall not have it.
    Disable,
    /// Where the host has it the domain shall not start.
    Forbid,
}

impl Policy {
    /// All of them.
    pub const ALL: [Policy; 5] = [
        Policy::Force,
        Policy::Require,
        Policy::Optional,
        Policy::Disable,
        Policy::Forbid,
    ];

    /// As XML has it.
    pub fn name(self) -> &'static str {
        match self {
            Policy::Force => "force",
            Policy::Require => "require",
            Policy::Optional => "optional",
            Policy::Disable => "disable",
            Policy::Forbid => "forbid",
        }
    }

    /// Of what XML has; left out it is `require`.
    pub fn read(name: Option<&str>) -> Option<Policy> {
        let name = name.unwrap_or("require");
        Policy::ALL.into_iter().find(|policy| policy.name() == name)
    }

    /// Whether the guest shall have the feature; `None` where either will do.
    pub fn gives(self) -> Option<bool> {
        match self {
            Policy::Force | Policy::Require => Some(true),
            Policy::Optional => None,
            Policy::Disable | Policy::Forbid => Some(false),
        }
    }
}

/// A `<cpu>` element.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestCpu {
    /// `custom`, `host-model`, `host-passthrough`, `maximum`.
    pub mode: String,
    /// `match`; left out where `None`.
    pub matching: Option<String>,
    /// `check`; left out where `None`.
    pub check: Option<String>,
    /// The model, in mode `custom` and where libvirt filled it in.
    pub model: Option<String>,
    /// `fallback` of the model.
    pub fallback: Option<String>,
    /// `vendor_id` of the model: what the guest's CPU calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor_id: Option<String>,
    /// `<vendor>`, which the host shall have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// `migratable`; left out where `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migratable: Option<bool>,
    /// `<cache>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<Cache>,
    /// `<maxphysaddr>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<AddressBits>,
    /// `<topology>`; left out where `None`, and libvirt then makes a socket of each vCPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topology: Option<Parts>,
    /// Features by name, in the order of the XML.
    pub features: Vec<(String, Policy)>,
}

impl GuestCpu {
    /// Mode `custom` with `match='exact'`, and `check='none'`: QEMU decides, libvirt only says what became of it.
    pub fn custom(model: &str) -> GuestCpu {
        GuestCpu {
            mode: "custom".to_owned(),
            matching: Some("exact".to_owned()),
            check: Some("none".to_owned()),
            model: Some(model.to_owned()),
            fallback: Some("forbid".to_owned()),
            ..GuestCpu::default()
        }
    }

    /// One of the modes that have nothing but a name.
    pub fn of_mode(mode: &str) -> GuestCpu {
        GuestCpu {
            mode: mode.to_owned(),
            ..GuestCpu::default()
        }
    }

    /// The element as `virsh capabilities` describes a host by it; `None` where that cannot be, because it names what it lacks.
    pub fn host_xml(&self) -> Option<String> {
        let mut xml = format!(
            "<cpu>\n  <arch>x86_64</arch>\n  <model>{}</model>\n",
            escaped(self.model.as_ref()?)
        );
        for (name, policy) in &self.features {
            (policy.gives() == Some(true)).then_some(())?;
            let _ = writeln!(xml, "  <feature name='{}'/>", escaped(name));
        }
        Some(xml + "</cpu>")
    }

    /// The element.
    pub fn xml(&self) -> String {
        let mut xml = format!("<cpu mode='{}'", escaped(&self.mode));
        for (name, value) in [("match", &self.matching), ("check", &self.check)] {
            if let Some(value) = value {
                let _ = write!(xml, " {name}='{}'", escaped(value));
            }
        }
        if let Some(on) = self.migratable {
            let _ = write!(xml, " migratable='{}'", if on { "on" } else { "off" });
        }
        xml.push_str(">\n");
        xml += &self.model_xml();
        if let Some(Parts {
            sockets: Some(sockets),
            dies,
            cores: Some(cores),
            threads,
            ..
        }) = self.topology
        {
            let dies = if dies > 1 {
                format!(" dies='{dies}'")
            } else {
                String::new()
            };
            let _ = writeln!(
                xml,
                "    <topology sockets='{sockets}'{dies} cores='{cores}' threads='{threads}'/>"
            );
        }
        let cache = self.cache.as_ref().map(Cache::xml);
        let address = self.address.as_ref().map(AddressBits::xml);
        for part in [cache, address].into_iter().flatten() {
            let _ = writeln!(xml, "    {part}");
        }
        for (name, policy) in &self.features {
            let (policy, name) = (policy.name(), escaped(name));
            let _ = writeln!(xml, "    <feature policy='{policy}' name='{name}'/>");
        }
        xml.push_str("  </cpu>");
        xml
    }

    fn model_xml(&self) -> String {
        let mut xml = String::new();
        if let Some(model) = &self.model {
            let names = [("fallback", &self.fallback), ("vendor_id", &self.vendor_id)];
            let attributes = names.map(|(name, value)| {
                let value = value.as_deref().map(escaped);
                value.map_or(String::new(), |value| format!(" {name}='{value}'"))
            });
            let _ = writeln!(
                xml,
                "    <model{}>{}</model>",
                attributes.concat(),
                escaped(model)
            );
        }
        if let Some(vendor) = &self.vendor {
            let _ = writeln!(xml, "    <vendor>{}</vendor>", escaped(vendor));
        }
        xml
    }

    /// Whether QEMU's CPU takes what it shows from the host, or from all that it can do.
    pub fn is_of_host(&self) -> bool {
        ["host-passthrough", "maximum"].contains(&self.mode.as_str())
    }
}

/// A domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// Its name.
    pub name: String,
    /// `qemu` for TCG, or `kvm`.
    pub kind: &'static str,
    /// The machine type.
    pub machine: String,
    /// The binary.
    pub emulator: PathBuf,
    /// The CPU, an element without `<numa>`.
    pub cpu: String,
    /// Its NUMA cells.
    pub cells: Vec<Cell>,
    /// What decides beside `<cpu>` what the CPU is.
    pub settings: Settings,
    /// vCPUs that run.
    pub vcpus: u32,
    /// vCPUs that there is room for.
    pub room: u32,
    /// Further arguments for QEMU.
    pub arguments: Vec<String>,
}

/// Where the parts of the guest are.
#[derive(Clone, Copy, Debug)]
pub struct Wiring<'a> {
    /// The ROM.
    pub rom: &'a Path,
    /// MiB of guest RAM.
    pub megabytes: u64,
    /// Socket that closes when QEMU is gone.
    pub socket: &'a Path,
}

/// The domain's XML. The ROM stands in the BIOS's place, RAM is a file that is shared, and there is no other device than those libvirt adds
/// by itself, but for isa-debug-exit, which ends QEMU, and a debug console whose socket shows that it has.
pub fn xml(domain: &Domain, wiring: &Wiring<'_>) -> String {
    let Domain {
        name,
        kind,
        machine,
        cpu,
        vcpus,
        room,
        ..
    } = domain;
    let current = if vcpus < room {
        format!(" current='{vcpus}'")
    } else {
        String::new()
    };
    let (name, machine) = (escaped(name), escaped(machine));
    let (rom, emulator) = (shown(wiring.rom), shown(&domain.emulator));
    let arguments: String = own_arguments(wiring)
        .iter()
        .chain(&domain.arguments)
        .map(|argument| format!("    <qemu:arg value='{}'/>\n", escaped(argument)))
        .collect();
    let cpu = with_cells(cpu, &domain.cells, wiring.megabytes);
    let megabytes = wiring.megabytes + domain.cells.len().saturating_sub(1) as u64;
    let clock = clock(&domain.settings);
    let (features, panic) = (
        features(&domain.settings),
        domain.settings.children("devices"),
    );
    format!(
        "<domain type='{kind}' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>{name}</name>
  <memory unit='MiB'>{megabytes}</memory>
  <memoryBacking><source type='file'/><access mode='shared'/></memoryBacking>
  <vcpu{current}>{room}</vcpu>
  <os>
    <type arch='x86_64' machine='{machine}'>hvm</type>
    <loader readonly='yes' type='rom'>{rom}</loader>
  </os>
  {features}
  {cpu}
{clock}  <devices>
    <emulator>{emulator}</emulator>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>{panic}
  </devices>
  <qemu:commandline>
{arguments}  </qemu:commandline>
</domain>
"
    )
}

/// `<features>`, with those that every guest has.
fn features(settings: &Settings) -> String {
    let own = settings.children("features");
    let apic = if own.contains("<apic") { "" } else { "<apic/>" };
    format!("<features><acpi/>{apic}{own}</features>")
}

fn clock(settings: &Settings) -> String {
    let timers = settings.children("clock");
    if timers.is_empty() {
        return timers;
    }
    format!("  <clock offset='utc'>{timers}</clock>\n")
}

/// The CPU with its cells. The first one has the RAM that the agent uses, since RAM starts there; the others have the least that there is.
fn with_cells(cpu: &str, cells: &[Cell], megabytes: u64) -> String {
    let Some(inner) = cpu.strip_suffix("</cpu>").filter(|_| !cells.is_empty()) else {
        return cpu.to_owned();
    };
    let cell = |cell: &Cell| {
        let memory = if cell.id == 0 { megabytes } else { 1 };
        let (id, cpus) = (cell.id, escaped(&cell.cpus));
        let cpus = if cpus.is_empty() {
            String::new()
        } else {
            format!(" cpus='{cpus}'")
        };
        format!("<cell id='{id}'{cpus} memory='{memory}' unit='MiB'/>")
    };
    let cells: String = cells.iter().map(cell).collect();
    format!("{inner}<numa>{cells}</numa></cpu>")
}

fn own_arguments(wiring: &Wiring<'_>) -> Vec<String> {
    // QEMU takes two commas for one that does not separate (util/qemu-option.c, get_opt_value).
    let path = wiring.socket.to_string_lossy().replace(',', ",,");
    let socket = format!("socket,id=end,path={path}");
    let console = format!(
        "isa-debugcon,iobase={:#x},chardev=end",
        crate::vmm::command::DEBUG_PORT
    );
    let exit = format!(
        "isa-debug-exit,iobase={:#x},iosize=2",
        crate::vmm::command::EXIT_PORT
    );
    ["-chardev", &socket, "-device", &console, "-device", &exit]
        .map(str::to_owned)
        .into()
}

fn shown(path: &Path) -> String {
    escaped(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_stands_in_the_xml() {
        let mut cpu = GuestCpu::custom("Penryn");
        cpu.features.push(("avx".to_owned(), Policy::Force));
        let domain = Domain {
            name: "a&b".to_owned(),
            kind: "qemu",
            machine: "pc-q35-7.2".to_owned(),
            emulator: "/opt/qemu".into(),
            cpu: cpu.xml(),
            cells: Vec::new(),
            settings: Settings::default(),
            vcpus: 2,
            room: 4,
            arguments: vec!["-global".to_owned(), "x='1'".to_owned()],
        };
        let wiring = Wiring {
            rom: Path::new("/agent.rom"),
            megabytes: 32,
            socket: Path::new("/a, ü/end.sock"),
        };
        let xml = xml(&domain, &wiring);
        for part in [
            "<name>a&amp;b</name>",
            "<cpu mode='custom' match='exact' check='none'>\n    <model fallback='forbid'>Penryn</model>\n    \
             <feature policy='force' name='avx'/>\n  </cpu>",
            "machine='pc-q35-7.2'",
            "<vcpu current='2'>4</vcpu>",
            "<qemu:arg value='socket,id=end,path=/a,, ü/end.sock'/>",
            "<qemu:arg value='x=&apos;1&apos;'/>",
            "type='rom'>/agent.rom<",
        ] {
            assert!(xml.contains(part), "{part} in {xml}");
        }
    }

    #[test]
    fn a_host_is_described_by_what_it_has_alone() {
        let mut cpu = GuestCpu::custom("Penryn");
        cpu.features.push(("avx".to_owned(), Policy::Require));
        let xml = "<cpu>\n  <arch>x86_64</arch>\n  <model>Penryn</model>\n  <feature name='avx'/>\n</cpu>";
        assert_eq!(cpu.host_xml().as_deref(), Some(xml));
        cpu.features.push(("cx16".to_owned(), Policy::Disable));
        assert_eq!(cpu.host_xml(), None);
    }

    #[test]
    fn a_policy_that_is_left_out_is_require() {
        assert_eq!(Policy::read(None), Some(Policy::Require));
        assert_eq!(Policy::read(Some("forbid")), Some(Policy::Forbid));
        assert_eq!(Policy::read(Some("maybe")), None);
    }
}
