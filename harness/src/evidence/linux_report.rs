//! What the kernel of a Linux guest made of its processors: the files that its /init sent, read.

use std::collections::{BTreeMap, BTreeSet};

use fidelity_protocol::frame::{MODE_LINUX, Phase};
use serde::{Deserialize, Serialize};

use crate::cpuid::dump::{Dump, Vcpu};
use crate::host::cpuinfo::{Cpuinfo, blocks, parse};

/// The report of a guest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinuxReport {
    /// `uname -r`.
    pub release: String,
    /// Parameters of the command line.
    pub command_line: Vec<String>,
    /// /proc/cpuinfo: flags, vmx flags and bugs of the first processor, and where others differ.
    pub cpuinfo: Cpuinfo,
    /// All other fields, by processor, in the order of the file.
    pub fields: Vec<BTreeMap<String, String>>,
    /// /sys/devices/system/cpu/vulnerabilities.
    pub vulnerabilities: BTreeMap<String, String>,
    /// /sys/devices/system/cpu/cpuN, by N and path below it.
    pub sysfs: BTreeMap<u32, BTreeMap<String, String>>,
    /// Lines of the kernel's log that are about processors.
    pub log: Vec<String>,
    /// AT_HWCAP of the auxiliary vector; `None` where /init did not report it, as older ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hwcap: Option<u64>,
    /// AT_HWCAP2, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hwcap2: Option<u64>,
}

/// Types of the auxiliary vector (include/uapi/linux/auxvec.h).
const AT_HWCAP: &str = "16";
const AT_HWCAP2: &str = "26";
/// Fields of /proc/cpuinfo that are lists of names.
const LISTS: [&str; 3] = ["flags", "vmx flags", "bugs"];
/// Texts by which a line of the kernel's log is about processors.
const ABOUT: [&str; 17] = [
    "x86/",
    "CPU",
    "smp",
    "Spectre",
    "Speculative",
    "MDS",
    "TAA",
    "MMIO",
    "RETBleed",
    "Meltdown",
    "tsc",
    "microcode",
    "mce",
    "GDS",
    "SRSO",
    "ITS",
    "vulnerab",
];

impl LinuxReport {
    /// The report in a dump; `None` where it is not a Linux guest's, or has no /proc/cpuinfo.
    pub fn from_dump(dump: &Dump) -> Option<LinuxReport> {
        if dump.mode != MODE_LINUX {
            return None;
        }
        let texts = |vcpu: &Vcpu| Some(vcpu.phase(Phase::Enabled)?.texts.clone());
        let all: BTreeMap<String, String> = dump.vcpus.iter().filter_map(texts).flatten().collect();
        let text = |path: &str| all.get(path).map_or("", String::as_str);
        let info = all.get("/proc/cpuinfo")?;
        Some(LinuxReport {
            release: text("/proc/sys/kernel/osrelease").trim().to_owned(),
            command_line: crate::host::kernel::parameters(text("/proc/cmdline")),
            cpuinfo: parse(info),
            fields: fields(info),
            vulnerabilities: below(&all, "/sys/devices/system/cpu/vulnerabilities/"),
            sysfs: sysfs(&all),
            log: log(text("/dev/kmsg")),
            hwcap: auxiliary(text("auxv"), AT_HWCAP),
            hwcap2: auxiliary(text("auxv"), AT_HWCAP2),
        })
    }

    /// `(6, 12)` of release `6.12.117+deb13-cloud-amd64`.
    pub fn version(&self) -> (u32, u32) {
        let mut parts = self.release.split(|letter: char| !letter.is_ascii_digit());
        let mut next = || parts.next()?.parse().ok();
        (next().unwrap_or(0), next().unwrap_or(0))
    }

    /// `vmx flags`; none where the kernel prints none.
    pub fn vmx_flags(&self) -> BTreeSet<String> {
        self.cpuinfo.vmx_flags.value().cloned().unwrap_or_default()
    }
}

/// A word of the auxiliary vector, in lines as `16 0x178bfbff`.
fn auxiliary(text: &str, kind: &str) -> Option<u64> {
    let mut pairs = text.lines().filter_map(|line| line.split_once(" 0x"));
    let (_, digits) = pairs.find(|(known, _)| *known == kind)?;
    u64::from_str_radix(digits, 16).ok()
}

fn fields(info: &str) -> Vec<BTreeMap<String, String>> {
    let plain = |block: BTreeMap<&str, &str>| {
        let fields = block.into_iter().filter(|(name, _)| !LISTS.contains(name));
        fields
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    };
    blocks(info).map(plain).collect()
}

