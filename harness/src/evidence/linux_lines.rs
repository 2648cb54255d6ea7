//! What the kernel of a Linux guest made of its processors → expectation lines.
//!
//! ```text
//! bugs                            spectre_v1
//! cache cpu0/index0               L1 Data = 32K, 8 ways, 64 sets, 64 bytes a line, CPUs 0
//! flags                           avx2
//! info  cpu-cores                 cpu-cores = 1
//! linux version                   version = 6.12
//! topo  cpu0/core_id              core_id = 0
//! vmx                             ept
//! vuln  meltdown                  Not affected
//! ```
//! A name in a list is a line of its own, and has no place but itself. Of the fields of further processors, those that differ are printed.

use std::collections::BTreeMap;

use crate::cpuid::line::{Line, Place, Register};
use crate::cpuid::volatile::Volatile;
use crate::evidence::linux_report::LinuxReport;

/// Files of `topology/` that say the same in another way, or number what is numbered by the kernel alone.
const REPEATED: [&str; 1] = ["_cpus"];

/// All lines of a report but the kernel's log, sorted as `LC_ALL=C sort` does; values of volatile fields become placeholders.
pub fn linux(report: &LinuxReport, volatile: &Volatile) -> Vec<Line> {
    let info = &report.cpuinfo;
    let mut lines = name_lines(Register::Flags, &info.flags);
    lines.extend(name_lines(Register::Bugs, &info.bugs));
    lines.extend(name_lines(Register::VmxFlags, &report.vmx_flags()));
    let (major, minor) = report.version();
    lines.push(value(
        Register::Linux,
        "version",
        &format!("{major}.{minor}"),
    ));
    for (name, text) in &report.vulnerabilities {
        lines.push(Line::new(
            Register::Vulnerability,
            name.clone(),
            String::new(),
            text,
        ));
    }
    let first = report.fields.first();
    for (index, fields) in report.fields.iter().enumerate() {
        let differing = fields.iter().filter(|(name, value)| {
            index == 0 || first.and_then(|first| first.get(*name)) != Some(value)
        });
        lines.extend(differing.map(|(name, text)| field(index, name, text, volatile)));
    }
    for (number, files) in &report.sysfs {
        lines.extend(topology(*number, files));
        lines.extend(caches(*number, files));
    }
    for difference in &info.differences {
        let cpu = difference.cpu.parse().unwrap_or(0);
        let list = format!("{}-differ", difference.field.replace(' ', "-"));
        let signed = |sign, names: &std::collections::BTreeSet<String>| {
            names
                .iter()
                .map(|name| format!("{sign}{name}"))
                .collect::<Vec<_>>()
        };
        let text = [
            signed('-', &difference.lost),
            signed('+', &difference.gained),
        ]
        .concat();
        let mut line = value(Register::Info, &list, &text.join(" "));
        line.place.vcpu = cpu;
        lines.push(line);
    }
    lines.sort_by_cached_key(ToString::to_string);
    lines.dedup();
    lines
}

/// A name of a list: the line's place is the name.
fn name_line(register: Register, name: &str) -> Line {
    Line {
        place: Place {
            vcpu: 0,
            register,
            address: name.to_owned(),
            bits: String::new(),
        },
        text: name.to_owned(),
    }
}

fn name_lines(register: Register, names: &std::collections::BTreeSet<String>) -> Vec<Line> {
    names.iter().map(|name| name_line(register, name)).collect()
}

/// `name = value` of a list about the guest's kernel.
pub fn value(register: Register, name: &str, value: &str) -> Line {
    let text = format!("{name} = {value}");
    Line::new(register, name.to_owned(), String::new(), text.trim_end())
}

/// `cpu cores: 1` → `cpu-cores = 1`.
fn field(index: usize, name: &str, text: &str, volatile: &Volatile) -> Line {
    let name = name.replace(' ', "-");
    let masked = volatile.placeholder(&format!("cpuinfo.{name}"));
    let mut line = value(Register::Info, &name, masked.unwrap_or(text));
    line.place.vcpu = index;
    line
}

