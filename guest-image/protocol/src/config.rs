//! The mailbox: what the host asks of the agent, at physical address [`ADDRESS`].
//!
//! All fields are 32-bit little-endian words, in the order of [`Config`]'s fields behind the magic word; the sweep's ranges
//! follow as pairs. RAM that was never written holds no magic, and the agent then takes the default.

use crate::frame::Phase;

/// Physical address of the mailbox; guest RAM starts at 0 on every machine type.
pub const ADDRESS: usize = 0x1000;
/// Bytes reserved for the mailbox.
pub const SIZE: usize = 0x400;
/// First word of a filled mailbox.
pub const MAGIC: u32 = 0x4746_4343;
/// Most ranges of one sweep.
pub const MAX_RANGES: usize = 16;

pub const AT_FLAGS: usize = 4;
pub const AT_PHASES: usize = 8;
pub const AT_VCPUS: usize = 12;
pub const AT_SLOT_BASE: usize = 16;
pub const AT_SLOT_SIZE: usize = 20;
pub const AT_SLOTS: usize = 24;
pub const AT_DEBUG_PORT: usize = 28;
pub const AT_EXIT_PORT: usize = 32;
pub const AT_RANGES: usize = 36;
pub const AT_RANGE: usize = 40;
pub const AT_PROBES: usize = AT_RANGE + 8 * MAX_RANGES;
/// Words of the set of probes, a bit for each row of their table.
pub const PROBE_WORDS: usize = 8;

/// Send frames through the debug port too. Without it they stay in RAM for the host to read.
pub const FLAG_PORT: u32 = 1;
/// After the dump say so on the debug port (one byte, [`READY`]) and wait for a command byte on COM1.
pub const FLAG_WAIT: u32 = 2;
/// Probe CPUID.1FH past its end as well: aborts QEMU 10.0 and 11.1 under TCG.
pub const FLAG_PROBE_1F: u32 = 4;
/// Leave XCR0 alone: execute neither XGETBV nor XSETBV, and report no XCR0. For a KVM that supports no XSAVE: where it
/// emulates ring 0 it ends the guest at XGETBV, which its emulator does not know (arch/x86/kvm/emulate.c, group7).
pub const FLAG_NO_XCR0: u32 = 8;
/// Before its first dump the boot processor writes [`crate::leaves::MARKS`] into its MSRs: state that migration must carry.
pub const FLAG_MARK: u32 = 16;
/// Try bits of CR4 that CPUID does not announce. QEMU's TCG hangs on them (docs/findings/02).
pub const FLAG_HIDDEN_CR4: u32 = 32;
/// Finish a frame after each probe, so that a guest which one of them kills has delivered all earlier ones.
pub const FLAG_EACH_PROBE: u32 = 64;

/// Byte on the debug port that says "dump complete, waiting" under [`FLAG_WAIT`] on the RAM channel.
pub const READY: u8 = b'R';
/// COM1 command: dump again. The number of vCPUs is read from the mailbox anew, for one may have been plugged in.
pub const COMMAND_DUMP: u8 = b'd';
/// COM1 command: leave.
pub const COMMAND_QUIT: u8 = b'q';
/// Value written to the exit port at the end.
pub const EXIT_OK: u8 = 0x10;
/// Value written to the exit port after an unexpected exception on the boot processor.
pub const EXIT_FAULT: u8 = 0x11;

/// A decoded mailbox. The agent's assembly reads it by offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Config {
    /// `FLAG_*`.
    pub flags: u32,
    /// [`Phase::bit`] of each phase to run.
    pub phases: u32,
    /// vCPUs to wait for; 0 when unknown (the agent then asks QEMU's fw_cfg, else takes 1).
    pub vcpus: u32,
    /// Physical address of slot 0.
    pub slot_base: u32,
    /// Bytes of a slot.
    pub slot_size: u32,
    /// Slots there are; further vCPUs halt unseen (the end mark's count tells).
    pub slots: u32,
    /// I/O port of the debug console.
    pub debug_port: u32,
    /// I/O port of isa-debug-exit.
    pub exit_port: u32,
    /// Ranges in use in `ranges`.
    pub range_count: u32,
    /// MSR index ranges to sweep, first and last inclusive.
    pub ranges: [(u32, u32); MAX_RANGES],
    /// The probes to try in phase `behaviour`: bit `row % 32` of word `row / 32`.
    pub probes: [u32; PROBE_WORDS],
}

