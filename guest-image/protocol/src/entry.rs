//! The fixed-size entries that frames carry.

/// An entry of `SIZE` bytes.
pub trait Entry: Sized {
    /// Bytes on the wire.
    const SIZE: usize;
    /// Writes exactly `SIZE` bytes into the front of `out`; the rest is left alone.
    fn encode(&self, out: &mut [u8]);
    /// Reads exactly `SIZE` bytes; `None` when `bytes` has another length.
    fn decode(bytes: &[u8]) -> Option<Self>;
}

/// One execution of CPUID: inputs and all four outputs, unmasked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cpuid {
    /// EAX on input.
    pub leaf: u32,
    /// ECX on input.
    pub subleaf: u32,
    /// EAX, EBX, ECX, EDX on output.
    pub regs: [u32; 4],
}

/// One read of a register: an MSR, or a piece of control state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Register {
    /// MSR index, a [`Control`] number, or the row of a probe.
    pub id: u32,
    /// [`status::VALUE`], or [`status::fault`] of the exception the access raised; of a probe also [`status::NOT_TRIED`].
    pub status: u32,
    /// What was read; 0 where the access faulted.
    pub value: u64,
}

/// A run of MSR indices that all answered alike (from a sweep).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Run {
    /// First index of the run.
    pub first: u32,
    /// Last index of the run, inclusive.
    pub last: u32,
    /// As in [`Register`].
    pub status: u32,
    /// As in [`Register`].
    pub value: u64,
}

/// [`Fault::vector`] of a panic in the agent itself; the error code is then the line of source.
pub const PANIC_VECTOR: u32 = 0xFFFF;

/// An exception that no fix-up expected; the vCPU stops after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fault {
    /// Exception vector, or [`PANIC_VECTOR`].
    pub vector: u32,
    /// Error code, 0 for vectors without one.
    pub error: u32,
    /// Instruction pointer.
    pub ip: u64,
    /// CR2.
    pub address: u64,
}

/// What the agent says first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hello {
    /// 64 or 32: the mode in which CPUID is executed; [`crate::frame::MODE_LINUX`] for the Linux guest.
    pub mode: u32,
    /// vCPUs that the agent will wait for, 0 when it was not given.
    pub vcpus: u32,
    /// Whether EFLAGS.ID can be toggled (CPUID exists): 1 or 0.
    pub has_cpuid: u32,
}

/// The end mark of one vCPU's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct End {
    /// Frames of this stream, this one included.
    pub frames: u32,
    /// On the boot processor: vCPUs that reported, itself included. 0 elsewhere.
    pub vcpus: u32,
    /// [`end`] flags.
    pub flags: u32,
}

/// Values of a `status` field.
pub mod status {
    /// The access gave a value.
    pub const VALUE: u32 = 0;
    /// A probe whose state could not be set, so that its answer would say nothing.
    pub const NOT_TRIED: u32 = 0x200;
    /// The access raised exception `vector` (6 is #UD, 13 is #GP).
    pub const fn fault(vector: u8) -> u32 {
        0x100 | vector as u32
    }
    /// The vector of a faulting status, `None` for a value or an unknown status.
    pub const fn vector(status: u32) -> Option<u8> {
        if status & !0xFF == 0x100 {
            Some(status as u8)
        } else {
            None
        }
    }
}

/// Flags of [`End`].
pub mod end {
    /// The slot was too small; frames were dropped.
    pub const OVERFLOW: u32 = 1;
}

/// Control state, the `id` of a [`Register`] in a `Control` frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
#[repr(u32)]
pub enum Control {
    /// CR0.
    Cr0 = 0,
    /// CR4.
    Cr4 = 4,
    /// XCR0; #UD where CR4.OSXSAVE could not be set, #GP where the write of all offered components was refused.
    Xcr0 = 8,
    /// IA32_EFER; a fault where there is none.
    Efer = 9,
    /// IA32_APIC_BASE.
    ApicBase = 10,
    /// EDX as the processor left it at reset: its signature (SDM vol. 3, "Processor state after reset").
    ResetEdx = 16,
    /// The XCR0 value that CPUID.0DH offers and that was asked for.
    WantedXcr0 = 17,
    /// The CR4 value that CPUID offers and that was asked for.
    WantedCr4 = 18,
}

