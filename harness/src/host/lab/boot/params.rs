//! The boot parameters ("zero page") of a kernel: Documentation/arch/x86/boot.rst and zero-page.rst.

/// Bytes of the page.
pub const PAGE: usize = 4096;

const SETUP_SECTORS: usize = 0x1F1;
const HEADER_END: usize = 0x201;
const E820_ENTRIES: usize = 0x1E8;
const E820_TABLE: usize = 0x2D0;
const LOADER: usize = 0x210;
const CODE32_START: usize = 0x214;
const INITRAMFS: usize = 0x218;
const COMMAND_LINE: usize = 0x228;

/// A loader that has no number.
const UNKNOWN_LOADER: u8 = 0xFF;
/// Where the protected-mode part of a kernel is loaded.
pub const KERNEL: u32 = 0x10_0000;

const RAM: u32 = 1;
const RESERVED: u32 = 2;
const ACPI: u32 = 3;
/// Bytes at the end of the RAM in which the BIOS has its ACPI tables (`ACPI_DATA_SIZE` of Bochs' bios/rombios32.c is 64 KiB).
pub const TABLES: u64 = 1 << 20;

/// Where things are in the RAM of the machine.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Bytes of RAM.
    pub ram: u64,
    /// Address of the command line, a text that ends with a zero byte.
    pub command_line: u32,
    /// Address of the initramfs.
    pub initramfs: u32,
    /// Its bytes.
    pub initramfs_size: u32,
}

/// Where the protected-mode part of a bzImage begins; `None` where it is none.
pub fn protected_part(image: &[u8]) -> Option<usize> {
    (image.get(0x202..0x206)? == b"HdrS").then_some(())?;
    let sectors = match image.get(SETUP_SECTORS)? {
        0 => 4,
        sectors => usize::from(*sectors),
    };
    Some((sectors + 1) * super::sector::SECTOR)
}

/// The page for a bzImage; `None` where it is none.
pub fn page(image: &[u8], layout: &Layout) -> Option<[u8; PAGE]> {
    let mut page = [0; PAGE];
    let end = 0x202 + usize::from(*image.get(HEADER_END)?);
    page[SETUP_SECTORS..end].copy_from_slice(image.get(SETUP_SECTORS..end)?);
    page[LOADER] = UNKNOWN_LOADER;
    let mut word = |at: usize, value: u32| page[at..at + 4].copy_from_slice(&value.to_le_bytes());
    word(CODE32_START, KERNEL);
    word(INITRAMFS, layout.initramfs);
    word(INITRAMFS + 4, layout.initramfs_size);
    word(COMMAND_LINE, layout.command_line);
    let map = memory_map(layout.ram);
    page[E820_ENTRIES] = u8::try_from(map.len()).ok()?;
    for (entry, (start, end, kind)) in page[E820_TABLE..].chunks_exact_mut(20).zip(map) {
        entry[..8].copy_from_slice(&start.to_le_bytes());
        entry[8..16].copy_from_slice(&(end - start).to_le_bytes());
        entry[16..].copy_from_slice(&kind.to_le_bytes());
    }
    Some(page)
}

/// Start, end and kind of each range of a machine with this much RAM, as the BIOS's INT 15H E820H reports them.
pub fn memory_map(ram: u64) -> [(u64, u64, u32); 5] {
    [
        (0, 0x9_FC00, RAM),
        (0x9_FC00, 0xA_0000, RESERVED),
        (0xE_0000, 0x10_0000, RESERVED),
        (0x10_0000, ram - TABLES, RAM),
        (ram - TABLES, ram, ACPI),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> Vec<u8> {
        let mut image = vec![0; 4096];
        image[SETUP_SECTORS] = 3;
        image[0x201] = 0x66;
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image
    }

    #[test]
    fn the_page_keeps_the_header_and_says_where_everything_is() {
        let layout = Layout {
            ram: 512 << 20,
            command_line: 0x1_1000,
            initramfs: 0x1800_0000,
            initramfs_size: 0x1234,
        };
        let page = page(&image(), &layout).expect("a page");
        assert_eq!(page[0x202..0x206], *b"HdrS");
        assert_eq!(page[LOADER], 0xFF);
        assert_eq!(
            page[CODE32_START..CODE32_START + 12],
            [0, 0, 0x10, 0, 0, 0, 0, 0x18, 0x34, 0x12, 0, 0]
        );
        assert_eq!(page[COMMAND_LINE..COMMAND_LINE + 4], [0, 0x10, 1, 0]);
        assert_eq!(page[E820_ENTRIES], 5);
        // The third range of RAM ends where the ACPI tables begin.
        let ram = &page[E820_TABLE + 60..E820_TABLE + 80];
        assert_eq!(
            ram,
            [
                0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0xE0, 0x1F, 0, 0, 0, 0, 1, 0, 0, 0
            ]
        );
    }

    #[test]
    fn a_kernel_begins_behind_its_setup_sectors() {
        assert_eq!(protected_part(&image()), Some(4 * 512));
        assert_eq!(protected_part(b"no kernel"), None);
        assert_eq!(protected_part(&[0; 4096]), None);
    }
}