impl Default for Config {
    fn default() -> Self {
        Config::DEFAULT
    }
}

impl Config {
    /// What the agent does without a mailbox; a constant, for it stands in the ROM as data.
    pub const DEFAULT: Config = Config {
        flags: FLAG_PORT,
        phases: Phase::Reset.bit()
            | Phase::Msrs.bit()
            | Phase::Enabled.bit()
            | Phase::Aps.bit()
            | Phase::Probes.bit()
            | Phase::Behaviour.bit(),
        vcpus: 0,
        slot_base: 0x10_0000,
        slot_size: 0x1_0000,
        slots: 16,
        debug_port: 0x402,
        exit_port: 0x501,
        range_count: 0,
        ranges: [(0, 0); MAX_RANGES],
        probes: [u32::MAX; PROBE_WORDS],
    };

    /// Writes the mailbox into `out`, which must have [`SIZE`] bytes.
    pub fn write(&self, out: &mut [u8; SIZE]) {
        let fixed = [
            MAGIC,
            self.flags,
            self.phases,
            self.vcpus,
            self.slot_base,
            self.slot_size,
            self.slots,
            self.debug_port,
            self.exit_port,
            self.range_count,
        ];
        let ranges = self.ranges.iter().flat_map(|range| [range.0, range.1]);
        let words = fixed.into_iter().chain(ranges).chain(self.probes);
        for (slot, word) in out.chunks_exact_mut(4).zip(words) {
            slot.copy_from_slice(&word.to_le_bytes());
        }
    }

    /// Reads a mailbox; `None` when none was written or it asks for more ranges than there is room for.
    pub fn read(bytes: &[u8; SIZE]) -> Option<Config> {
        let word = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        if word(0) != MAGIC || word(AT_RANGES) as usize > MAX_RANGES {
            return None;
        }
        let mut ranges = [(0, 0); MAX_RANGES];
        for (index, range) in ranges.iter_mut().enumerate() {
            *range = (word(AT_RANGE + 8 * index), word(AT_RANGE + 8 * index + 4));
        }
        let mut probes = [0; PROBE_WORDS];
        for (index, part) in probes.iter_mut().enumerate() {
            *part = word(AT_PROBES + 4 * index);
        }
        Some(Config {
            probes,
            flags: word(AT_FLAGS),
            phases: word(AT_PHASES),
            vcpus: word(AT_VCPUS),
            slot_base: word(AT_SLOT_BASE),
            slot_size: word(AT_SLOT_SIZE),
            slots: word(AT_SLOTS),
            debug_port: word(AT_DEBUG_PORT),
            exit_port: word(AT_EXIT_PORT),
            range_count: word(AT_RANGES),
            ranges,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    prop_compose! {
        fn config()(
            words in any::<[u32; 8]>(),
            range_count in 0..=MAX_RANGES as u32,
            ranges in any::<[(u32, u32); MAX_RANGES]>(),
            probes in any::<[u32; PROBE_WORDS]>(),
        ) -> Config {
            let [flags, phases, vcpus, slot_base, slot_size, slots, debug_port, exit_port] = words;
            Config { flags, phases, vcpus, slot_base, slot_size, slots, debug_port, exit_port, range_count, ranges, probes }
        }
    }

    proptest! {
        #[test]
        fn any_mailbox_reads_back_as_written(config in config(), before in any::<u8>()) {
            let mut bytes = [before; SIZE];
            config.write(&mut bytes);
            prop_assert_eq!(Config::read(&bytes), Some(config));
        }

        #[test]
        fn more_ranges_than_there_is_room_for_are_refused(config in config(), count in MAX_RANGES as u32 + 1..) {
            let mut bytes = [0; SIZE];
            Config { range_count: count, ..config }.write(&mut bytes);
            prop_assert_eq!(Config::read(&bytes), None);
        }
    }

    #[test]
    fn a_mailbox_reads_back_as_written() {
        let mut config = Config {
            vcpus: 288,
            range_count: 2,
            ..Config::default()
        };
        config.ranges[1] = (0xC000_0000, 0xC000_1FFF);
        let mut bytes = [0; SIZE];
        config.write(&mut bytes);
        assert_eq!(Config::read(&bytes), Some(config));
    }

    #[test]
    fn zeroed_ram_holds_no_mailbox() {
        assert_eq!(Config::read(&[0; SIZE]), None);
    }
}
