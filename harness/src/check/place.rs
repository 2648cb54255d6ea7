//! Where a finding is: typed, printed as manuals write it, and read back.
//!
//! ```text
//! CPUID.07H.00H:EBX[5]                       a bit, as CPUID answered before an operating system set anything
//! vcpu1 OS:CPUID.01H.00H:ECX[27]             with control state set, on another vCPU than the boot processor
//! PROBE:CPUID.0EH.00H                        past a limit
//! MSR.10AH[7]                                a bit of an MSR
//! /proc/cpuinfo flags                        a list of words
//! cpu3 CPUID.07H.00H:EBX[5]                  on one of the host's processors
//! KVM_GET_SUPPORTED_CPUID CPUID.07H.00H:EBX[5]
//! state.os-enabled.cr4                       any other place of an expectation line: its section and address
//! ```

use fidelity_protocol::frame::Phase;

use super::bits::Register;
use crate::cpuid::answers::Key;
use crate::cpuid::bit::Bit;
use crate::cpuid::line;
use crate::cpuid::table::{Field, Space};
use crate::evidence::libvirt::cpu_map::Spot;

/// Where something contradicts what is expected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// On whose side.
    pub side: Side,
    /// Where there.
    pub location: Location,
}

/// Whose CPUID, MSRs or lists are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// A vCPU of the guest, by its position in the dump; 0, the boot processor, is not printed.
    Vcpu(usize),
    /// A processor of the host, by its number in Linux.
    HostCpu(usize),
    /// KVM_GET_SUPPORTED_CPUID.
    KvmSupported,
    /// KVM_GET_EMULATED_CPUID.
    KvmEmulated,
}

impl Default for Side {
    fn default() -> Side {
        Side::Vcpu(0)
    }
}

/// Bits of a register, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BitRange {
    /// The highest: 0 to 31 of a CPUID register, 0 to 63 of an MSR.
    pub high: u8,
    /// The lowest.
    pub low: u8,
}

/// In which state a processor, or who else, was asked for CPUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CpuidState {
    /// Before an operating system set anything (`cpuid`).
    Reset,
    /// With control state set (`os`).
    OsEnabled,
    /// Past a limit (`probe`).
    Probe,
    /// What KVM can only emulate (`emul`).
    KvmEmulated,
    /// What KVM offers where a guest is to see Hyper-V (`hyper`).
    KvmHyperV,
}

impl CpuidState {
    pub(super) const ALL: [(CpuidState, &'static str); 5] = [
        (CpuidState::Reset, "CPUID"),
        (CpuidState::OsEnabled, "OS:CPUID"),
        (CpuidState::Probe, "PROBE:CPUID"),
        (CpuidState::KvmEmulated, "EMULATED:CPUID"),
        (CpuidState::KvmHyperV, "HYPERV:CPUID"),
    ];

    /// As places start.
    pub fn name(self) -> &'static str {
        let mut all = Self::ALL.iter();
        all.find(|(state, _)| *state == self)
            .map_or("", |(_, name)| name)
    }

    fn from_section(section: line::Register) -> Option<CpuidState> {
        Some(match section {
            line::Register::Cpuid => CpuidState::Reset,
            line::Register::Os => CpuidState::OsEnabled,
            line::Register::Probe => CpuidState::Probe,
            line::Register::Emulated => CpuidState::KvmEmulated,
            line::Register::HyperV => CpuidState::KvmHyperV,
            _ => return None,
        })
    }
}

/// A location within one [`Side`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Location {
    /// None of its own.
    #[default]
    Whole,
    /// What CPUID answers.
    Cpuid {
        /// To whom.
        state: CpuidState,
        /// Leaf and subleaf.
        key: Key,
        /// The register and bits of it; `None` for the whole leaf.
        bits: Option<(Register, BitRange)>,
    },
    /// An MSR.
    Msr {
        /// ECX of RDMSR.
        index: u32,
        /// Bits of it; `None` for the whole MSR.
        bits: Option<BitRange>,
    },
    /// A field of /proc/cpuinfo, `flags`; `None` for all of them.
    Cpuinfo(Option<String>),
    /// Another place of an expectation line.
    Section {
        /// The section, `state`.
        section: line::Register,
        /// The address in it, `os-enabled.cr4`.
        address: String,
    },
    /// A place that was read and that this version does not know; none is ever made.
    Other(String),
}

