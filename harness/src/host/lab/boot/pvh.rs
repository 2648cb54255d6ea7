//! What a kernel reads of its machine at its PVH entry (include/xen/interface/hvm/start_info.h): the kernel proper starts there, so that
//! the machine need not unpack it.

use super::params::{Layout, memory_map};

/// `XEN_HVM_START_MAGIC_VALUE`.
const MAGIC: u32 = 0x336E_C578;
const VERSION: u32 = 1;
/// Bytes of `hvm_start_info`, of a `hvm_modlist_entry` and of both.
const INFO: u32 = 56;
const MODULE: u32 = 32;
/// Bytes in front of the memory map.
const HEAD: u32 = INFO + MODULE;

/// The structure, with its module (the initramfs) and its memory map behind it, for the address `at`. It has no address of ACPI tables: the
/// kernel looks for them where a BIOS has them.
pub fn start_info(at: u32, layout: &Layout) -> Vec<u8> {
    let map = memory_map(layout.ram);
    let mut info = Vec::new();
    let words = [MAGIC, VERSION, 0, 1];
    info.extend(words.into_iter().flat_map(u32::to_le_bytes));
    let addresses = [at + INFO, layout.command_line, 0, at + HEAD].map(u64::from);
    info.extend(addresses.into_iter().flat_map(u64::to_le_bytes));
    info.extend((map.len() as u64).to_le_bytes());
    let module = [layout.initramfs, layout.initramfs_size, 0, 0].map(u64::from);
    info.extend(module.into_iter().flat_map(u64::to_le_bytes));
    for (start, end, kind) in map {
        let entry = [start, end - start, u64::from(kind)];
        info.extend(entry.into_iter().flat_map(u64::to_le_bytes));
    }
    info
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_are_where_the_structure_says() {
        let layout = Layout {
            ram: 512 << 20,
            command_line: 0x1_1000,
            initramfs: 0x1800_0000,
            initramfs_size: 0x1234,
        };
        let info = start_info(0x1_0000, &layout);
        let word = |at: usize| u64::from_le_bytes(info[at..at + 8].try_into().expect("a word"));
        assert_eq!(info[..4], [0x78, 0xC5, 0x6E, 0x33]);
        assert_eq!(
            [word(16), word(24), word(40)],
            [0x1_0038, 0x1_1000, 0x1_0058]
        );
        assert_eq!(info[48], 5);
        assert_eq!([word(56), word(64)], [0x1800_0000, 0x1234]);
        // The fourth range of the map: RAM above 1 MiB.
        let at = 88 + 3 * 24;
        assert_eq!(
            [word(at), word(at + 8), word(at + 16)],
            [0x10_0000, 0x1FE0_0000, 1]
        );
    }
}
