//! Files of kernels: images, ELF files, modules and their lists.

use std::path::Path;

use cpuid_fidelity::vmm::LINUX_INIT;
use cpuid_fidelity::vmm::linux::elf::{linking, loaded_part, module_information};
use cpuid_fidelity::vmm::linux::packed::{unpacked_module, unpacked_payload};
use cpuid_fidelity::vmm::linux::vmlinux::{unpacked_image, vmlinux};
use cpuid_fidelity::vmm::linux::{Kernel, Modules, Names};

use super::seeds::{path, written};
use crate::execute::Reader;
use crate::mutate::Shape;

pub const READERS: &[Reader] = &[
    Reader {
        name: "kernel-image",
        shape: Shape::Bytes,
        seeds: images,
        executions: 200,
        read: read_image,
    },
    Reader {
        name: "kernel-release",
        shape: Shape::Bytes,
        seeds: images,
        executions: 200,
        read: |bytes| drop(Kernel::find(&written("boot/vmlinuz", bytes), None)),
    },
    Reader {
        name: "kernel-names",
        shape: Shape::Bytes,
        seeds: || vec![elf()],
        executions: 500,
        read: |bytes| drop(Names::read(bytes)),
    },
    Reader {
        name: "elf",
        shape: Shape::Bytes,
        seeds: || vec![elf(), module(), beginning(LINUX_INIT)],
        executions: 300,
        read: read_elf,
    },
    Reader {
        name: "compressed",
        shape: Shape::Bytes,
        seeds: || samples().into_iter().map(|(_, bytes)| bytes).collect(),
        executions: 300,
        read: |bytes| drop(unpacked_payload(bytes)),
    },
    Reader {
        name: "module-file",
        shape: Shape::Bytes,
        seeds: || samples().into_iter().map(|(_, bytes)| bytes).collect(),
        executions: 60,
        read: read_module,
    },
    Reader {
        name: "module-lists",
        shape: Shape::Text,
        seeds: || {
            vec![
                DEPENDENCIES.to_vec(),
                b"kernel/arch/x86/kvm/kvm.ko\n".to_vec(),
            ]
        },
        executions: 200,
        read: read_lists,
    },
];

const DEPENDENCIES: &[u8] = b"kernel/arch/x86/kvm/kvm-amd.ko.xz: kernel/arch/x86/kvm/kvm.ko.xz\nkernel/arch/x86/kvm/kvm.ko.xz:\n";
/// Where the kernel's half of the address space begins to hold the kernel.
const BASE: u64 = 0xFFFF_FFFF_8100_0000;

/// Modules in each compression.
fn samples() -> Vec<(&'static str, Vec<u8>)> {
    let sample = |ending: &'static str| {
        let file = path("harness/src/vmm/linux/samples").join(format!("module.{ending}"));
        (ending, std::fs::read(file).expect("a sample"))
    };
    let block = lz4_flex::block::compress(&elf());
    let size = u32::try_from(block.len()).expect("a size").to_le_bytes();
    let lz4 = [&[2, 0x21, 0x4C, 0x18][..], &size, &block, &[7, 0, 0, 0]].concat();
    vec![sample("gz"), sample("xz"), sample("zst"), ("lz4", lz4)]
}

/// A bzImage around each compressed sample: the real-mode header of boot protocol 2.15.
fn images() -> Vec<Vec<u8>> {
    let all = samples().into_iter().map(|(_, payload)| image(&payload));
    all.chain([image(&elf())]).collect()
}

fn image(payload: &[u8]) -> Vec<u8> {
    let mut image = vec![0; 1024];
    let mut put = |at: usize, bytes: &[u8]| image[at..at + bytes.len()].copy_from_slice(bytes);
    put(0x1F1, &[1]);
    put(0x202, b"HdrS\x0F\x02");
    put(0x20E, &0x180u16.to_le_bytes());
    put(0x236, &[1]);
    put(
        0x24C,
        &u32::try_from(payload.len()).expect("a size").to_le_bytes(),
    );
    put(0x380, b"6.12.1-amd64 (someone)\0");
    [&image[..], payload].concat()
}

