//! The kernel proper, out of a bzImage: an ELF file that QEMU starts at its PVH entry, so that the guest neither unpacks it nor
//! moves it. Under TCG that halves the time of a boot (CONTRIBUTING.md has the figures).

use object::elf::{FileHeader64, NoteType, PT_LOAD, PT_NOTE};
use object::endian::LittleEndian;
use object::read::elf::{FileHeader as _, ProgramHeader as _};

use super::packed::{UnpackError, unpacked_payload};

/// Why there is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VmlinuxError {
    /// `XLF_KERNEL_64` is clear (Documentation/arch/x86/boot.rst): there is no 64-bit entry.
    #[error(
        "a 32-bit kernel: its image has no 64-bit entry, and the guest's /init is a 64-bit program"
    )]
    Bits32,
    /// Too short, or without a payload.
    #[error("no bzImage of boot protocol 2.12 or newer")]
    NoPayload,
    /// The payload's compression is not known, or it is broken.
    #[error("its payload cannot be unpacked: {0}")]
    Packed(#[from] UnpackError),
    /// It was built without CONFIG_PVH.
    #[error("the kernel has no PVH entry")]
    NoPvh,
}

/// `XEN_ELFNOTE_PHYS32_ENTRY`, the PVH entry (include/xen/interface/elfnote.h).
const PVH_ENTRY: NoteType = NoteType(18);

/// Offsets in the real-mode header (Documentation/arch/x86/boot.rst).
const SETUP_SECTORS: usize = 0x1F1;
const VERSION: usize = 0x206;
const XLOADFLAGS: usize = 0x236;
const PAYLOAD_OFFSET: usize = 0x248;
const PAYLOAD_LENGTH: usize = 0x24C;

/// Refuses an image that no 64-bit /init can run on.
///
/// # Errors
/// A 32-bit kernel.
pub fn is_64_bit(image: &[u8]) -> Result<(), VmlinuxError> {
    let version = half(image, VERSION).unwrap_or(0);
    match half(image, XLOADFLAGS) {
        // Older images do not tell.
        Some(flags) if version >= 0x20C && flags & 1 == 0 => Err(VmlinuxError::Bits32),
        _ => Ok(()),
    }
}

/// What a bzImage unpacks to: an ELF file.
///
/// # Errors
/// A 32-bit kernel, or a payload that cannot be unpacked.
pub fn unpacked_image(image: &[u8]) -> Result<Vec<u8>, VmlinuxError> {
    is_64_bit(image)?;
    let payload = payload(image).ok_or(VmlinuxError::NoPayload)?;
    Ok(unpacked_payload(payload)?)
}

/// The ELF file in a bzImage, if it can be started at its PVH entry.
///
/// # Errors
/// A 32-bit kernel, a payload that cannot be unpacked, or a kernel without a PVH entry.
pub fn vmlinux(image: &[u8]) -> Result<Vec<u8>, VmlinuxError> {
    let elf = unpacked_image(image)?;
    if pvh_entry(&elf).is_none() {
        return Err(VmlinuxError::NoPvh);
    }
    Ok(elf)
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at + 2)?;
    Some(u16::from_le_bytes(bytes.try_into().ok()?))
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..at + 4)?;
    usize::try_from(u32::from_le_bytes(bytes.try_into().ok()?)).ok()
}

fn payload(image: &[u8]) -> Option<&[u8]> {
    if half(image, VERSION)? < 0x208 {
        return None;
    }
    let sectors = match *image.get(SETUP_SECTORS)? {
        0 => 4,
        sectors => usize::from(sectors),
    };
    let at = ((sectors + 1) * 512).checked_add(number(image, PAYLOAD_OFFSET)?)?;
    image.get(at..at.checked_add(number(image, PAYLOAD_LENGTH)?)?)
}

/// The address of the PVH entry of an ELF file, where it has one.
pub fn pvh_entry(elf: &[u8]) -> Option<u32> {
    let header = FileHeader64::<LittleEndian>::parse(elf).ok()?;
    let endian = header.endian().ok()?;
    let segments = header.program_headers(endian, elf).ok()?;
    let segment = segments
        .iter()
        .find(|segment| segment.p_type(endian) == PT_NOTE)?;
    let mut notes = segment.notes(endian, elf).ok()??;
    while let Ok(Some(note)) = notes.next() {
        if note.name() == b"Xen" && note.n_type(endian) == PVH_ENTRY {
            let address = note.desc().first_chunk::<4>()?;
            return Some(u32::from_le_bytes(*address));
        }
    }
    None
}

/// What of an ELF file is loaded, as one piece of memory with zeros between the segments, and the physical address at which it begins.
pub fn loaded(elf: &[u8]) -> Option<(u32, Vec<u8>)> {
    let header = FileHeader64::<LittleEndian>::parse(elf).ok()?;
    let endian = header.endian().ok()?;
    let segments = header.program_headers(endian, elf).ok()?;
    let loads = || segments.iter().filter(|one| one.p_type(endian) == PT_LOAD);
    let start = loads().map(|one| one.p_paddr(endian)).min()?;
    let end = loads()
        .map(|one| one.p_paddr(endian).saturating_add(one.p_filesz(endian)))
        .max()?;
    let size = usize::try_from(end.checked_sub(start)?).ok()?;
    let mut memory = vec![0; size.min(MOST_LOADED)];
    for segment in loads() {
        let at = usize::try_from(segment.p_paddr(endian) - start).ok()?;
        let bytes = segment.data(endian, elf).ok()?;
        memory.get_mut(at..at + bytes.len())?.copy_from_slice(bytes);
    }
    Some((u32::try_from(start).ok()?, memory))
}

/// Most bytes that a kernel's segments may span; a kernel of a distribution has some 60 MiB.
const MOST_LOADED: usize = 512 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    /// A header of this protocol version, these flags and this payload.
    fn image(version: u16, flags: u16, payload: &[u8]) -> Vec<u8> {
        let mut image = vec![0; 1024];
        image[SETUP_SECTORS] = 1;
        image[VERSION..VERSION + 2].copy_from_slice(&version.to_le_bytes());
        image[XLOADFLAGS..XLOADFLAGS + 2].copy_from_slice(&flags.to_le_bytes());
        let length = u32::try_from(payload.len()).expect("a length");
        image[PAYLOAD_LENGTH..PAYLOAD_LENGTH + 4].copy_from_slice(&length.to_le_bytes());
        image.extend(payload);
        image
    }

    #[test]
    fn a_32_bit_kernel_is_refused() {
        assert_eq!(vmlinux(&image(0x20F, 0, b"")), Err(VmlinuxError::Bits32));
        assert_eq!(is_64_bit(&image(0x20A, 0, b"")), Ok(()));
    }

    #[test]
    fn what_is_no_kernel_is_an_error() {
        let error_of = |payload: &[u8]| {
            vmlinux(&image(0x20F, 1, payload))
                .expect_err("an error")
                .to_string()
        };
        assert_eq!(
            error_of(b"BZh9"),
            "its payload cannot be unpacked: unknown compression, it starts with 42 5a 68 39; gzip, xz, zstd and lz4 are known"
        );
        assert_eq!(error_of(b""), "its payload cannot be unpacked: it is empty");
        assert_eq!(
            error_of(b"\x7fELF\x02\x01\x01"),
            "the kernel has no PVH entry"
        );
        let mut cut = image(0x20F, 1, b"");
        cut[PAYLOAD_LENGTH] = 9;
        assert_eq!(vmlinux(&cut), Err(VmlinuxError::NoPayload));
    }
}
