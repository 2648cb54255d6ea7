//! A vCPU's slot in guest RAM: [`HEADER`] bytes of header, then frames, then (at its top) [`STACK`] bytes of stack.
//!
//! | offset | field |
//! |---|---|
//! | 0 | magic, [`MAGIC`] |
//! | 4 | APIC ID |
//! | 8 | bytes of finished frames behind the header |
//! | 12 | state: [`RUNNING`], [`DONE`] or [`FAULTED`] |
//! | 16 | last operation begun: [`OP_CPUID`], [`OP_RDMSR`] … |
//! | 20 | its operand: leaf, MSR index or control number |
//! | 24 | its second operand: subleaf |
//! | 28 | generation |
//!
//! The last operation is a breadcrumb: when a guest dies, it tells the host at which instruction.

/// First word of a slot in use.
pub const MAGIC: u32 = 0x544C_5343;
/// Bytes of a slot's header.
pub const HEADER: usize = 32;
/// Bytes of stack at the top of a slot.
pub const STACK: usize = 16 * 1024;

pub const AT_MAGIC: usize = 0;
pub const AT_VCPU: usize = 4;
pub const AT_USED: usize = 8;
pub const AT_STATE: usize = 12;
pub const AT_OP: usize = 16;
pub const AT_OPERAND: usize = 20;
pub const AT_OPERAND2: usize = 24;
pub const AT_GENERATION: usize = 28;

pub const RUNNING: u32 = 1;
pub const DONE: u32 = 2;
pub const FAULTED: u32 = 3;

pub const OP_NONE: u32 = 0;
pub const OP_CPUID: u32 = 1;
pub const OP_RDMSR: u32 = 2;
/// Writing control state; the operand is an [`crate::entry::Control`], the second one the low half of the value.
pub const OP_CONTROL: u32 = 3;
/// Waiting for application processors.
pub const OP_WAIT_APS: u32 = 4;
/// Waiting for a byte on COM1.
pub const OP_WAIT_HOST: u32 = 5;
/// Writing an MSR; the operand is its index.
pub const OP_WRMSR: u32 = 6;
/// Trying a probe; the operand is its row of the table.
pub const OP_PROBE: u32 = 7;

/// A slot's header, as the host finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Header {
    pub vcpu: u32,
    pub used: u32,
    pub state: u32,
    pub op: u32,
    pub operand: u32,
    pub operand2: u32,
    pub generation: u32,
}

impl Header {
    /// Reads the header at the front of a slot; `None` for a slot that no vCPU took.
    pub fn read(bytes: &[u8]) -> Option<Header> {
        let word = |at: usize| {
            let bytes = bytes.get(at..at + 4)?;
            Some(u32::from_le_bytes(bytes.try_into().ok()?))
        };
        if word(AT_MAGIC)? != MAGIC {
            return None;
        }
        Some(Header {
            vcpu: word(AT_VCPU)?,
            used: word(AT_USED)?,
            state: word(AT_STATE)?,
            op: word(AT_OP)?,
            operand: word(AT_OPERAND)?,
            operand2: word(AT_OPERAND2)?,
            generation: word(AT_GENERATION)?,
        })
    }
}
