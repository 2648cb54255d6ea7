//! Memory of probes: their code, the line that they read and write, and pages that forbid an access.

use std::io::Error;
use std::ptr::{self, NonNull};

/// Where the line is: an address that fits into a 32-bit register, above vm.mmap_min_addr and away from what the kernel places.
pub const LINE: u64 = 0x1000_0000;
/// Bytes of a page.
pub const PAGE: usize = 4096;
/// RET.
pub const RET: u8 = 0xC3;

/// Pages that were asked of the kernel, and that stay.
pub struct Pages {
    start: NonNull<u8>,
    bytes: usize,
}

/// The address of new pages with this code.
///
/// # Errors
/// There is no memory, or the kernel refuses to have it executed.
pub fn code(code: &[u8]) -> Result<u64, String> {
    let mut pages = Pages::new(code.len(), None)?;
    pages.bytes_mut()[..code.len()].copy_from_slice(code);
    pages.protect(libc::PROT_READ | libc::PROT_EXEC)?;
    Ok(pages.address())
}

impl Pages {
    /// Pages of zeros, readable and writable, that hold at least `bytes`; at an address or anywhere.
    ///
    /// # Errors
    /// There is no memory, or the address is taken.
    pub fn new(bytes: usize, address: Option<u64>) -> Result<Pages, String> {
        let bytes = bytes.next_multiple_of(PAGE);
        let (place, fixed) = match address {
            Some(address) => (
                ptr::without_provenance_mut(address as usize),
                libc::MAP_FIXED_NOREPLACE,
            ),
            None => (ptr::null_mut(), 0),
        };
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_POPULATE | fixed;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping, which replaces none.
        let start = unsafe { libc::mmap(place, bytes, access, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(format!("failed to map a page: {}", Error::last_os_error()));
        }
        let start = NonNull::new(start.cast()).ok_or("a page at address 0")?;
        Ok(Pages { start, bytes })
    }

    /// Where they start.
    pub fn address(&self) -> u64 {
        self.start.as_ptr() as u64
    }

    /// All bytes.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: mapped readable and writable for as long as this is, and nobody else knows them.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.bytes) }
    }

    fn protect(&self, access: i32) -> Result<(), String> {
        // SAFETY: pages of ours.
        match unsafe { libc::mprotect(self.start.as_ptr().cast(), self.bytes, access) } {
            0 => Ok(()),
            _ => Err(format!(
                "failed to protect a page: {}",
                Error::last_os_error()
            )),
        }
    }

    /// Gives the pages a key that allows no access (pkeys(7)); `false` where the kernel has no keys.
    pub fn lock_with_key(&self) -> bool {
        const DISABLE_ACCESS: libc::c_ulong = 1;
        // SAFETY: a call that takes numbers alone.
        let key = unsafe { libc::syscall(libc::SYS_pkey_alloc, 0, DISABLE_ACCESS) };
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let start = self.start.as_ptr();
        // SAFETY: pages of ours, which nobody reads but the probe.
        key > 0
            && unsafe { libc::syscall(libc::SYS_pkey_mprotect, start, self.bytes, access, key) }
                == 0
    }
}
