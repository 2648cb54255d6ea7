//! Everything the assembly needs to know of the protocol and of the memory map, as assembler symbols.
//!
//! One place defines each number: what the wire format says comes from `fidelity-protocol`, what is the firmware's own
//! stands in [`memory`].

use core::mem::{offset_of, size_of};

use fidelity_protocol::config::{self, Config};
use fidelity_protocol::entry::{Control, Entry, Fault};
use fidelity_protocol::frame::{self, Kind, Phase};
use fidelity_protocol::leaves::{self, Indexed, Mark};
use fidelity_protocol::slot;

use crate::behaviour::{self, PROBES, Probe};
use crate::enable::{CR4_FEATURES, Cr4Feature};
use crate::{cpu, memory, pages, probes, processors, stream, walk};

macro_rules! assembler_symbols {
    ($($name:ident = $value:expr,)*) => {
        core::arch::global_asm!(
            $(concat!(".set ", stringify!($name), ", {", stringify!($name), "}"),)*
            $($name = const $value,)*
        );
    };
}

// Memory map and mailbox.
assembler_symbols! {
    ROM = memory::ROM,
    PAGE_TABLES = memory::PAGE_TABLES,
    DONE_QUEUE = memory::DONE_QUEUE,
    DONE_QUEUE_LEN = memory::DONE_QUEUE_LEN,
    LOCAL_APIC = memory::LOCAL_APIC,
    UPPER = pages::UPPER,
    MAILBOX = config::ADDRESS,
    MAILBOX_MAGIC = config::MAGIC,
    MAILBOX_RANGES = config::AT_RANGES,
    MAILBOX_FIELDS = config::AT_FLAGS,
    MAX_RANGES = config::MAX_RANGES,
    CONFIG_WORDS = size_of::<Config>() / 4,
    CONFIG_FLAGS = offset_of!(Config, flags),
    CONFIG_PHASES = offset_of!(Config, phases),
    CONFIG_VCPUS = offset_of!(Config, vcpus),
    CONFIG_SLOT_BASE = offset_of!(Config, slot_base),
    CONFIG_SLOT_SIZE = offset_of!(Config, slot_size),
    CONFIG_SLOTS = offset_of!(Config, slots),
    CONFIG_DEBUG_PORT = offset_of!(Config, debug_port),
    CONFIG_EXIT_PORT = offset_of!(Config, exit_port),
    CONFIG_RANGE_COUNT = offset_of!(Config, range_count),
    CONFIG_RANGES = offset_of!(Config, ranges),
    CONFIG_PROBES = offset_of!(Config, probes),
    FLAG_PORT = config::FLAG_PORT,
    FLAG_WAIT = config::FLAG_WAIT,
    FLAG_PROBE_1F = config::FLAG_PROBE_1F,
    FLAG_NO_XCR0 = config::FLAG_NO_XCR0,
    FLAG_MARK = config::FLAG_MARK,
    FLAG_EACH_PROBE = config::FLAG_EACH_PROBE,
    FLAG_HIDDEN_CR4 = config::FLAG_HIDDEN_CR4,
    MAILBOX_VCPUS = config::AT_VCPUS,
    READY = config::READY,
    COMMAND_DUMP = config::COMMAND_DUMP,
    COMMAND_QUIT = config::COMMAND_QUIT,
    EXIT_OK = config::EXIT_OK,
    EXIT_FAULT = config::EXIT_FAULT,
}

// Slots and frames.
assembler_symbols! {
    SLOT_MAGIC = slot::MAGIC,
    SLOT_HEADER = slot::HEADER,
    SLOT_STACK = slot::STACK,
    SLOT_MAGIC_AT = slot::AT_MAGIC,
    SLOT_VCPU = slot::AT_VCPU,
    SLOT_USED = slot::AT_USED,
    SLOT_STATE = slot::AT_STATE,
    SLOT_OP = slot::AT_OP,
    SLOT_OPERAND = slot::AT_OPERAND,
    SLOT_OPERAND2 = slot::AT_OPERAND2,
    SLOT_GENERATION = slot::AT_GENERATION,
    SLOT_RUNNING = slot::RUNNING,
    SLOT_DONE = slot::DONE,
    SLOT_FAULTED = slot::FAULTED,
    OP_NONE = slot::OP_NONE,
    OP_CPUID = slot::OP_CPUID,
    OP_RDMSR = slot::OP_RDMSR,
    OP_CONTROL = slot::OP_CONTROL,
    OP_WAIT_APS = slot::OP_WAIT_APS,
    OP_WAIT_HOST = slot::OP_WAIT_HOST,
    OP_WRMSR = slot::OP_WRMSR,
    OP_PROBE = slot::OP_PROBE,
    PROTOCOL_VERSION = fidelity_protocol::VERSION,
    FRAME_MAGIC = u32::from_le_bytes(frame::MAGIC),
    FRAME_HEADER = frame::HEADER,
    MAX_PAYLOAD = frame::MAX_PAYLOAD,
    STREAM_RESERVE = stream::RESERVE,
    FAULT_SIZE = Fault::SIZE,
    KIND_HELLO = Kind::Hello as u8,
    KIND_PHASE_BEGIN = Kind::PhaseBegin as u8,
    KIND_CPUID = Kind::Cpuid as u8,
    KIND_MSR = Kind::Msr as u8,
    KIND_MSR_RUN = Kind::MsrRun as u8,
    KIND_CONTROL = Kind::Control as u8,
    KIND_PHASE_END = Kind::PhaseEnd as u8,
    KIND_FAULT = Kind::Fault as u8,
    KIND_END = Kind::End as u8,
    KIND_PROBE = Kind::Probe as u8,
    PHASE_RESET = Phase::Reset as u8,
    PHASE_MSRS = Phase::Msrs as u8,
    PHASE_ENABLED = Phase::Enabled as u8,
    PHASE_APS = Phase::Aps as u8,
    PHASE_PROBES = Phase::Probes as u8,
    PHASE_SWEEP = Phase::Sweep as u8,
    PHASE_BEHAVIOUR = Phase::Behaviour as u8,
}

