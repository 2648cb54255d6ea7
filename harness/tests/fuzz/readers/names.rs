//! What command lines and names hold: `-cpu`, `-smp`, globs, cases, places, rows; and scripts around a QEMU.

use cpuid_fidelity::bisect::Target;
use cpuid_fidelity::case::flags::flags;
use cpuid_fidelity::case::glob::Glob;
use cpuid_fidelity::case::parts::Prefer;
use cpuid_fidelity::case::{Topology, cpu_argument};
use cpuid_fidelity::check::place::Place;
use cpuid_fidelity::cpuid::Line;
use cpuid_fidelity::host::lab::Wrapper;
use cpuid_fidelity::util::order::{natural, release};
use cpuid_fidelity::vmm::linux::kernel::version;

use super::seeds::{lossy, written};
use crate::execute::Reader;
use crate::mutate::Shape;

pub const READERS: &[Reader] = &[
    Reader {
        name: "cpu-argument",
        shape: Shape::Text,
        seeds: || {
            texts(&[
                "EPYC-v4,-avx2,+svm,vendor=AuthenticAMD,level=13,enforce,x_y=0x10",
                "host",
                "max,phys-bits=40",
            ])
        },
        executions: 3000,
        read: read_cpu,
    },
    Reader {
        name: "smp",
        shape: Shape::Text,
        seeds: || {
            texts(&[
                "4",
                "8,sockets=2,dies=2,cores=2,threads=1",
                "2,maxcpus=8,cores=4",
                "cpus=4,modules=2,clusters=1",
            ])
        },
        executions: 3000,
        read: read_smp,
    },
    Reader {
        name: "glob",
        shape: Shape::Text,
        seeds: || texts(&["pc-q35-*", "EPYC-v[1-3]", "qemu-7.2..qemu-11.?", "**"]),
        executions: 3000,
        read: read_glob,
    },
    Reader {
        name: "name",
        shape: Shape::Text,
        seeds: || {
            texts(&[
                "definition/qemu-11.1/-/EPYC-v4",
                "lab/linux-6.12/qemu-10.0/EPYC-v1",
                "CPUID.07H.00H:EBX[5]",
                "vcpu1 MSR.10AH[7:0]",
                "/proc/cpuinfo flags",
                "vcpu   3: cpuid 0x00000001.00 ebx[31:24]  initial-apic-id = 3",
                "6.12.117+deb13-amd64",
            ])
        },
        executions: 3000,
        read: read_name,
    },
    Reader {
        name: "wrapper-script",
        shape: Shape::Text,
        seeds: || {
            texts(&[
                "#!/bin/sh\nexec '/bin/sh' \"$@\" -global x=off # /c\n",
                "#!/bin/sh\nx=$(dirname \"$0\")/q ${Q:-/opt/${R:+q}} `ls`\n",
            ])
        },
        executions: 100,
        read: |bytes| Wrapper::read(&written("qemu", bytes)).is_ok(),
    },
];

fn texts(all: &[&str]) -> Vec<Vec<u8>> {
    all.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn read_cpu(bytes: &[u8]) -> bool {
    let text = lossy(bytes);
    let _ = flags(&text);
    for (_, value) in cpu_argument::properties_under_kvm(&text) {
        let _ = (cpu_argument::flag(&value), cpu_argument::number(&value));
    }
    true
}

fn read_smp(bytes: &[u8]) -> bool {
    let Ok(smp) = lossy(bytes).parse::<Topology>() else {
        return false;
    };
    let _ = (smp.vcpus(), smp.room());
    for prefer in [Prefer::Cores, Prefer::Sockets] {
        if let Some(parts) = smp.parts_on(prefer) {
            let _ = (parts.widths(), parts.per_package());
        }
    }
    let _ = Prefer::of_machine(smp.as_str(), smp.as_str());
    true
}

fn read_glob(bytes: &[u8]) -> bool {
    let Ok(glob) = lossy(bytes).parse::<Glob>() else {
        return false;
    };
    let _ = (glob.fits("pc-q35-11.1"), glob.fits(glob.as_str()));
    true
}

fn read_name(bytes: &[u8]) -> bool {
    let text = lossy(bytes);
    let _ = (
        text.parse::<Target>().is_ok(),
        natural(&text),
        release(&text),
        version(&text),
    );
    if let Ok(place) = text.parse::<Place>() {
        assert_eq!(place.to_string(), text, "a place is written as read");
    }
    if let Some(line) = Line::read(&text) {
        assert_eq!(line.to_string(), text, "a line is written as read");
        let place = &line.place;
        let _ = (
            place.cpuid_key(),
            place.msr(),
            place.output_register(),
            place.bit_range(),
        );
    }
    true
}
