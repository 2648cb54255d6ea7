//! The wire format: the one contract between the in-guest agent and the host.
//!
//! The guest writes *frames*; the host reads them and trusts nothing. The crate is `no_std`, allocates nothing and forbids
//! unsafe code, so that the same source serves the bare-metal agent, the Linux guest and the host.
//!
//! # How a dump travels
//! Every vCPU owns a *slot* in guest RAM ([`slot`]): a small header, then a stream of frames ([`frame`]), then its stack.
//! On the RAM channel the host has mapped guest RAM and reads the slots when the guest signals; a guest that hangs or a VMM
//! that dies leaves behind all frames finished until then. On the port channel the boot processor sends the same frames
//! through the debug port. What the agent should do stands in the *mailbox* ([`config`]), a block of RAM which the host fills
//! before the guest starts; without one (RAM is zero) the agent uses [`config::Config::default`], the port channel.
//!
//! # Layout of a frame
//! All integers are little-endian.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | magic, [`frame::MAGIC`] |
//! | 4 | 1 | version, [`VERSION`] |
//! | 5 | 1 | kind, [`frame::Kind`] |
//! | 6 | 1 | phase, [`frame::Phase`] |
//! | 7 | 1 | generation: 0 for the first dump, +1 for each repeat (wraps) |
//! | 8 | 4 | vCPU: the initial APIC ID as CPUID.01H:EBX[31:24] tells it, or the x2APIC ID where leaf 0BH is there |
//! | 12 | 2 | payload length in bytes, at most [`frame::MAX_PAYLOAD`] |
//! | 14 | 2 | sequence number within this vCPU and generation, from 0 |
//! | 16 | 4 | CRC-32 (IEEE) of bytes 0–15 and the payload |
//! | 20 | … | payload: a whole number of the kind's entries |
#![no_std]
#![forbid(unsafe_code)]

pub mod config;
pub mod crc;
pub mod entry;
pub mod frame;
pub mod leaves;
pub mod slot;
pub mod walk;

/// Version of everything in this crate; a host refuses frames of another one.
pub const VERSION: u8 = 2;