// What is looked at.
assembler_symbols! {
    RANGE_COUNT = leaves::RANGES.len(),
    MAX_LEAVES = leaves::MAX_LEAVES,
    MAX_SUBLEAVES = leaves::MAX_SUBLEAVES,
    HYPERVISOR = walk::HYPERVISOR,
    HYPERVISOR_SECOND = walk::HYPERVISOR_SECOND,
    HYGON = leaves::HYGON,
    INDEXED_COUNT = leaves::INDEXED.len(),
    INDEXED_SIZE = size_of::<Indexed>(),
    INDEXED_RULE = offset_of!(Indexed, rule),
    INDEXED_MASK = offset_of!(Indexed, mask),
    FEATURE_MSR_COUNT = leaves::FEATURE_MSRS.len(),
    MARK_COUNT = leaves::MARKS.len(),
    MARK_SIZE = size_of::<Mark>(),
    MARK_LOW = offset_of!(Mark, low),
    MARK_HIGH = offset_of!(Mark, high),
    NOWHERE_COUNT = probes::NOWHERE.len(),
    PLAIN_COUNT = probes::PLAIN.len(),
    V2_TOPOLOGY = probes::V2_TOPOLOGY,
    V2_TOPOLOGY_LAST = probes::V2_TOPOLOGY_LAST,
    CR4_FEATURE_COUNT = CR4_FEATURES.len(),
    CR4_FEATURE_SIZE = size_of::<Cr4Feature>(),
    CR4_FEATURE_CR4 = offset_of!(Cr4Feature, cr4),
    CR4_FEATURE_LEAF = offset_of!(Cr4Feature, leaf),
    CR4_FEATURE_REGISTER = offset_of!(Cr4Feature, register),
    CR4_FEATURE_MASK = offset_of!(Cr4Feature, mask),
    APIC_BASE = cpu::APIC_BASE,
    EFER = cpu::EFER,
    CONTROL_CR0 = Control::Cr0 as u32,
    CONTROL_CR4 = Control::Cr4 as u32,
    CONTROL_XCR0 = Control::Xcr0 as u32,
    CONTROL_EFER = Control::Efer as u32,
    CONTROL_APIC_BASE = Control::ApicBase as u32,
    CONTROL_RESET_EDX = Control::ResetEdx as u32,
    CONTROL_WANTED_XCR0 = Control::WantedXcr0 as u32,
    CONTROL_WANTED_CR4 = Control::WantedCr4 as u32,
    APIC_SPURIOUS = processors::SPURIOUS,
    APIC_SPURIOUS_ENABLED = processors::SPURIOUS_ENABLED,
    APIC_COMMAND = processors::COMMAND,
    APIC_INIT_ALL_OTHERS = processors::INIT_ALL_OTHERS,
    APIC_SIPI_ALL_OTHERS = processors::SIPI_ALL_OTHERS,
    X2APIC_MSRS = processors::X2APIC_MSRS,
}

// Probes of behaviour.
assembler_symbols! {
    PROBE_COUNT = PROBES.len(),
    PROBE_SIZE = size_of::<Probe>(),
    PROBE_REGISTER = offset_of!(Probe, code),
    PROBE_EAX = offset_of!(Probe, eax),
    PROBE_ECX = offset_of!(Probe, ecx),
    PROBE_EDX = offset_of!(Probe, edx),
    PROBE_KIND = offset_of!(Probe, kind),
    PROBE_RESULT = offset_of!(Probe, result),
    PROBE_MODES = offset_of!(Probe, modes),
    PROBE_KIND_CR4 = behaviour::Kind::Cr4 as u8,
    PROBE_KIND_XCR0 = behaviour::Kind::Xcr0 as u8,
    PROBE_KIND_MSR = behaviour::Kind::Msr as u8,
    PROBE_KIND_WRMSR = behaviour::Kind::Wrmsr as u8,
    STATE_MSR = behaviour::state::STATE_MSR,
    STATUS_NOT_TRIED = fidelity_protocol::entry::status::NOT_TRIED,
    MODE_32 = behaviour::MODE_32,
    RESULT_EAX = behaviour::RESULT_EAX,
    RESULT_ECX = behaviour::RESULT_ECX,
    TSC_AUX = behaviour::TSC_AUX,
    TSC_AUX_MARK = behaviour::TSC_AUX_MARK,
    TOGETHER = behaviour::TOGETHER,
    COMMON_XCR0 = behaviour::COMMON_XCR0,
    LINE = memory::LINE,
}
