//! What it takes to boot a Linux kernel of somebody else's with an /init of our own.
//!
//! [`kernel`] finds an image and what belongs to it: in an unpacked package (one, or several into the same folder), in a
//! folder of the cache, in a build tree, or as two paths. [`modules`] finds kernel modules and their dependencies, in loading
//! order. [`packed`] unpacks what is compressed. [`elf`] reads what is asked of ELF files. [`initramfs`] writes the archive that
//! the kernel unpacks as its root. [`vmlinux`] takes the kernel proper out of its image, [`names`] reads its own names
//! of flags, [`ready`] keeps all that a guest is booted with, [`guest`] boots one and brings back what its /init reported.
//!
//! Nothing here starts a process, and nothing needs kmod, depmod, cpio or a decompressor on the host.

pub mod elf;
pub mod guest;
pub mod initramfs;
pub mod kernel;
pub mod modules;
pub mod names;
pub mod packed;
pub mod ready;
pub mod vmlinux;

pub use guest::{LinuxFiles, boot_linux, boot_timeout};
pub use initramfs::Initramfs;
pub use kernel::{Kernel, KernelError};
pub use modules::{Module, ModuleError, Modules};
pub use names::Names;
pub use ready::{Ready, unpacked};
