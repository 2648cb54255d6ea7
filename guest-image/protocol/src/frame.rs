//! Frames: a checked header and a payload of entries.

use crate::VERSION;
use crate::crc::crc32;

/// First bytes of every frame.
pub const MAGIC: [u8; 4] = [0xC9, b'C', b'P', b'F'];
/// Bytes of a frame header.
pub const HEADER: usize = 20;
/// Most bytes of payload in one frame.
pub const MAX_PAYLOAD: usize = 4096;
/// [`crate::entry::Hello::mode`] of the Linux guest's /init.
pub const MODE_LINUX: u32 = 1;

/// What a frame carries; the number is the one on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// One [`crate::entry::Hello`]; first of every stream.
    Hello = 1,
    /// No payload: the phase starts.
    PhaseBegin = 2,
    /// [`crate::entry::Cpuid`] entries.
    Cpuid = 3,
    /// [`crate::entry::Register`] entries: MSR reads.
    Msr = 4,
    /// [`crate::entry::Run`] entries: an MSR sweep.
    MsrRun = 5,
    /// [`crate::entry::Register`] entries: control state.
    Control = 6,
    /// A piece of text: NUL-terminated name, then bytes; pieces of one name join in order (Linux guest).
    Text = 7,
    /// No payload: the phase is complete.
    PhaseEnd = 8,
    /// One [`crate::entry::Fault`]: the vCPU stops here.
    Fault = 9,
    /// One [`crate::entry::End`]: the stream is complete.
    End = 10,
    /// [`crate::entry::Register`] entries: probes of behaviour, by row of the table.
    Probe = 11,
}

impl Kind {
    const ALL: [Kind; 11] = [
        Kind::Hello,
        Kind::PhaseBegin,
        Kind::Cpuid,
        Kind::Msr,
        Kind::MsrRun,
        Kind::Control,
        Kind::Text,
        Kind::PhaseEnd,
        Kind::Fault,
        Kind::End,
        Kind::Probe,
    ];

    fn from_byte(byte: u8) -> Option<Kind> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// Phases of a dump, harmless first, so that a guest that dies in one has delivered the earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
#[repr(u8)]
pub enum Phase {
    /// CPUID as the processor shows it with CR4 as far as long mode needs it, before an OS sets anything.
    Reset = 0,
    /// The feature MSRs.
    Msrs = 1,
    /// Control state set as an OS would set it, and every leaf again.
    #[cfg_attr(feature = "serde", serde(rename = "os-enabled"))]
    Enabled = 2,
    /// The boot processor starts the application processors and waits for them.
    #[cfg_attr(feature = "serde", serde(rename = "application-processors"))]
    Aps = 3,
    /// Leaves and subleaves one past each limit.
    Probes = 4,
    /// The sweep of MSR indices, if asked for.
    Sweep = 5,
    /// One instruction or effect a feature, tried on the boot processor.
    Behaviour = 6,
}

impl Phase {
    /// All phases in the order in which they run.
    pub const ALL: [Phase; 7] = [
        Phase::Reset,
        Phase::Msrs,
        Phase::Enabled,
        Phase::Aps,
        Phase::Probes,
        Phase::Sweep,
        Phase::Behaviour,
    ];

    /// The name printed in dumps and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Phase::Reset => "reset",
            Phase::Msrs => "msrs",
            Phase::Enabled => "os-enabled",
            Phase::Aps => "application-processors",
            Phase::Probes => "probes",
            Phase::Sweep => "sweep",
            Phase::Behaviour => "behaviour",
        }
    }

    /// This phase's bit in [`crate::config::Config::phases`].
    pub const fn bit(self) -> u32 {
        1 << self as u8
    }

    fn from_byte(byte: u8) -> Option<Phase> {
        Self::ALL.into_iter().find(|phase| *phase as u8 == byte)
    }
}

/// A frame as read: its header's fields and a view of its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    pub kind: Kind,
    pub phase: Phase,
    pub generation: u8,
    /// APIC ID of the vCPU that wrote it.
    pub vcpu: u32,
    pub sequence: u16,
    pub payload: &'a [u8],
}

