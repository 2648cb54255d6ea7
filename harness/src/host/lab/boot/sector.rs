//! The boot sector: reads what a table in it names from the disk into memory, and enters the kernel at its 32-bit entry
//! (Documentation/arch/x86/boot.rst, "32-bit boot protocol") or its PVH entry (arch/x86/platform/pvh/head.S): the registers that the
//! two want do not differ, but for the one that has the address of what the kernel reads, so both have it.
//!
//! It asks the controller itself (ATA, READ SECTORS without interrupts), for the BIOS's INT 13H reads nothing above the first MiB.

use std::arch::global_asm;

/// Bytes of a sector.
pub const SECTOR: usize = 512;
/// Sectors that one command reads, the most that it can: what is loaded is a multiple of this.
pub const CHUNK_SECTORS: u32 = 256;
/// Bytes of that.
pub const CHUNK: u64 = CHUNK_SECTORS as u64 * SECTOR as u64;

/// A part that is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Its first sector.
    pub sector: u32,
    /// Chunks.
    pub chunks: u32,
    /// Where it goes.
    pub address: u32,
}

/// Most parts that the table has room for.
const LOADS: usize = 4;
/// Where the table is: an entry is three little-endian words, as [`Load`] has them; after the last one a word of chunks that is 0.
const TABLE: usize = 0x1B0;
/// Where the addresses of the boot parameters and of the kernel's entry are.
const ENTRY: usize = 0x1A8;

global_asm!(
    ".pushsection .rodata.lab_boot_sector, \"a\"",
    ".balign 16",
    ".globl cpuid_fidelity_lab_boot_sector",
    "cpuid_fidelity_lab_boot_sector:",
    ".code16",
    "cli",
    "xor ax, ax",
    "mov ds, ax",
    // A20, by the chipset's fast gate.
    "in al, 0x92",
    "or al, 2",
    "out 0x92, al",
    // lgdt [gdt pointer]; an absolute address of 16 bits.
    ".byte 0x0F, 0x01, 0x16",
    ".word 0x7C00 + (20f - cpuid_fidelity_lab_boot_sector)",
    "mov eax, cr0",
    "or al, 1",
    "mov cr0, eax",
    // jmp 10H:protected
    ".byte 0xEA",
    ".word 0x7C00 + (10f - cpuid_fidelity_lab_boot_sector)",
    ".word 0x10",
    ".code32",
    "10:",
    "mov eax, 0x18",
    "mov ds, eax",
    "mov es, eax",
    "mov ss, eax",
    "mov esp, 0x7C00",
    "cld",
    // No interrupts of the controller.
    "mov edx, 0x3F6",
    "mov al, 2",
    "out dx, al",
    "mov ebp, 0x7DB0",
    "11:",
    // esi: sector, ebx: chunks left, edi: address
    "mov esi, [ebp]",
    "mov ebx, [ebp + 4]",
    "mov edi, [ebp + 8]",
    "add ebp, 12",
    "test ebx, ebx",
    "jz 15f",
    "12:",
    "mov edx, 0x1F2",
    "xor eax, eax",
    "out dx, al",
    "mov eax, esi",
    "inc edx",
    "out dx, al",
    "inc edx",
    "shr eax, 8",
    "out dx, al",
    "inc edx",
    "shr eax, 8",
    "out dx, al",
    "inc edx",
    "shr eax, 8",
    "or al, 0xE0",
    "out dx, al",
    "inc edx",
    "mov al, 0x20",
    "out dx, al",
    "push esi",
    "mov esi, 256",
    "13:",
    "mov edx, 0x1F7",
    "14:",
    "in al, dx",
    "and al, 0x88",
    "cmp al, 8",
    "jne 14b",
    "mov edx, 0x1F0",
    "mov ecx, 256",
    "rep insw",
    "dec esi",
    "jnz 13b",
    "pop esi",
    "add esi, 256",
    "dec ebx",
    "jnz 12b",
    "jmp 11b",
    "15:",
    "mov esi, ds:[0x7DA8]",
    "mov ebx, esi",
    "mov eax, ds:[0x7DAC]",
    "xor ebp, ebp",
    "xor edi, edi",
    "jmp eax",
    ".balign 8",
    // Null, unused, code 10H, data 18H: the selectors that the boot protocol wants, flat.
    "16:",
    ".quad 0, 0, 0x00CF9A000000FFFF, 0x00CF92000000FFFF",
    "20:",
    ".word 31",
    ".long 0x7C00 + (16b - cpuid_fidelity_lab_boot_sector)",
    ".org cpuid_fidelity_lab_boot_sector + 510",
    ".byte 0x55, 0xAA",
    ".code64",
    ".popsection",
);

unsafe extern "C" {
    #[link_name = "cpuid_fidelity_lab_boot_sector"]
    static CODE: [u8; SECTOR];
}

/// The sector that loads these parts, at most four, and enters the kernel at `entry` with its boot parameters at `params`.
pub fn sector(loads: &[Load], params: u32, entry: u32) -> [u8; SECTOR] {
    // SAFETY: the assembly above defines the symbol, with this many bytes that nothing writes to.
    let mut sector = unsafe { CODE };
    let words = loads.iter().take(LOADS);
    let words = words.flat_map(|load| [load.sector, load.chunks, load.address]);
    let table: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
    sector[TABLE..TABLE + table.len()].copy_from_slice(&table);
    sector[ENTRY..ENTRY + 4].copy_from_slice(&params.to_le_bytes());
    sector[ENTRY + 4..ENTRY + 8].copy_from_slice(&entry.to_le_bytes());
    sector
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sector_is_bootable_and_its_code_ends_before_the_table() {
        let plain = sector(&[], 0, 0);
        assert_eq!(plain[510..], [0x55, 0xAA]);
        assert!(plain[ENTRY..510].iter().all(|byte| *byte == 0));
        // cli; the last byte of code is part of the descriptor table's address.
        assert_eq!(plain[0], 0xFA);
    }

    #[test]
    fn the_table_has_each_part_and_an_end() {
        let load = Load {
            sector: 0x8001,
            chunks: 2,
            address: 0x10_0000,
        };
        let sector = sector(&[load; LOADS], 0x1_0000, 0x10_0200);
        assert_eq!(
            sector[TABLE..TABLE + 12],
            [1, 0x80, 0, 0, 2, 0, 0, 0, 0, 0, 0x10, 0]
        );
        let end = TABLE + LOADS * 12;
        assert_eq!(sector[end + 4..end + 8], [0; 4]);
        assert_eq!(sector[ENTRY..TABLE], [0, 0, 1, 0, 0, 2, 0x10, 0]);
    }
}
