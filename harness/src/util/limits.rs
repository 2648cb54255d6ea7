//! How much is taken of what comes from outside: every limit once.
//!
//! Each is far above what real data has (the figures are measured), and low enough that reading it needs at most 256 MiB.

const MIB: u64 = 1 << 20;

/// Guests at once, for each core: more only wait for one another.
pub const JOBS_PER_CORE: usize = 4;
/// vCPUs of a guest. QEMU's machine types have at most 4096 (`max_cpus` of q35 in QEMU 10.1).
pub const VCPUS: u32 = 4096;
/// Seconds that a guest may be given: a day.
pub const TIMEOUT: u64 = 24 * 3600;
/// Milliseconds that a case may say it took: a year.
pub const DURATION_MS: f64 = 365.0 * 24.0 * 3600.0 * 1000.0;

/// Bytes of a QMP message. `query-cpu-model-expansion` gives 20 KB, `query-cpu-definitions` 60 KB.
pub const QMP_MESSAGE: usize = 2 << 20;
/// QMP events that are kept until somebody waits for one.
pub const QMP_EVENTS: usize = 1024;
/// Bytes of all of them together.
pub const QMP_EVENT_BYTES: usize = 2 << 20;

/// Bytes of a process's output that are kept; what is behind them is dropped.
pub const OUTPUT: usize = 64 << 10;
/// Bytes of a line of output that is handed on; the rest of a longer one is another line.
pub const OUTPUT_LINE: usize = 64 << 10;

/// Bytes of a file that people write, or that is recorded for people to read: configuration, tables, expectations. The largest, features.tsv,
/// has 80 KB.
pub const TEXT: u64 = 8 * MIB;
/// Bytes of a record or dump: 60 KB, and 4 KB for each further vCPU.
pub const RECORD: u64 = 64 * MIB;
/// Lines of a text with dumps: 4096 processors of 100 lines each have fewer.
pub const INPUT_LINES: usize = 500_000;
/// Bytes of the results of a run, or of its journal: 5 KB a case.
pub const RESULTS: u64 = 128 * MIB;
/// Bytes of a line of them.
pub const RESULTS_LINE: usize = 8 << 20;
/// Bytes of what the kernel shows of itself below /proc and /sys.
pub const KERNEL_TEXT: u64 = 16 * MIB;
/// Bytes of an ELF file that is taken into a lab. A QEMU with debug information has some 100 MB.
pub const PROGRAM: u64 = 200 * MIB;
/// Bytes of a file that is taken for a wrapper script when a QEMU's answers are looked up.
pub const SCRIPT: u64 = 64 << 10;

/// Bytes of the state of a saved guest: of one with 8 MiB of RAM, which are all zero but for what the agent wrote, some 200 KB.
pub const GUEST_STATE: u64 = 16 * MIB;

/// Bytes of a kernel's image as it lies on disk (12 MB), or of its ELF file (57 MB).
pub const KERNEL: u64 = 200 * MIB;
/// MiB that a kernel's image may unpack to. zstd's window takes 128 MiB beside it.
pub const KERNEL_UNPACKED: u64 = 120;
/// KiB that an xz decoder may take: `xz -9` has a dictionary of 64 MiB.
pub const XZ_MEMORY: u32 = 80 << 10;
/// Bytes of a module's file, packed.
pub const MODULE: u64 = 64 * MIB;
/// MiB that a module may unpack to: kvm.ko with debug information has some 20 MB.
pub const MODULE_UNPACKED: u64 = 64;
/// Bytes that all modules of a guest may unpack to, together.
pub const MODULES_UNPACKED: usize = 128 << 20;
/// Modules of a guest, with all that they depend on: kvm_amd has two.
pub const MODULES: usize = 64;

/// Bytes of an XML text: libvirt's largest map has 60 KB.
pub const XML: usize = 4 << 20;
/// Elements and texts of an XML text.
pub const XML_NODES: u32 = 200_000;
/// Attributes of one XML element: comparing each with each takes the square of it.
pub const XML_ATTRIBUTES: usize = 256;
/// Files of libvirt's cpu_map that include one another in a chain: `index.xml` and those that it includes.
pub const XML_INCLUDES: usize = 8;

/// Bytes that virsh answers to one command: `domcapabilities` has some 30,000.
pub const LIBVIRT_ANSWER: usize = 4 << 20;

/// Bytes of a pattern over names: matching takes the square of it.
pub const GLOB: usize = 256;

/// Versions of a CPU model that a range in an expectation may name; QEMU's models have up to nine.
pub const MODEL_VERSIONS: u32 = 256;
/// Brackets within brackets, in a rule of linux.tsv or in an expansion of a wrapper script.
pub const NESTED: usize = 32;