impl Place {
    /// A leaf in one subleaf, before an operating system set anything.
    pub fn of_leaf(key: Key) -> Place {
        Place::of_cpuid(CpuidState::Reset, key)
    }

    /// A leaf in one subleaf, in any state.
    pub fn of_cpuid(state: CpuidState, key: Key) -> Place {
        Location::Cpuid {
            state,
            key,
            bits: None,
        }
        .into()
    }

    /// A whole MSR.
    pub fn of_msr(index: u32) -> Place {
        Location::Msr { index, bits: None }.into()
    }

    /// A field of the feature table, in that subleaf of its leaf where it is CPUID's.
    pub fn of_field(field: &Field, subleaf: u32) -> Place {
        let bits = BitRange {
            high: field.high,
            low: field.low,
        };
        match field.space {
            Space::Msr => Location::Msr {
                index: field.leaf,
                bits: Some(bits),
            },
            Space::Cpuid | Space::HyperV => Location::Cpuid {
                state: CpuidState::Reset,
                key: Key::new(field.leaf, subleaf),
                bits: Some((Register::from_index(field.register), bits)),
            },
        }
        .into()
    }

    /// A list or field of /proc/cpuinfo, as `flags`.
    pub fn of_cpuinfo(list: &str) -> Place {
        Location::Cpuinfo(Some(list.to_owned())).into()
    }

    /// A control register in the dump of a phase, as `cr4`.
    pub fn of_control(phase: Phase, name: &str) -> Place {
        let address = format!("{}.{name}", phase.name());
        Place::of_section(line::Register::State, address)
    }

    /// An address in a section of expectation lines that is neither CPUID nor an MSR.
    pub fn of_section(section: line::Register, address: String) -> Place {
        Location::Section { section, address }.into()
    }

    /// The same on another side.
    #[must_use]
    pub fn on(self, side: Side) -> Place {
        Place { side, ..self }
    }

    /// Whether there is nothing to print.
    pub fn is_empty(&self) -> bool {
        *self == Place::default()
    }
}

impl From<Location> for Place {
    fn from(location: Location) -> Place {
        Place {
            side: Side::default(),
            location,
        }
    }
}

impl From<Bit> for Place {
    fn from(bit: Bit) -> Place {
        let range = BitRange {
            high: bit.bit,
            low: bit.bit,
        };
        Location::Cpuid {
            state: CpuidState::Reset,
            key: bit.key,
            bits: Some((Register::from_index(bit.register), range)),
        }
        .into()
    }
}

impl From<Spot> for Place {
    fn from(spot: Spot) -> Place {
        match spot {
            Spot::Cpuid(bit) => bit.into(),
            Spot::Msr(index, bit) => Location::Msr {
                index,
                bits: Some(BitRange {
                    high: bit,
                    low: bit,
                }),
            }
            .into(),
        }
    }
}

impl From<&line::Place> for Place {
    fn from(place: &line::Place) -> Place {
        let location = cpuid_or_msr(place).unwrap_or_else(|| match place.register {
            line::Register::Bugs => Location::Cpuinfo(Some("bugs".to_owned())),
            line::Register::Flags => Location::Cpuinfo(Some("flags".to_owned())),
            line::Register::VmxFlags => Location::Cpuinfo(Some("vmx flags".to_owned())),
            line::Register::Info => Location::Cpuinfo(Some(place.address.clone())),
            section => Location::Section {
                section,
                address: place.address.clone(),
            },
        });
        Place::from(location).on(Side::Vcpu(place.vcpu))
    }
}

/// The typed location of a line's place; `None` for other sections.
fn cpuid_or_msr(place: &line::Place) -> Option<Location> {
    let range = |(high, low)| BitRange { high, low };
    if let Some(index) = place.msr() {
        let bits = place.bit_range().map(range);
        return Some(Location::Msr { index, bits });
    }
    let state = CpuidState::from_section(place.register)?;
    let bits = place
        .output_register()
        .zip(place.bit_range())
        .map(|(register, bits)| (Register::from_index(register), range(bits)));
    Some(Location::Cpuid {
        state,
        key: place.cpuid_key()?,
        bits,
    })
}
