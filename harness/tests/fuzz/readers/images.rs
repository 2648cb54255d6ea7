//! Files of kernels and programs, made here: real ones are too large to be seeds.

use super::seeds::path;

/// Where the kernel's half of the address space begins to hold the kernel.
const BASE: u64 = 0xFFFF_FFFF_8100_0000;

/// Modules in each compression.
pub fn samples() -> Vec<(&'static str, Vec<u8>)> {
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
pub fn images() -> Vec<Vec<u8>> {
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
pub fn elf() -> Vec<u8> {
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

/// A section: name, type, the section that it refers to, bytes.
type Section = (u32, u32, u32, std::ops::Range<usize>);

/// An ELF file with these bytes as each segment (type and address), and these sections behind them.
fn with_headers(data: &[u8], segments: &[(u32, u64)], sections: &[Section]) -> Vec<u8> {
    let start = 64 + 56 * segments.len();
    let table = (start + data.len()) * usize::from(!sections.is_empty());
    let last = sections.len().saturating_sub(1);
    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.resize(16, 0);
    elf.extend([2, 0, 62, 0, 1, 0, 0, 0]);
    put(&mut elf, &[0, 64, table as u64]);
    let counts = [0, 0, 64, 56, segments.len(), 64, sections.len(), last];
    elf.extend(
        counts
            .iter()
            .flat_map(|count| (*count as u16).to_le_bytes()),
    );
    let size = data.len() as u64;
    for (kind, address) in segments {
        put(
            &mut elf,
            &[
                u64::from(*kind) | 6 << 32,
                start as u64,
                *address,
                0,
                size,
                size,
                8,
            ],
        );
    }
    elf.extend(data);
    for (name, kind, other, place) in sections {
        let at = (start + place.start) as u64;
        let first = u64::from(*name) | u64::from(*kind) << 32;
        put(
            &mut elf,
            &[
                first,
                0,
                0,
                at,
                place.len() as u64,
                u64::from(*other),
                1,
                16,
            ],
        );
    }
    elf
}

fn put(bytes: &mut Vec<u8>, numbers: &[u64]) {
    bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
}

/// A module: its information, and the names of its sections.
pub fn module() -> Vec<u8> {
    let information = b"vermagic=6.12.1-amd64 SMP\0depends=kvm,ccp\0name=kvm_amd\0";
    let names = b"\0.modinfo\0.shstrtab\0";
    let data = [&information[..], names].concat();
    let end = information.len();
    let sections = [
        (0, 0, 0, 0..0),
        (1, 1, 0, 0..end),
        (10, 3, 0, end..data.len()),
    ];
    with_headers(&data, &[], &sections)
}

/// A program with a loader and two libraries.
pub fn program() -> Vec<u8> {
    let loader = b"/lib64/ld-linux-x86-64.so.2\0";
    let strings = b"\0libc.so.6\0libm.so.6\0qemu\0\0\0";
    let mut data = [&loader[..], strings].concat();
    let dynamic = data.len();
    // DT_NEEDED twice, DT_SONAME, DT_NULL.
    put(&mut data, &[1, 1, 1, 11, 14, 21, 0, 0]);
    let sections = [
        (0, 0, 0, 0..0),
        (0, 6, 2, dynamic..data.len()),
        (0, 3, 0, loader.len()..dynamic),
    ];
    with_headers(&data, &[(1, 0), (3, 0)], &sections)
}
