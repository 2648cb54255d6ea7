//! Guest RAM that the host reads: one slot (see [`fidelity_protocol::slot`]), mapped from /dev/mem, so that a breadcrumb costs no call.
//!
//! `memmap=SIZE$ADDRESS` keeps the kernel off it. STRICT_DEVMEM forbids what is RAM to the kernel, and this is not
//! (devmem_is_allowed in arch/x86/mm/init.c).

use std::fs::File;
use std::io::Error;
use std::os::fd::AsRawFd as _;
use std::ptr::{self, NonNull};
use std::sync::atomic::{Ordering, fence};

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
    memory: NonNull<u8>,
    size: usize,
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
        let file = File::options()
            .read(true)
            .write(true)
            .open(path)
            .map_err(failed)?;
        let size = asked.size as usize;
        let mut area = Area {
            memory: mapped(&file, asked.address, size).map_err(failed)?,
            size,
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
        self.size
            .saturating_sub(slot::HEADER + slot::STACK + self.used)
    }

    /// Appends a finished frame, then tells the host that it is there.
    ///
    /// # Errors
    /// It does not fit.
    pub fn append(&mut self, frame: &[u8]) -> Result<(), String> {
        self.write(slot::HEADER + self.used, frame)?;
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
    /// There is no room for the header.
    pub fn done(&mut self) -> Result<(), String> {
        self.write_u32(slot::AT_STATE, slot::DONE)
    }

    fn write_u32(&mut self, at: usize, value: u32) -> Result<(), String> {
        self.write(at, &value.to_le_bytes())
    }

    /// Writes at an offset; what was written before is in memory by then.
    fn write(&mut self, at: usize, bytes: &[u8]) -> Result<(), String> {
        if bytes.len() > self.size.saturating_sub(at) {
            let (length, size) = (bytes.len(), self.size);
            return Err(format!("{length} bytes at {at:#x} of {size:#x} do not fit"));
        }
        fence(Ordering::SeqCst);
        // SAFETY: within the mapping, as was just checked.
        let place = unsafe { self.memory.as_ptr().add(at) };
        // SAFETY: as above; the mapping and `bytes` do not overlap, for nobody else has its address.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), place, bytes.len()) };
        fence(Ordering::SeqCst);
        Ok(())
    }
}

fn mapped(memory: &File, address: u64, size: usize) -> Result<NonNull<u8>, Error> {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let offset = libc::off_t::try_from(address).map_err(Error::other)?;
    // SAFETY: a new mapping, which replaces none; the kernel keeps off that memory.
    let start = unsafe {
        libc::mmap(
            ptr::null_mut(),
            size,
            access,
            libc::MAP_SHARED,
            memory.as_raw_fd(),
            offset,
        )
    };
    match NonNull::new(start.cast()) {
        Some(start) if start.as_ptr() != libc::MAP_FAILED.cast() => Ok(start),
        _ => Err(Error::last_os_error()),
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
