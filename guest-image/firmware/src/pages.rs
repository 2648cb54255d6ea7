//! The first 2 MiB of RAM once more, as pages that features forbid: above the first GiB, where nothing else is mapped. And all that is mapped once more in
//! the upper half of addresses.

use x86_64::registers::control::Cr3;

use crate::memory::{PAGE_TABLES, RETURN};

/// Pages by their place in the directory.
pub const USER: u64 = 0;
pub const NO_EXECUTE: u64 = 1;
pub const USER_KEY_1: u64 = 2;
pub const KEY_1: u64 = 3;

/// PML4, page-directory-pointer table and a directory behind those of the boot code (boot/long.s).
const PML4: *mut u64 = PAGE_TABLES as *mut u64;
const PDPT: *mut u64 = (PAGE_TABLES + 0x1000) as *mut u64;
const DIRECTORY_1: *mut u64 = (PAGE_TABLES + 0x4000) as *mut u64;

/// Present, writable, accessed, dirty, 2 MiB.
const PAGE: u64 = 0xE3;
const TABLE: u64 = 0x23;
const FOR_USERS: u64 = 1 << 2;
const KEY: u64 = 1 << 59;
const NX: u64 = 1 << 63;
const GIB: u64 = 1 << 30;
const PAGE_SIZE: u64 = 2 << 20;

/// Where the upper half of addresses begins, and its entry in the PML4.
pub const UPPER: u64 = 0xFFFF_8000_0000_0000;
const UPPER_ENTRY: usize = 256;

/// Where `page` has the byte of a RET.
pub fn address(page: u64) -> u64 {
    GIB + page * PAGE_SIZE + RETURN as u64
}

/// Maps the pages.
pub fn map() {
    let entries = [FOR_USERS, NX, FOR_USERS | KEY, KEY];
    for (at, bits) in entries.into_iter().enumerate() {
        // SAFETY: a page of RAM below 640 KiB that only these tables use.
        unsafe { DIRECTORY_1.wrapping_add(at).write_volatile(PAGE | bits) };
    }
    // SAFETY: the entry was empty: nothing that is mapped changes.
    unsafe {
        PDPT.wrapping_add(1)
            .write_volatile(DIRECTORY_1 as u64 | TABLE | FOR_USERS)
    };
    // SAFETY: the entries below still say whom each page is for.
    unsafe { PML4.write_volatile(PDPT as u64 | TABLE | FOR_USERS) };
    // SAFETY: the entry was empty.
    unsafe {
        PML4.wrapping_add(UPPER_ENTRY)
            .write_volatile(PDPT as u64 | TABLE)
    };
    // SAFETY: RAM that nothing else uses.
    unsafe { (RETURN as *mut u8).write_volatile(0xC3) };
    let (frame, flags) = Cr3::read();
    // SAFETY: the same tables: entries that were cached are forgotten.
    unsafe { Cr3::write(frame, flags) };
}
