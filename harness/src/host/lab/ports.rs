//! The first disk of the first ATA controller, by its ports (ATA-6, 6.1 and 8.34, 8.62): no driver needs to be there, and an emulator
//! that writes each sector through makes it memory that the host shares.

use std::arch::asm;

use super::boot::disk::SECTOR;
use super::init_error::InitError;

/// The controller's ports.
const DATA: u16 = 0x1F0;
const COUNT: u16 = 0x1F2;
const STATUS: u16 = 0x1F7;
const CONTROL: u16 = 0x3F6;

/// In the control register: no interrupts.
const NO_INTERRUPTS: u8 = 2;
/// In the drive's register: addresses are numbers of sectors, and of the first disk.
const FIRST_DISK: u8 = 0xE0;
const READ: u8 = 0x20;
const WRITE: u8 = 0x30;
/// In the status register.
const BUSY: u8 = 0x80;
const FAULT: u8 = 0x20;
const REQUEST: u8 = 0x08;
const ERROR: u8 = 0x01;

/// Most sectors of a command; 256 is written as 0.
const MOST: usize = 256;
/// Words of a sector.
const WORDS: usize = SECTOR / 4;

/// `iopl` (arch/x86/entry/syscalls/syscall_64.tbl).
const IOPL: u64 = 172;

/// The part of the disk that is shared.
#[derive(Debug)]
pub(super) struct AtaDisk {
    first: u32,
}

impl AtaDisk {
    /// The part that begins at this sector.
    ///
    /// # Errors
    /// The kernel does not allow the ports.
    pub(super) fn open(first: u32) -> std::io::Result<AtaDisk> {
        allow_ports()?;
        Ok(AtaDisk { first })
    }

    /// Copies bytes out, from the start of a sector.
    ///
    /// # Errors
    /// The disk refuses.
    pub(super) fn read(&self, at: usize, bytes: &mut [u8]) -> Result<(), InitError> {
        let mut sector = self.sector(at);
        for chunk in bytes.chunks_mut(MOST * SECTOR) {
            let count = self.command(READ, sector, chunk.len());
            for part in chunk.chunks_mut(SECTOR) {
                wait(sector)?;
                let mut words = [0; WORDS];
                read_words(&mut words);
                let all = words.map(u32::to_le_bytes);
                part.copy_from_slice(&all.as_flattened()[..part.len()]);
            }
            sector += count;
        }
        Ok(())
    }

    /// Copies bytes in, from the start of a sector; what is left of the last one becomes 0.
    ///
    /// # Errors
    /// The disk refuses.
    pub(super) fn write(&self, at: usize, bytes: &[u8]) -> Result<(), InitError> {
        let mut sector = self.sector(at);
        for chunk in bytes.chunks(MOST * SECTOR) {
            let count = self.command(WRITE, sector, chunk.len());
            for part in chunk.chunks(SECTOR) {
                wait(sector)?;
                let mut all = [[0; 4]; WORDS];
                all.as_flattened_mut()[..part.len()].copy_from_slice(part);
                write_words(&all.map(u32::from_le_bytes));
            }
            finish(sector)?;
            sector += count;
        }
        Ok(())
    }

    fn sector(&self, at: usize) -> u32 {
        self.first + (at / SECTOR) as u32
    }

    /// Starts a command for this many bytes; how many sectors they are.
    fn command(&self, command: u8, sector: u32, bytes: usize) -> u32 {
        let count = bytes.div_ceil(SECTOR);
        let [a, b, c, d] = sector.to_le_bytes();
        write_byte(CONTROL, NO_INTERRUPTS);
        let registers = [count as u8, a, b, c, d | FIRST_DISK, command];
        for (port, value) in (COUNT..).zip(registers) {
            write_byte(port, value);
        }
        count as u32
    }
}

/// Waits until the disk wants data or has some.
fn wait(sector: u32) -> Result<(), InitError> {
    until(sector, REQUEST)
}

/// Waits until a command is done.
fn finish(sector: u32) -> Result<(), InitError> {
    until(sector, 0)
}

fn until(sector: u32, wanted: u8) -> Result<(), InitError> {
    loop {
        let status = read_byte(STATUS);
        if status & BUSY != 0 {
            continue;
        }
        if status & (ERROR | FAULT) != 0 {
            return Err(InitError::Disk { sector, status });
        }
        if status & REQUEST == wanted {
            return Ok(());
        }
    }
}

fn allow_ports() -> std::io::Result<()> {
    let result: i64;
    // SAFETY: a system call with a number for its argument; it changes what this thread may do, and no memory.
    unsafe {
        asm!("syscall", inlateout("rax") IOPL => result, in("rdi") 3, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    match result {
        0 => Ok(()),
        error => Err(std::io::Error::from_raw_os_error(-error as i32)),
    }
}

fn read_byte(port: u16) -> u8 {
    let value;
    // SAFETY: a read of the controller's port, which `allow_ports` allowed; no memory is involved.
    unsafe { asm!("in al, dx", in("dx") port, out("al") value, options(nomem, nostack)) };
    value
}

fn write_byte(port: u16, value: u8) {
    // SAFETY: as above; nothing but this has the disk.
    unsafe { asm!("out dx, al", in("dx") port, in("al") value, options(nomem, nostack)) };
}

fn read_words(words: &mut [u32; WORDS]) {
    let (to, count) = (words.as_mut_ptr(), words.len());
    // SAFETY: `count` words at `to` are written, which is all of the array; the direction flag is clear (System V ABI).
    unsafe {
        asm!("rep insd", in("dx") DATA, inout("rdi") to => _, inout("rcx") count => _, options(nostack, preserves_flags));
    }
}

fn write_words(words: &[u32; WORDS]) {
    let (from, count) = (words.as_ptr(), words.len());
    // SAFETY: `count` words at `from` are read, which is all of the array; the direction flag is clear (System V ABI).
    unsafe {
        asm!("rep outsd", in("dx") DATA, inout("rsi") from => _, inout("rcx") count => _, options(nostack, preserves_flags, readonly));
    }
}
