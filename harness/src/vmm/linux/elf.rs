//! What is asked of ELF files: a module's information, a program's loader, a library's name, and what of a file is loaded.

use object::Endianness;
use object::elf::{DT_NEEDED, DT_SONAME, FileHeader64, PT_INTERP, SHT_DYNAMIC, SectionHeader64};
use object::read::elf::{Dyn as _, FileHeader as _, ProgramHeader as _, SectionHeader as _};

type Header = FileHeader64<Endianness>;

/// Most entries of a dynamic section that are looked at. A QEMU has some 80.
const ENTRIES: usize = 4096;
/// Longest name of a library or loader, in bytes (PATH_MAX).
const NAME: usize = 4096;

/// Why an ELF file cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ElfError {
    /// It is no 64-bit ELF file, or a broken one.
    #[error(transparent)]
    Format(#[from] object::Error),
    /// It has no module information.
    #[error("no section .modinfo, so no kernel module")]
    NoModule,
    /// A part that is loaded is not in the file.
    #[error("a segment reaches beyond the end of the file")]
    Cut,
}

/// What a program or library says that it needs to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Linking {
    /// The loader, as `/lib64/ld-linux-x86-64.so.2`; none for a static program or a library.
    pub interpreter: Option<String>,
    /// The name under which others look for it.
    pub soname: Option<String>,
    /// Names of the libraries that it needs, as `libc.so.6`.
    pub needed: Vec<String>,
}

/// The `name=value` pairs of a kernel module's section .modinfo, in order.
///
/// # Errors
/// No 64-bit ELF file, or one without that section.
pub fn module_information(bytes: &[u8]) -> Result<Vec<(String, String)>, ElfError> {
    let header = Header::parse(bytes)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, bytes)?;
    let (_, section) = sections
        .section_by_name(endian, b".modinfo")
        .ok_or(ElfError::NoModule)?;
    let text = section.data(endian, bytes)?;
    let pairs = text.split(|byte| *byte == 0).filter_map(|pair| {
        let pair = String::from_utf8_lossy(pair);
        let (name, value) = pair.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    });
    Ok(pairs.collect())
}

/// How a program or library is linked.
///
/// # Errors
/// No 64-bit ELF file.
pub fn linking(bytes: &[u8]) -> Result<Linking, ElfError> {
    let header = Header::parse(bytes)?;
    let endian = header.endian()?;
    // A file can state one long name many times.
    let text = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(NAME)]).into_owned();
    let mut linking = Linking::default();
    for segment in header.program_headers(endian, bytes)? {
        if segment.p_type(endian) == PT_INTERP
            && let Ok(Some(path)) = segment.interpreter(endian, bytes)
        {
            linking.interpreter = Some(text(path));
        }
    }
    let sections = header.sections(endian, bytes)?;
    let is_dynamic =
        |section: &&SectionHeader64<Endianness>| section.sh_type(endian) == SHT_DYNAMIC;
    if let Some(section) = sections.iter().find(is_dynamic)
        && let Some((entries, strings)) = section.dynamic(endian, bytes)?
    {
        let strings = sections.strings(endian, bytes, strings)?;
        for entry in entries.iter().take(ENTRIES) {
            let name = || entry.string(endian, strings).ok().map(text);
            match entry.d_tag(endian) {
                DT_SONAME => linking.soname = name(),
                DT_NEEDED => linking.needed.extend(name()),
                _ => {}
            }
        }
    }
    Ok(linking)
}

/// The part of a program or library that is loaded: debug information and section headers stand behind it, and only a
/// debugger reads them.
///
/// # Errors
/// No 64-bit ELF file.
pub fn loaded_part(bytes: &[u8]) -> Result<Vec<u8>, ElfError> {
    let header = Header::parse(bytes)?;
    let endian = header.endian()?;
    let ends = header
        .program_headers(endian, bytes)?
        .iter()
        .map(|segment| {
            let (start, size) = segment.file_range(endian);
            start.saturating_add(size)
        });
    let end = usize::try_from(ends.max().unwrap_or(0)).unwrap_or(usize::MAX);
    let mut kept = bytes
        .get(..end)
        .filter(|kept| kept.len() >= HEADER)
        .ok_or(ElfError::Cut)?
        .to_vec();
    // e_shoff, and e_shentsize, e_shnum, e_shstrndx: the headers of sections that are gone.
    kept[0x28..0x30].fill(0);
    kept[0x3A..0x40].fill(0);
    Ok(kept)
}

