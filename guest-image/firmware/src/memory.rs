//! Guest-physical addresses that the agent uses beside its slots. All below 640 KiB, which is RAM on every machine type.

/// The ROM's low alias, for which `link.ld` links it.
pub const ROM: usize = 0xF_0000;
/// Five page-table pages: PML4, page-directory-pointer table, directory of the first and of the fourth GiB; then, for [`crate::pages`], of
/// the second.
pub const PAGE_TABLES: usize = 0x1_8000;
/// Indices of the slots whose application processors are done, in the order in which they finished.
pub const DONE_QUEUE: usize = 0x2_0000;
/// Entries of the done queue.
pub const DONE_QUEUE_LEN: usize = 0x4000;
/// Scratch for probes: 64 aligned bytes and a page behind them, which XSAVE may fill.
pub const LINE: usize = 0x3_0000;
/// Where XSAVE's area lies that is measured, and how many bytes it may have.
pub const XSAVE_AREA: (usize, usize) = (0x3_2000, 0x5000);
/// A byte that holds RET, for pages that may not be executed.
pub const RETURN: usize = 0x3_8000;
/// The local APIC's registers (Intel SDM vol. 3, "Local APIC registers"), where they are after reset.
pub const LOCAL_APIC: usize = 0xFEE0_0000;
