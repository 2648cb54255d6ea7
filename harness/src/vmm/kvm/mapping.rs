//! Memory that the host and a guest share.

use std::os::fd::AsFd;
use std::ptr::null_mut;

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// A shared mapping of a whole file; unmapped when dropped, which must be after the VM that uses it is gone.
#[derive(Debug)]
pub struct Mapping {
    address: *mut std::ffi::c_void,
    size: usize,
}

// SAFETY: nothing refers to the mapped bytes; they are copied in and out, and their address goes to KVM.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the first `size` bytes of `file`.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn new(file: impl AsFd, size: usize) -> std::io::Result<Mapping> {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping, placed by the kernel; nothing refers to it but this struct.
        let address = unsafe { mmap(null_mut(), size, protection, MapFlags::SHARED, file, 0)? };
        Ok(Mapping { address, size })
    }

    /// Where it is in this process.
    pub fn address(&self) -> u64 {
        self.address as u64
    }

    /// Copies bytes in; what reaches beyond the end is left out.
    pub fn write(&self, at: usize, bytes: &[u8]) {
        let count = bytes.len().min(self.size.saturating_sub(at));
        // SAFETY: `at + count` is within the mapping, and `bytes` is not part of it.
        unsafe {
            let to = self.address.cast::<u8>().add(at.min(self.size));
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, count);
        }
    }

    /// Copies bytes out; what lies beyond the end is left as it was.
    pub fn read(&self, at: usize, bytes: &mut [u8]) {
        let count = bytes.len().min(self.size.saturating_sub(at));
        // SAFETY: `at + count` is within the mapping, and `bytes` is not part of it.
        unsafe {
            let from = self.address.cast::<u8>().add(at.min(self.size));
            std::ptr::copy_nonoverlapping(from.cast_const(), bytes.as_mut_ptr(), count);
        }
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        self.size as u64
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `new` and is unmapped once.
        let _ = unsafe { munmap(self.address, self.size) };
    }
}