/// A module without its type information and its signature: the kernel spends more time on them than on the rest of the module, and
/// the functions are the same. The sections stay, under names that the kernel does not look for. What is no module stays as it is.
pub fn lean_module(bytes: &mut Vec<u8>) {
    for at in type_information(bytes).unwrap_or_default() {
        if let Some(byte) = bytes.get_mut(at) {
            *byte = b'_';
        }
    }
    if let Some(end) = unsigned_length(bytes) {
        bytes.truncate(end);
    }
}

/// Where the names of the sections .BTF and .BTF.base begin.
fn type_information(bytes: &[u8]) -> Option<Vec<usize>> {
    let header = Header::parse(bytes).ok()?;
    let endian = header.endian().ok()?;
    let sections = header.sections(endian, bytes).ok()?;
    let index = header.shstrndx(endian, bytes).ok()?;
    let names = header
        .section_headers(endian, bytes)
        .ok()?
        .get(index as usize)?;
    let start = usize::try_from(names.sh_offset(endian)).ok()?;
    let places = [&b".BTF"[..], b".BTF.base"].into_iter().filter_map(|name| {
        let (_, section) = sections.section_by_name(endian, name)?;
        start.checked_add(section.sh_name(endian) as usize)
    });
    Some(places.collect())
}

/// What ends a signed module (`MODULE_SIG_STRING`, include/linux/module_signature.h).
const SIGNED: &[u8] = b"~Module signature appended~\n";
/// Bytes of `struct module_signature`, which stands before that; its last four are the signature's length, big-endian.
const SIGNATURE: usize = 12;

/// The length of a signed module without its signature.
fn unsigned_length(bytes: &[u8]) -> Option<usize> {
    let before = bytes.strip_suffix(SIGNED)?;
    let length = u32::from_be_bytes(*before.last_chunk::<4>()?) as usize;
    before.len().checked_sub(SIGNATURE + length)
}

/// Bytes of an ELF header.
const HEADER: usize = 0x40;

#[cfg(test)]
mod tests {
    use super::*;

    fn myself() -> Vec<u8> {
        crate::util::open::bytes("/proc/self/exe", 1 << 40).expect("this test")
    }

    #[test]
    fn a_module_loses_its_signature_and_the_rest_stays() {
        let plain = b"no ELF file".to_vec();
        let mut signed = plain.clone();
        signed.extend([7; 300]);
        signed.extend([0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 44]);
        signed.extend(SIGNED);
        lean_module(&mut signed);
        assert_eq!(signed, plain);
        lean_module(&mut signed);
        assert_eq!(signed, plain);
        // A length that is longer than the module.
        let mut cut = [&[0xFF; 12][..], SIGNED].concat();
        let before = cut.clone();
        lean_module(&mut cut);
        assert_eq!(cut, before);
    }

    #[test]
    fn a_program_tells_its_loader_and_what_it_needs() {
        let linking = linking(&myself()).expect("an ELF file");
        let loader = linking.interpreter.expect("a dynamic program");
        assert!(loader.starts_with("/lib64/ld-linux"), "{loader}");
        assert!(linking.needed.iter().any(|name| name == "libc.so.6"));
    }

    #[test]
    fn the_loaded_part_still_runs() {
        use std::os::unix::fs::PermissionsExt;
        let bytes =
            crate::util::open::bytes(crate::util::path::in_path("true").expect("true"), 1 << 40);
        let kept = loaded_part(&bytes.expect("a program")).expect("an ELF file");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("true");
        std::fs::write(&path, kept).expect("a file");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("a mode");
        let status = std::process::Command::new(&path).status().expect("a start");
        assert!(status.success());
    }

    #[test]
    fn debug_information_is_left_out() {
        let whole = myself();
        let kept = loaded_part(&whole).expect("an ELF file");
        assert!(kept.len() < whole.len());
    }

    #[test]
    fn what_is_no_elf_file_is_reported() {
        assert!(loaded_part(b"#!/bin/sh\n").is_err());
        assert!(module_information(b"").is_err());
    }
}