/// A kernel's ELF file with a note, and the four tables of names.
fn elf() -> Vec<u8> {
    let tables: [&[&str]; 4] = [
        &[
            "",
            "",
            "",
            "",
            "",
            "vnmi",
            "preemption_timer",
            "posted_intr",
            "ept",
        ],
        &["f00f", "fdiv", "coma", "", "spectre_v1"],
        &["fpu", "vme", "de", "pse", "", "msr"],
        &["ts", "fid", "vid", "ttp"],
    ];
    let mut strings = vec![0u8; 8];
    let mut pointers = Vec::new();
    for name in tables.concat() {
        let pointer = if name.is_empty() {
            0
        } else {
            BASE + strings.len() as u64
        };
        pointers.extend(pointer.to_le_bytes());
        if !name.is_empty() {
            strings.extend(name.bytes().chain([0]));
        }
    }
    strings.resize(strings.len().next_multiple_of(8), 0);
    strings.extend(pointers);
    with_headers(&strings, &[(1, BASE), (4, 0)], &[])
}

/// An ELF file with these bytes as each segment (type and address), and these sections (name, type, bytes) behind them.
fn with_headers(
    data: &[u8],
    segments: &[(u32, u64)],
    sections: &[(u32, u32, std::ops::Range<usize>)],
) -> Vec<u8> {
    let start = 64 + 56 * segments.len();
    let table = if sections.is_empty() {
        0
    } else {
        start + data.len()
    };
    let mut elf = vec![
        0x7F, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 62, 0, 1, 0, 0, 0,
    ];
    elf.extend(
        [0, 64, table as u64]
            .iter()
            .flat_map(|number| number.to_le_bytes()),
    );
    let counts = [
        0,
        0,
        64,
        56,
        segments.len(),
        64,
        sections.len(),
        sections.len().saturating_sub(1),
    ];
    elf.extend(
        counts
            .iter()
            .flat_map(|number| (*number as u16).to_le_bytes()),
    );
    for (kind, address) in segments {
        elf.extend([*kind, 6].iter().flat_map(|number| number.to_le_bytes()));
        let size = data.len() as u64;
        let numbers = [start as u64, *address, 0, size, size, 8];
        elf.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    }
    elf.extend(data);
    for (name, kind, place) in sections {
        elf.extend(
            [*name, *kind]
                .iter()
                .flat_map(|number| number.to_le_bytes()),
        );
        let numbers = [
            0,
            0,
            (start + place.start) as u64,
            place.len() as u64,
            0,
            1,
            0,
        ];
        elf.extend(numbers.iter().flat_map(|number: &u64| number.to_le_bytes()));
    }
    elf
}

/// A module: its information, and the names of its sections.
fn module() -> Vec<u8> {
    let information = b"vermagic=6.12.1-amd64 SMP\0depends=kvm,ccp\0name=kvm_amd\0";
    let names = b"\0.modinfo\0.shstrtab\0";
    let data = [&information[..], names].concat();
    let end = information.len();
    with_headers(
        &data,
        &[],
        &[(0, 0, 0..0), (1, 1, 0..end), (10, 3, end..data.len())],
    )
}

fn beginning(bytes: &[u8]) -> Vec<u8> {
    bytes[..bytes.len().min(64 << 10)].to_vec()
}

fn read_image(bytes: &[u8]) {
    let _ = vmlinux(bytes);
    if let Ok(elf) = unpacked_image(bytes) {
        let _ = Names::read(&elf);
    }
}

fn read_elf(bytes: &[u8]) {
    let _ = module_information(bytes);
    let _ = linking(bytes);
    let _ = loaded_part(bytes);
}

fn read_module(bytes: &[u8]) {
    for ending in ["ko", "ko.gz", "ko.xz", "ko.zst"] {
        let _ = unpacked_module(&written(&format!("kvm.{ending}"), bytes));
    }
}

fn read_lists(bytes: &[u8]) {
    let list = written("modules/modules.dep", bytes);
    written("modules/modules.builtin", bytes);
    let kernel = Kernel {
        release: "6.12.1".to_owned(),
        image: "/nonexistent".into(),
        modules: list.parent().map(Path::to_owned),
        config: Some(list),
    };
    let _ = kernel.options();
    let _ = Modules::read(&kernel).map(|modules| modules.with_dependencies(&["kvm_amd"]).is_ok());
}