fn topology(number: u32, files: &BTreeMap<String, String>) -> Vec<Line> {
    let own = files.iter().filter_map(|(path, text)| {
        let name = path.strip_prefix("topology/")?;
        let repeated = REPEATED.iter().any(|end| name.ends_with(end)) || name.ends_with("siblings");
        (!repeated).then(|| {
            let mut line = value(Register::Topology, name, text);
            line.place.address = format!("cpu{number}/{name}");
            line
        })
    });
    own.collect()
}

fn caches(number: u32, files: &BTreeMap<String, String>) -> Vec<Line> {
    let one = |index: u32| {
        let file = |name: &str| {
            files
                .get(&format!("cache/index{index}/{name}"))
                .map(String::as_str)
        };
        let level = file("level")?;
        let get = |name| file(name).unwrap_or("?");
        let text = format!(
            "L{level} {} = {}, {} ways, {} sets, {} bytes a line, CPUs {}",
            get("type"),
            get("size"),
            get("ways_of_associativity"),
            get("number_of_sets"),
            get("coherency_line_size"),
            get("shared_cpu_list")
        );
        let place = format!("cpu{number}/index{index}");
        Some(Line::new(Register::Cache, place, String::new(), text))
    };
    (0..16).map_while(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::cpuinfo::parse;

    fn report() -> LinuxReport {
        let text = "processor : 0\nflags : fpu avx2\nbugs : l1tf\nvmx flags : ept\n\nprocessor : 1\nflags : fpu\nbugs : l1tf\nvmx flags : ept\n";
        let map = |pairs: &[(&str, &str)]| {
            let pairs = pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            pairs.collect::<BTreeMap<_, _>>()
        };
        LinuxReport {
            release: "6.1.0-50-cloud-amd64".to_owned(),
            cpuinfo: parse(text),
            fields: vec![
                map(&[
                    ("processor", "0"),
                    ("cpu MHz", "2596.1"),
                    ("power management", ""),
                ]),
                map(&[("processor", "1"), ("cpu MHz", "2596.1")]),
            ],
            vulnerabilities: map(&[("l1tf", "Mitigation: PTE Inversion")]),
            sysfs: [(
                0,
                map(&[
                    ("topology/core_id", "0"),
                    ("topology/core_cpus", "1"),
                    ("cache/index0/level", "1"),
                    ("cache/index0/type", "Data"),
                    ("cache/index0/size", "32K"),
                ]),
            )]
            .into(),
            ..LinuxReport::default()
        }
    }

    #[test]
    fn a_report_is_lines_that_read_back() {
        let table = crate::cpuid::table::Table::parse("features.tsv", "").expect("a table");
        let masks = "[[volatile]]\nname = \"cpuinfo.cpu-MHz\"\nplaceholder = \"host\"\nreason = \"of the host\"\n";
        let volatile = Volatile::parse(masks, &table).expect("masks");
        let lines: Vec<String> = linux(&report(), &volatile)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            lines,
            [
                "bugs                            l1tf",
                "cache cpu0/index0               L1 Data = 32K, ? ways, ? sets, ? bytes a line, CPUs ?",
                "flags                           avx2",
                "flags                           fpu",
                "info  cpu-MHz                   cpu-MHz = <host>",
                "info  power-management          power-management =",
                "info  processor                 processor = 0",
                "linux version                   version = 6.1",
                "topo  cpu0/core_id              core_id = 0",
                "vcpu   1: info  flags-differ              flags-differ = -avx2",
                "vcpu   1: info  processor                 processor = 1",
                "vmx                             ept",
                "vuln  l1tf                      Mitigation: PTE Inversion",
            ]
        );
        for line in &lines {
            let read = Line::read(line).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(read.to_string(), *line);
        }
        let avx2 = Line::read(&lines[2]).expect("a line");
        assert_eq!(avx2.place.address, "avx2");
    }
}
