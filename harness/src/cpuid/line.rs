//! One expectation line: where, and what stands there.
//!
//! ```text
//! cpuid 0x00000001.00 ecx[ 5]     vmx
//! cpuid 0x80000008.00 eax[ 7: 0]  phys-bits = 46
//! cpuid 0x00000003.00             zero
//! msr   0x0000010a        [ 0]    rdctl-no
//! msr   0x00000570                #GP
//! os    0x00000001.00 ecx[27]     osxsave
//! ```
//! The first 32 characters are the place, the rest is the text. Lines of other vCPUs carry `vcpu N: ` in front.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::answers::Key;

/// Column at which the text starts.
const TEXT_COLUMN: usize = 32;

/// Which list of readings a line belongs to, which is what it starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Register {
    /// About the dump itself (`agent`).
    Agent,
    /// CPUID before an OS set anything (`cpuid`).
    Cpuid,
    /// An MSR (`msr`).
    Msr,
    /// CPUID with control state set, where it differs from before (`os`).
    Os,
    /// CPUID that KVM can only emulate (`emul`).
    Emulated,
    /// CPUID that KVM offers where a guest is to see Hyper-V (`hyper`).
    HyperV,
    /// What KVM reports of itself beside CPUID and MSRs (`kvm`).
    Kvm,
    /// CPUID one past a limit (`probe`).
    Probe,
    /// Control state (`state`).
    State,
    /// A run of a sweep (`sweep`).
    Sweep,
    /// What a probe of behaviour gave (`tried`).
    Tried,
    /// An entry of `bugs` in a Linux guest's /proc/cpuinfo (`bugs`).
    Bugs,
    /// A cache, as sysfs of a Linux guest has it (`cache`).
    Cache,
    /// An entry of `flags` in a Linux guest's /proc/cpuinfo (`flags`).
    Flags,
    /// Another field of a Linux guest's /proc/cpuinfo (`info`).
    Info,
    /// About a Linux guest's kernel (`linux`).
    Linux,
    /// A processor's place, as sysfs of a Linux guest has it (`topo`).
    Topology,
    /// An entry of `vmx flags` in a Linux guest's /proc/cpuinfo (`vmx`).
    VmxFlags,
    /// What sysfs of a Linux guest reports of a vulnerability (`vuln`).
    Vulnerability,
}

impl Register {
    const ALL: [(Register, &'static str); 19] = [
        (Register::Agent, "agent"),
        (Register::Cpuid, "cpuid"),
        (Register::Emulated, "emul"),
        (Register::HyperV, "hyper"),
        (Register::Kvm, "kvm"),
        (Register::Msr, "msr"),
        (Register::Os, "os"),
        (Register::Probe, "probe"),
        (Register::State, "state"),
        (Register::Sweep, "sweep"),
        (Register::Tried, "tried"),
        (Register::Bugs, "bugs"),
        (Register::Cache, "cache"),
        (Register::Flags, "flags"),
        (Register::Info, "info"),
        (Register::Linux, "linux"),
        (Register::Topology, "topo"),
        (Register::VmxFlags, "vmx"),
        (Register::Vulnerability, "vuln"),
    ];

    /// The name that a line starts with.
    pub fn name(self) -> &'static str {
        let mut all = Self::ALL.iter();
        all.find(|(register, _)| *register == self)
            .map_or("", |(_, name)| name)
    }

    /// Whether the line's text is an entry of a list, and its place nothing but that entry.
    fn is_list(self) -> bool {
        matches!(self, Register::Bugs | Register::Flags | Register::VmxFlags)
    }

    /// Whether bits of a register follow the address.
    fn has_bits(self) -> bool {
        matches!(
            self,
            Register::Cpuid
                | Register::Os
                | Register::Emulated
                | Register::HyperV
                | Register::Probe
        )
    }

    /// By [`Register::name`].
    pub fn from_name(name: &str) -> Option<Register> {
        let mut all = Self::ALL.iter();
        all.find(|(_, known)| *known == name)
            .map(|(register, _)| *register)
    }
}

/// Where a line's text stands: the order is the order of the printed lines.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// Position in the dump, 0 for the boot processor.
    pub vcpu: usize,
    /// The list.
    pub register: Register,
    /// `0x00000007.00`, `0x0000010a`, or a name.
    pub address: String,
    /// `ebx[16]`, `[31: 0]`, or nothing.
    pub bits: String,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Line {
    /// Where.
    pub place: Place,
    /// What.
    pub text: String,
}

impl Line {
    /// A line of the boot processor.
    pub fn new(register: Register, address: String, bits: String, text: impl Into<String>) -> Line {
        let place = Place {
            vcpu: 0,
            register,
            address,
            bits,
        };
        Line {
            place,
            text: text.into(),
        }
    }