fn below(all: &BTreeMap<String, String>, folder: &str) -> BTreeMap<String, String> {
    let file = |(path, text): (&String, &String)| {
        let name = path.strip_prefix(folder)?;
        Some((name.to_owned(), text.trim().to_owned()))
    };
    all.iter().filter_map(file).collect()
}

fn sysfs(all: &BTreeMap<String, String>) -> BTreeMap<u32, BTreeMap<String, String>> {
    let mut cpus: BTreeMap<u32, BTreeMap<String, String>> = BTreeMap::new();
    for (path, text) in all {
        let place = path
            .strip_prefix("/sys/devices/system/cpu/cpu")
            .and_then(|rest| rest.split_once('/'));
        if let Some((number, name)) = place
            && let Ok(number) = number.parse()
        {
            let files = cpus.entry(number).or_default();
            files.insert(name.to_owned(), text.trim().to_owned());
        }
    }
    cpus
}

/// Records of /dev/kmsg are `priority,sequence,time,flags;text`, and lines that start with a space belong to the one before
/// (Documentation/ABI/testing/dev-kmsg).
fn log(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.starts_with(' '));
    let texts = lines.filter_map(|line| Some(line.split_once(';')?.1));
    let about = |text: &&str| ABOUT.iter().any(|word| text.contains(word));
    texts.filter(about).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpuid::dump::PhaseDump;

    fn dump(texts: &[(&str, &str)]) -> Dump {
        let texts = texts
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        let phase = PhaseDump {
            texts: texts.collect(),
            ..PhaseDump::default()
        };
        Dump {
            mode: MODE_LINUX,
            has_cpuid: true,
            vcpus: vec![Vcpu {
                apic_id: 0,
                phases: [(Phase::Enabled, phase)].into(),
            }],
        }
    }

    #[test]
    fn the_files_are_put_in_their_places() {
        let report = LinuxReport::from_dump(&dump(&[
            (
                "/proc/cpuinfo",
                "processor\t: 0\ncpu cores\t: 1\nflags\t\t: fpu avx2\nbugs\t\t: l1tf\n\n",
            ),
            ("/proc/sys/kernel/osrelease", "6.12.117+deb13-cloud-amd64\n"),
            ("/proc/cmdline", "quiet nosmap\n"),
            (
                "/sys/devices/system/cpu/vulnerabilities/l1tf",
                "Not affected\n",
            ),
            ("/sys/devices/system/cpu/cpu1/topology/core_id", "1\n"),
            ("auxv", "16 0x178bfbff\n26 0x2\n"),
            (
                "/dev/kmsg",
                "6,1,0,-;x86/fpu: x\n SUBSYSTEM=cpu\n6,2,0,-;NET: y\n",
            ),
        ]))
        .expect("a report");
        assert_eq!(report.version(), (6, 12));
        assert_eq!(report.command_line, ["quiet", "nosmap"]);
        assert_eq!(report.fields[0]["cpu cores"], "1");
        assert!(report.cpuinfo.flags.contains("avx2") && report.cpuinfo.bugs.contains("l1tf"));
        assert_eq!(report.vulnerabilities["l1tf"], "Not affected");
        assert_eq!(report.sysfs[&1]["topology/core_id"], "1");
        assert_eq!(report.log, ["x86/fpu: x"]);
        assert_eq!(report.hwcap, Some(0x178b_fbff));
        assert_eq!(report.hwcap2, Some(2));
    }

    #[test]
    fn a_cpuinfo_of_odd_shape_keeps_the_rest() {
        let many: String = (0..300)
            .map(|number| format!("processor : {number}\nflags : fpu\n\n"))
            .collect();
        let report = LinuxReport::from_dump(&dump(&[("/proc/cpuinfo", &many)])).expect("a report");
        assert_eq!(
            (report.fields.len(), report.cpuinfo.differences.len()),
            (300, 0)
        );
        let report = LinuxReport::from_dump(&dump(&[(
            "/proc/cpuinfo",
            "no field here\n\nbugs\t:\nflags : fpu",
        )]));
        let report = report.expect("a report");
        assert_eq!(report.cpuinfo.flags, ["fpu".to_owned()].into());
        assert_eq!(report.version(), (0, 0));
        assert_eq!(LinuxReport::from_dump(&dump(&[])), None);
    }
}