impl Control {
    /// All of them, in the order of their numbers.
    pub const ALL: [Control; 8] = [
        Control::Cr0,
        Control::Cr4,
        Control::Xcr0,
        Control::Efer,
        Control::ApicBase,
        Control::ResetEdx,
        Control::WantedXcr0,
        Control::WantedCr4,
    ];

    /// The name printed in dumps.
    pub const fn name(self) -> &'static str {
        match self {
            Control::Cr0 => "cr0",
            Control::Cr4 => "cr4",
            Control::Xcr0 => "xcr0",
            Control::Efer => "efer",
            Control::ApicBase => "apic-base",
            Control::ResetEdx => "reset-edx",
            Control::WantedXcr0 => "wanted-xcr0",
            Control::WantedCr4 => "wanted-cr4",
        }
    }

    /// The control register with this number.
    pub fn from_id(id: u32) -> Option<Control> {
        Self::ALL.into_iter().find(|control| *control as u32 == id)
    }
}

fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

fn read_u64(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + 8)?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

fn put_u32s(out: &mut [u8], values: &[u32]) {
    for (slot, value) in out.chunks_exact_mut(4).zip(values) {
        slot.copy_from_slice(&value.to_le_bytes());
    }
}

const fn low(value: u64) -> u32 {
    value as u32
}

const fn high(value: u64) -> u32 {
    (value >> 32) as u32
}

macro_rules! entry {
    ($type:ty, $size:literal, |$me:ident| $values:expr, |$bytes:ident| $make:expr) => {
        impl Entry for $type {
            const SIZE: usize = $size;
            fn encode(&self, out: &mut [u8]) {
                let $me = self;
                put_u32s(&mut out[..$size], &$values);
            }
            fn decode($bytes: &[u8]) -> Option<Self> {
                if $bytes.len() != $size {
                    return None;
                }
                Some($make)
            }
        }
    };
}

entry!(
    Cpuid,
    24,
    |c| [
        c.leaf, c.subleaf, c.regs[0], c.regs[1], c.regs[2], c.regs[3]
    ],
    |b| Cpuid {
        leaf: read_u32(b, 0)?,
        subleaf: read_u32(b, 4)?,
        regs: [
            read_u32(b, 8)?,
            read_u32(b, 12)?,
            read_u32(b, 16)?,
            read_u32(b, 20)?
        ],
    }
);
entry!(
    Register,
    16,
    |r| [r.id, r.status, low(r.value), high(r.value)],
    |b| Register {
        id: read_u32(b, 0)?,
        status: read_u32(b, 4)?,
        value: read_u64(b, 8)?,
    }
);
entry!(
    Run,
    20,
    |r| [r.first, r.last, r.status, low(r.value), high(r.value)],
    |b| Run {
        first: read_u32(b, 0)?,
        last: read_u32(b, 4)?,
        status: read_u32(b, 8)?,
        value: read_u64(b, 12)?,
    }
);
entry!(
    Fault,
    24,
    |f| [
        f.vector,
        f.error,
        low(f.ip),
        high(f.ip),
        low(f.address),
        high(f.address)
    ],
    |b| Fault {
        vector: read_u32(b, 0)?,
        error: read_u32(b, 4)?,
        ip: read_u64(b, 8)?,
        address: read_u64(b, 16)?,
    }
);
entry!(Hello, 12, |h| [h.mode, h.vcpus, h.has_cpuid], |b| Hello {
    mode: read_u32(b, 0)?,
    vcpus: read_u32(b, 4)?,
    has_cpuid: read_u32(b, 8)?,
});
entry!(End, 12, |e| [e.frames, e.vcpus, e.flags], |b| End {
    frames: read_u32(b, 0)?,
    vcpus: read_u32(b, 4)?,
    flags: read_u32(b, 8)?,
});

#[cfg(test)]
mod tests;
