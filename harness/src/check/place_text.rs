//! Places as text: printed, read back, and so in JSON.

use std::fmt;
use std::str::FromStr;

use super::bits::Register;
use super::place::{BitRange, CpuidState, Location, Place, Side};
use crate::cpuid::answers::Key;
use crate::cpuid::line;

impl fmt::Display for BitRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.high, self.low) {
            (high, low) if high == low => write!(f, "[{low}]"),
            (high, low) => write!(f, "[{high}:{low}]"),
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Side::Vcpu(0) => Ok(()),
            Side::Vcpu(vcpu) => write!(f, "vcpu{vcpu}"),
            Side::HostCpu(cpu) => write!(f, "cpu{cpu}"),
            Side::KvmSupported => f.write_str("KVM_GET_SUPPORTED_CPUID"),
            Side::KvmEmulated => f.write_str("KVM_GET_EMULATED_CPUID"),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Whole => Ok(()),
            Location::Cpuid { state, key, bits } => {
                let Key { leaf, subleaf } = key;
                write!(f, "{}.{leaf:02X}H.{subleaf:02X}H", state.name())?;
                bits.map_or(Ok(()), |(register, bits)| {
                    write!(f, ":{}{bits}", register.name())
                })
            }
            Location::Msr { index, bits } => {
                write!(f, "MSR.{index:02X}H")?;
                bits.map_or(Ok(()), |bits| bits.fmt(f))
            }
            Location::Cpuinfo(None) => f.write_str("/proc/cpuinfo"),
            Location::Cpuinfo(Some(list)) => write!(f, "/proc/cpuinfo {list}"),
            Location::Section { section, address } => write!(f, "{}.{address}", section.name()),
            Location::Other(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let apart = self.side != Side::default() && self.location != Location::Whole;
        let space = if apart { " " } else { "" };
        write!(f, "{}{space}{}", self.side, self.location)
    }
}

/// A text that is no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a place such as CPUID.07H.00H:EBX[5], MSR.10AH[7] or /proc/cpuinfo flags: {0}")]
pub struct UnknownPlace(String);

impl FromStr for Place {
    type Err = UnknownPlace;

    fn from_str(text: &str) -> Result<Place, UnknownPlace> {
        let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
        let read = match read_side(first) {
            Some(side) => read_location(rest).map(|location| Place { side, location }),
            None => read_location(text).map(Place::from),
        };
        // Nothing reads that would print otherwise.
        read.filter(|place| place.to_string() == text)
            .ok_or_else(|| UnknownPlace(text.to_owned()))
    }
}

fn read_side(text: &str) -> Option<Side> {
    match text {
        "KVM_GET_SUPPORTED_CPUID" => Some(Side::KvmSupported),
        "KVM_GET_EMULATED_CPUID" => Some(Side::KvmEmulated),
        _ => {
            let vcpu = text.strip_prefix("vcpu").map(|number| number.parse());
            let cpu = text.strip_prefix("cpu").map(|number| number.parse());
            match (vcpu, cpu) {
                (Some(vcpu), _) => vcpu.ok().map(Side::Vcpu),
                (None, cpu) => cpu?.ok().map(Side::HostCpu),
            }
        }
    }
}

fn read_location(text: &str) -> Option<Location> {
    if text.is_empty() {
        return Some(Location::Whole);
    }
    if let Some(list) = text.strip_prefix("/proc/cpuinfo") {
        return match list.strip_prefix(' ') {
            Some(list) => Some(Location::Cpuinfo(Some(list.to_owned()))),
            None => list.is_empty().then_some(Location::Cpuinfo(None)),
        };
    }
    let (word, rest) = text.split_once('.')?;
    if word == "MSR" {
        return read_msr(rest);
    }
    let mut states = CpuidState::ALL.into_iter();
    match states.find(|(_, name)| *name == word) {
        Some((state, _)) => read_cpuid(state, rest),
        None => Some(Location::Section {
            section: line::Register::from_name(word)?,
            address: rest.to_owned(),
        }),
    }
}

/// `07H.00H:EBX[5]`.
fn read_cpuid(state: CpuidState, text: &str) -> Option<Location> {
    let (leaves, bits) = text
        .split_once(':')
        .map_or((text, None), |(leaves, bits)| (leaves, Some(bits)));
    let (leaf, subleaf) = leaves.split_once('.')?;
    let bits = match bits {
        None => None,
        Some(bits) => {
            let (register, range) = bits.split_at(bits.find('[')?);
            Some((Register::from_name(register)?, read_range(range)?))
        }
    };
    let key = Key::new(read_hex(leaf)?, read_hex(subleaf)?);
    Some(Location::Cpuid { state, key, bits })
}

/// `10AH[7]`.
fn read_msr(text: &str) -> Option<Location> {
    let (index, range) = text.split_at(text.find('[').unwrap_or(text.len()));
    let bits = match range {
        "" => None,
        range => Some(read_range(range)?),
    };
    let index = read_hex(index)?;
    Some(Location::Msr { index, bits })
}

fn read_hex(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_suffix('H')?, 16).ok()
}

/// `[5]` or `[31:0]`.
fn read_range(text: &str) -> Option<BitRange> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    let (high, low) = inner.split_once(':').unwrap_or((inner, inner));
    Some(BitRange {
        high: high.parse().ok()?,
        low: low.parse().ok()?,
    })
}

impl serde::Serialize for Place {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Place {
    /// A place of a newer version is kept as its text.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Place, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(text
            .parse()
            .unwrap_or_else(|UnknownPlace(text)| Location::Other(text).into()))
    }
}

#[cfg(test)]
#[path = "place_text_tests.rs"]
mod tests;
