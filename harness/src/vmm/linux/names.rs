//! The names that a kernel itself has for what /proc/cpuinfo shows: its tables x86_cap_flags, x86_bug_flags and x86_vmx_flags, which
//! its build makes from cpufeatures.h and vmxfeatures.h (arch/x86/kernel/cpu/mkcapflags.sh), read out of its ELF file. So nothing is
//! typed here that a kernel could contradict: which flag a kernel of some age knows, and which number `clearcpuid=` takes.

use std::collections::BTreeMap;

use object::elf::{FileHeader64, PT_LOAD};
use object::endian::LittleEndian;
use object::read::elf::{FileHeader as _, ProgramHeader as _};
use serde::{Deserialize, Serialize};

/// Names by number: word × 32 + bit.
pub type Numbers = BTreeMap<u16, String>;

/// The tables of one kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// `flags`: bits of CPUID registers, and words of the kernel's own.
    pub flags: Numbers,
    /// `bugs`.
    pub bugs: Numbers,
    /// `vmx flags`.
    pub vmx: Numbers,
}

/// Where a table starts: the first names that it has, and the number of the first of them.
const STARTS: [(&[&str], u64); 4] = [
    (&["fpu", "vme", "de", "pse"], 0),
    (&["f00f", "fdiv", "coma"], 0),
    (&["vnmi", "preemption_timer", "posted_intr"], 5),
    // x86_power_flags, which ends the one before.
    (&["ts", "fid", "vid", "ttp"], 0),
];
/// Bytes of a pointer.
const POINTER: u64 = 8;
/// More numbers than any table has (NCAPINTS is 22 in Linux 6.12).
const MOST: u64 = 64 * 32;
/// Most segments that are looked at: each may state that it is the whole file. A kernel has five.
const SEGMENTS: usize = 16;
/// Longest name, with its NUL.
const LONGEST: usize = 40;

impl Names {
    /// Reads them from a kernel's ELF file; `None` where it has no such tables, as it is with a 32-bit kernel.
    pub fn read(elf: &[u8]) -> Option<Names> {
        let image = Image::parse(elf)?;
        let starts = image.starts();
        let table = |which: usize| {
            let start = starts[which]?;
            let end = starts
                .iter()
                .flatten()
                .filter(|other| **other > start)
                .min();
            Some(image.table(start, end.map_or(MOST, |end| (end - start) / POINTER)))
        };
        Some(Names {
            flags: table(0)?,
            bugs: table(1)?,
            vmx: table(2)?,
        })
    }

    /// The number of a flag.
    pub fn number(&self, flag: &str) -> Option<u16> {
        let mut all = self.flags.iter();
        all.find(|(_, name)| *name == flag)
            .map(|(number, _)| *number)
    }
}

/// Loaded segments by virtual address.
struct Image<'a>(Vec<(u64, &'a [u8])>);

impl<'a> Image<'a> {
    fn parse(elf: &'a [u8]) -> Option<Image<'a>> {
        let header = FileHeader64::<LittleEndian>::parse(elf).ok()?;
        let endian = header.endian().ok()?;
        let segments = header.program_headers(endian, elf).ok()?;
        let loaded = segments
            .iter()
            .filter(|segment| segment.p_type(endian) == PT_LOAD)
            .take(SEGMENTS);
        let with_data = loaded
            .filter_map(|segment| Some((segment.p_vaddr(endian), segment.data(endian, elf).ok()?)));
        Some(Image(with_data.collect()))
    }

    fn at(&self, address: u64) -> Option<&'a [u8]> {
        self.0.iter().find_map(|(start, bytes)| {
            let at = usize::try_from(address.checked_sub(*start)?).ok()?;
            bytes.get(at..)
        })
    }

    fn pointer(&self, address: u64) -> Option<u64> {
        let bytes = self.at(address)?.get(..8)?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    }

