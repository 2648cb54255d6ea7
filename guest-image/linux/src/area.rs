//! Guest RAM that the host reads: one slot (see [`fidelity_protocol::slot`]), written through /dev/mem.
//!
//! `memmap=SIZE$ADDRESS` keeps the kernel off it. STRICT_DEVMEM forbids what is RAM to the kernel, and this is not
//! (devmem_is_allowed in arch/x86/mm/init.c).

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use fidelity_protocol::slot;

/// What the command line says.
#[derive(Debug, PartialEq, Eq)]
pub struct Asked {
    /// Physical address of the area.
    pub address: u64,
    /// Its bytes.
    pub size: u32,
}

impl Asked {
    /// Reads `fidelity.area=ADDRESS,SIZE`, two hexadecimal numbers.
    ///
    /// # Errors
    /// There is no such word.
    pub fn read(line: &str) -> Result<Asked, String> {
        let missing = || format!("no fidelity.area=ADDRESS,SIZE on the command line: {line}");
        let mut words = line.split_whitespace();
        let word = words.find_map(|word| word.strip_prefix("fidelity.area="));
        let mut numbers = word.ok_or_else(missing)?.split(',');
        let mut next = || u64::from_str_radix(numbers.next()?, 16).ok();
        let mut asked = || {
            Some(Asked {
                address: next()?,
                size: next()?.try_into().ok()?,
            })
        };
        asked().ok_or_else(missing)
    }
}

/// The area, and how much of it is in use.
pub struct Area {
    memory: File,
    address: u64,
    room: usize,
    used: usize,
}

impl Area {
    /// Takes the area.
    ///
    /// # Errors
    /// The kernel has no /dev/mem, or lets nobody write there.
    pub fn open(asked: &Asked) -> Result<Area, String> {
        let path = "/dev/mem";
        let failed = |error| format!("{path}: {error}");
        let memory = File::options()
            .read(true)
            .write(true)
            .open(path)
            .map_err(failed)?;
        let mut area = Area {
            memory,
            address: asked.address,
            room: asked.size as usize - slot::HEADER - slot::STACK,
            used: 0,
        };
        area.write_u32(slot::AT_USED, 0)?;
        area.write_u32(slot::AT_STATE, slot::RUNNING)?;
        area.breadcrumb(slot::OP_NONE, 0, 0);
        area.write_u32(slot::AT_MAGIC, slot::MAGIC)?;
        Ok(area)
    }

    /// Bytes that still fit.
    pub fn left(&self) -> usize {
        self.room - self.used
    }

    /// Appends a finished frame, then tells the host that it is there.
    ///
    /// # Errors
    /// The kernel refuses the write.
    pub fn append(&mut self, frame: &[u8]) -> Result<(), String> {
        let at = self.address + (slot::HEADER + self.used) as u64;
        self.memory
            .write_all_at(frame, at)
            .map_err(|error| format!("/dev/mem at {at:#x}: {error}"))?;
        self.used += frame.len();
        self.write_u32(slot::AT_USED, u32::try_from(self.used).unwrap_or(u32::MAX))
    }

    /// Says which operation begins: what the host sees last of a guest that died.
    pub fn breadcrumb(&mut self, operation: u32, operand: u32, operand2: u32) {
        // A crumb that cannot be left costs nothing but a better message.
        let _ = self.write_u32(slot::AT_OPERAND, operand);
        let _ = self.write_u32(slot::AT_OPERAND2, operand2);
        let _ = self.write_u32(slot::AT_OP, operation);
    }

    /// Nothing more follows.
    ///
    /// # Errors
    /// The kernel refuses the write.
    pub fn done(&mut self) -> Result<(), String> {
        self.write_u32(slot::AT_STATE, slot::DONE)
    }

    fn write_u32(&mut self, at: usize, value: u32) -> Result<(), String> {
        self.memory
            .write_all_at(&value.to_le_bytes(), self.address + at as u64)
            .map_err(|error| format!("/dev/mem at {:#x}: {error}", self.address))
    }
}

#[cfg(test)]
mod tests {
    use super::Asked;

    #[test]
    fn the_area_is_read_off_the_command_line() {
        let asked = Asked::read("quiet fidelity.area=8000000,110000 panic=-1\n");
        let expected = Asked {
            address: 0x800_0000,
            size: 0x11_0000,
        };
        assert_eq!(asked, Ok(expected));
        assert!(Asked::read("quiet fidelity.area=8000000").is_err());
        assert!(Asked::read("fidelity.area=8000000,11000000000").is_err());
    }
}