    /// Reads a line; `None` when it is not one.
    pub fn read(line: &str) -> Option<Line> {
        let (vcpu, rest) = match line.strip_prefix("vcpu ") {
            Some(rest) => {
                let (number, rest) = rest.split_once(": ")?;
                (number.trim_start().parse().ok()?, rest)
            }
            None => (0, line),
        };
        let (place, text) = rest.split_at_checked(TEXT_COLUMN)?;
        if text.is_empty() || text.trim() != text || !place.ends_with(' ') {
            return None;
        }
        let register = Register::from_name(place.get(..6)?.trim_end())?;
        let (address, bits) = match register {
            Register::Msr => place[6..].split_at_checked(18)?,
            list if list.is_list() && place[6..].trim().is_empty() => (text, ""),
            list if list.is_list() => return None,
            bits if bits.has_bits() => place[6..].split_at_checked(14)?,
            _ => (&place[6..], ""),
        };
        let place = Place {
            vcpu,
            register,
            address: address.trim_end().to_owned(),
            bits: bits.trim_end().to_owned(),
        };
        let read = Line {
            place,
            text: text.to_owned(),
        };
        (read.to_string() == line).then_some(read)
    }

    /// The name in the text: `phys-bits` of `phys-bits = 46`.
    pub fn name(&self) -> &str {
        self.text.split(" = ").next().unwrap_or(&self.text)
    }

    /// The value in the text: `46` of `phys-bits = 46`.
    pub fn value(&self) -> Option<&str> {
        self.text.split_once(" = ").map(|(_, value)| value)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.vcpu > 0 {
            write!(f, "vcpu {:>3}: ", self.vcpu)?;
        }
        let name = self.register.name();
        match self.register {
            Register::Msr => write!(f, "{name:<6}{:<18}{:<8}", self.address, self.bits),
            list if list.is_list() => write!(f, "{name:<32}"),
            register if register.has_bits() => {
                write!(f, "{name:<6}{:<14}{:<12}", self.address, self.bits)
            }
            _ => write!(f, "{name:<6}{:<26}", self.address),
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.place, self.text)
    }
}

/// `ebx[16]` or `eax[ 7: 0]`; `[16]` for an MSR.
pub(super) fn bits(register: &str, high: u8, low: u8) -> String {
    if high == low {
        format!("{register}[{low:>2}]")
    } else {
        format!("{register}[{high:>2}:{low:>2}]")
    }
}

impl Place {
    /// Leaf and subleaf, where the place is CPUID's.
    pub fn cpuid_key(&self) -> Option<Key> {
        let (leaf, subleaf) = self.address.split_once('.')?;
        let leaf = u32::from_str_radix(leaf.strip_prefix("0x")?, 16).ok()?;
        let subleaf = u32::from_str_radix(subleaf, 16).ok()?;
        self.register.has_bits().then_some(Key { leaf, subleaf })
    }

    /// Index of the MSR, where the place is an MSR's.
    pub fn msr(&self) -> Option<u32> {
        let index = self.address.strip_prefix("0x")?;
        let index = u32::from_str_radix(index, 16).ok()?;
        (self.register == Register::Msr).then_some(index)
    }

    /// 0 to 3 for EAX to EDX, where the place names one.
    pub fn output_register(&self) -> Option<u8> {
        let (name, _) = self.bits.split_once('[')?;
        let all = ["eax", "ebx", "ecx", "edx"].into_iter().zip(0..);
        all.into_iter()
            .find_map(|(own, index)| (own == name).then_some(index))
    }

    /// The highest and the lowest bit, where the place names any.
    pub fn bit_range(&self) -> Option<(u8, u8)> {
        let (_, range) = self.bits.strip_suffix(']')?.split_once('[')?;
        let (high, low) = range.split_once(':').unwrap_or((range, range));
        Some((high.trim().parse().ok()?, low.trim().parse().ok()?))
    }
}

impl Serialize for Line {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Line {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Line, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = || D::Error::custom(format_args!("not an expectation line: {text}"));
        Line::read(&text).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: [&str; 10] = [
        "agent phases                    reset,msrs",
        "cpuid 0x00000001.00 ecx[ 5]     vmx",
        "cpuid 0x0000000b.00 edx[31: 0]  x2apic-id = <vcpu>",
        "cpuid 0x00000003.00             zero",
        "msr   0x0000010a        [ 0]    rdctl-no",
        "msr   0x00000480        [63:32] reserved = 0x1",
        "msr   0x00000570                #GP",
        "vcpu   3: cpuid 0x00000001.00 ebx[31:24]  initial-apic-id = 3",
        "emul  0x00000007.00 ecx[22]     rdpid",
        "kvm   xsave2                    xsave2 = 4096",
    ];

    #[test]
    fn lines_read_back_as_printed() {
        for line in LINES {
            assert_eq!(
                Line::read(line).map(|read| read.to_string()).as_deref(),
                Some(line)
            );
        }
    }

    #[test]
    fn nonsense_is_no_line() {
        for line in ["", "vmx", "cpuid 0x00000001.00 ecx[ 5] vmx", "cpuid"] {
            assert_eq!(Line::read(line), None, "{line}");
        }
    }

    #[test]
    fn a_place_tells_its_parts() {
        let place = |line: &str| Line::read(line).expect("a line").place;
        let (leaf, msr) = (place(LINES[2]), place(LINES[5]));
        assert_eq!(
            leaf.cpuid_key().map(|key| (key.leaf, key.subleaf)),
            Some((0xB, 0))
        );
        assert_eq!(
            (leaf.output_register(), leaf.bit_range()),
            (Some(3), Some((31, 0)))
        );
        assert_eq!((msr.msr(), msr.bit_range()), (Some(0x480), Some((63, 32))));
        assert_eq!((msr.cpuid_key(), leaf.msr()), (None, None));
        assert_eq!(place(LINES[9]).cpuid_key(), None);
    }
}