    fn text(&self, address: u64) -> Option<&'a str> {
        let bytes = self.at(address)?;
        let bytes = &bytes[..bytes.len().min(LONGEST)];
        let end = bytes.iter().position(|byte| *byte == 0)?;
        let text = std::str::from_utf8(&bytes[..end]).ok()?;
        let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        (!text.is_empty() && text.chars().all(plain)).then_some(text)
    }

    /// Where each table of [`STARTS`] is: one pass over all that could be a pointer.
    fn starts(&self) -> [Option<u64>; STARTS.len()] {
        let mut found = [None; STARTS.len()];
        for (start, bytes) in &self.0 {
            for (index, word) in bytes.chunks_exact(8).enumerate() {
                // The kernel's half of the address space, whose top bits are set.
                if word[7] != 0xFF || word[6] != 0xFF {
                    continue;
                }
                // A file can state any address, of which there are no more than 2^64.
                let address = start.wrapping_add(index as u64 * POINTER);
                for (which, (names, first)) in STARTS.iter().enumerate() {
                    if found[which].is_none() && self.begins(address, names) {
                        found[which] = address.checked_sub(first * POINTER);
                    }
                }
            }
        }
        found
    }

    fn begins(&self, address: u64, names: &[&str]) -> bool {
        let name = |index: u64| self.text(self.pointer(address.wrapping_add(index * POINTER))?);
        (0..)
            .zip(names)
            .all(|(index, wanted)| name(index) == Some(*wanted))
    }

    fn table(&self, start: u64, length: u64) -> Numbers {
        let mut names = Numbers::new();
        for number in 0..length.min(MOST) {
            match self.pointer(start.wrapping_add(number * POINTER)) {
                Some(0) => {}
                Some(pointer) => match (self.text(pointer), u16::try_from(number)) {
                    (Some(name), Ok(number)) => {
                        names.insert(number, name.to_owned());
                    }
                    // The table has no end of its own.
                    _ => break,
                },
                None => break,
            }
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An ELF file with one segment at `BASE`: strings, then tables of pointers to them (0 for none).
    fn elf(tables: &[&[&str]]) -> Vec<u8> {
        elf_at(0xFFFF_FFFF_8100_0000, tables)
    }

    fn elf_at(base: u64, tables: &[&[&str]]) -> Vec<u8> {
        let mut strings = vec![0u8; 8];
        let mut pointers = Vec::new();
        for name in tables.concat() {
            pointers.push(match name {
                "" => 0,
                _ => base.wrapping_add(strings.len() as u64),
            });
            if !name.is_empty() {
                strings.extend(name.bytes().chain([0]));
            }
        }
        strings.resize(strings.len().next_multiple_of(8), 0);
        let data: Vec<u8> = strings
            .into_iter()
            .chain(pointers.into_iter().flat_map(u64::to_le_bytes))
            .collect();
        let mut elf = vec![0x7F, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        elf.extend([2, 0, 62, 0, 1, 0, 0, 0]);
        elf.extend([0u64, 64, 0].iter().flat_map(|word| word.to_le_bytes()));
        elf.extend([0, 0, 0, 0, 64, 0, 56, 0, 1, 0, 64, 0, 0, 0, 0, 0]);
        elf.extend([1u32, 6].iter().flat_map(|word| word.to_le_bytes()));
        let size = data.len() as u64;
        elf.extend(
            [120, base, 0, size, size, 8]
                .iter()
                .flat_map(|word: &u64| word.to_le_bytes()),
        );
        elf.extend(data);
        elf
    }

    const VMX: &[&str] = &[
        "",
        "",
        "",
        "",
        "",
        "vnmi",
        "preemption_timer",
        "posted_intr",
        "ept",
    ];
    const BUGS: &[&str] = &["f00f", "fdiv", "coma", "", "spectre_v1"];
    const FLAGS: &[&str] = &["fpu", "vme", "de", "pse", "", "msr"];
    const POWER: &[&str] = &["ts", "fid", "vid", "ttp"];

    #[test]
    fn the_tables_of_a_kernel_are_read_to_their_ends() {
        let names = Names::read(&elf(&[VMX, BUGS, FLAGS, POWER])).expect("names");
        assert_eq!(names.number("msr"), Some(5));
        assert_eq!(names.number("ts"), None);
        assert_eq!(names.flags.len(), 5);
        assert_eq!(names.bugs[&4], "spectre_v1");
        assert_eq!(names.bugs.len(), 4);
        assert_eq!(
            (names.vmx[&5].as_str(), names.vmx[&8].as_str()),
            ("vnmi", "ept")
        );
    }

    #[test]
    fn a_segment_at_the_end_of_the_address_space_is_no_panic() {
        let tables = [VMX, BUGS, FLAGS, POWER];
        for base in [
            u64::MAX,
            u64::MAX - 7,
            u64::MAX - 100,
            0xFFFF_0000_0000_0000,
            0,
        ] {
            let _ = Names::read(&elf_at(base, &tables));
        }
    }

    #[test]
    fn a_file_without_them_has_none() {
        assert_eq!(Names::read(&elf(&[VMX, FLAGS, POWER])), None);
        assert_eq!(Names::read(b"no elf"), None);
    }
}