/// Why bytes are not a frame. `at` in the reader's error is the offset of the frame's first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// Fewer bytes are left than the frame says (or than a header has).
    Truncated {
        wanted: usize,
        left: usize,
    },
    BadMagic([u8; 4]),
    BadVersion(u8),
    BadKind(u8),
    BadPhase(u8),
    TooLong(usize),
    BadChecksum {
        stated: u32,
        computed: u32,
    },
}

impl core::fmt::Display for FrameError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            FrameError::Truncated { wanted, left } => {
                write!(f, "truncated frame: {wanted} bytes wanted, {left} left")
            }
            FrameError::BadMagic(bytes) => write!(f, "no frame here: found bytes {bytes:02x?}"),
            FrameError::BadVersion(version) => {
                write!(f, "protocol version {version}, this host speaks {VERSION}")
            }
            FrameError::BadKind(kind) => write!(f, "unknown frame kind {kind}"),
            FrameError::BadPhase(phase) => write!(f, "unknown phase {phase}"),
            FrameError::TooLong(length) => {
                write!(
                    f,
                    "payload of {length} bytes, at most {MAX_PAYLOAD} allowed"
                )
            }
            FrameError::BadChecksum { stated, computed } => write!(
                f,
                "checksum {computed:08x} where the frame states {stated:08x}"
            ),
        }
    }
}

impl Frame<'_> {
    /// Writes the header of a frame in front of a payload that already lies at `buffer[HEADER..]`, and returns the frame's
    /// whole length; `None` when the payload is too long or the buffer too short.
    pub fn seal(&self, buffer: &mut [u8], payload_len: usize) -> Option<usize> {
        let total = HEADER + payload_len;
        if payload_len > MAX_PAYLOAD || buffer.len() < total {
            return None;
        }
        buffer[..4].copy_from_slice(&MAGIC);
        buffer[4] = VERSION;
        buffer[5] = self.kind as u8;
        buffer[6] = self.phase as u8;
        buffer[7] = self.generation;
        buffer[8..12].copy_from_slice(&self.vcpu.to_le_bytes());
        buffer[12..14].copy_from_slice(&(payload_len as u16).to_le_bytes());
        buffer[14..16].copy_from_slice(&self.sequence.to_le_bytes());
        let crc = crc32(&[&buffer[..16], &buffer[HEADER..total]]);
        buffer[16..20].copy_from_slice(&crc.to_le_bytes());
        Some(total)
    }

    /// Reads the frame at the front of `bytes` and its whole length.
    pub fn read(bytes: &[u8]) -> Result<(Frame<'_>, usize), FrameError> {
        let header = bytes.get(..HEADER).ok_or(FrameError::Truncated {
            wanted: HEADER,
            left: bytes.len(),
        })?;
        let magic = [header[0], header[1], header[2], header[3]];
        if magic != MAGIC {
            return Err(FrameError::BadMagic(magic));
        }
        if header[4] != VERSION {
            return Err(FrameError::BadVersion(header[4]));
        }
        let length = usize::from(u16::from_le_bytes([header[12], header[13]]));
        if length > MAX_PAYLOAD {
            return Err(FrameError::TooLong(length));
        }
        let total = HEADER + length;
        let payload = bytes.get(HEADER..total).ok_or(FrameError::Truncated {
            wanted: total,
            left: bytes.len(),
        })?;
        let stated = u32::from_le_bytes([header[16], header[17], header[18], header[19]]);
        let computed = crc32(&[&header[..16], payload]);
        if stated != computed {
            return Err(FrameError::BadChecksum { stated, computed });
        }
        let frame = Frame {
            kind: Kind::from_byte(header[5]).ok_or(FrameError::BadKind(header[5]))?,
            phase: Phase::from_byte(header[6]).ok_or(FrameError::BadPhase(header[6]))?,
            generation: header[7],
            vcpu: u32::from_le_bytes([header[8], header[9], header[10], header[11]]),
            sequence: u16::from_le_bytes([header[14], header[15]]),
            payload,
        };
        Ok((frame, total))
    }
}

#[cfg(test)]
mod tests;
