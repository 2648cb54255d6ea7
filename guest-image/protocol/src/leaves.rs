//! Which leaves and subleaves are walked: shared by the 64-bit agent, the 32-bit agent (which reads the tables as data),
//! the Linux guest and the host's own dump.

/// Bases of the leaf ranges (Intel SDM vol. 2 "CPUID"; Hyper-V TLFS for 0x40000000; KVM's cpuid.rst for 0x40000100 beside
/// Hyper-V; Transmeta's, Hygon's and Centaur's). A base whose EAX is not within `base..=base + MAX_LEAVES` has no range.
pub const RANGES: [u32; 7] = [
    0,
    0x4000_0000,
    0x4000_0100,
    0x8000_0000,
    0x8086_0000,
    HYGON,
    0xC000_0000,
];

/// Hygon's own range (init_hygon_cap in arch/x86/kernel/cpu/hygon.c of OpenCloudOS and openEuler). Leaves past its end are probed
/// only where it is there: on all other processors it is one more leaf in no range.
pub const HYGON: u32 = 0x8C86_0000;

/// Most leaves walked past a base: a limit beyond it (a guest may be given any) is followed no further.
pub const MAX_LEAVES: u32 = 0xFF;
/// Most subleaves walked of one leaf.
pub const MAX_SUBLEAVES: u32 = 64;

/// How the subleaves of a leaf are counted. The number is what the 32-bit agent sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Rule {
    /// Subleaf 0's EAX is the last subleaf.
    LastInEax = 1,
    /// Up to and including the first subleaf whose EAX AND `mask` is 0.
    UntilEax = 2,
    /// Up to and including the first subleaf whose ECX AND `mask` is 0.
    UntilEcx = 3,
    /// Subleaf 0, and each subleaf n whose bit n in subleaf 0's EAX is set.
    BitmapEax = 4,
    /// Subleaf 0, and each subleaf n whose bit n in subleaf 0's EBX is set.
    BitmapEbx = 5,
    /// Subleaf 0, and each subleaf n whose bit n in subleaf 0's EDX is set.
    BitmapEdx = 6,
    /// Subleaves 0 to `mask`.
    Fixed = 7,
    /// CPUID.0DH: 0, 1, and each component n offered by sub 0's EDX:EAX or sub 1's EDX:ECX.
    Xsave = 8,
    /// Subleaves 0 and 1, and from 2 on up to and including the first whose EAX AND `mask` is 0.
    AfterOneUntilEax = 9,
}

/// A leaf that has subleaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Indexed {
    pub leaf: u32,
    pub rule: Rule,
    /// Meaning as [`Rule`] says; 0 where it has none.
    pub mask: u32,
}

const fn indexed(leaf: u32, rule: Rule, mask: u32) -> Indexed {
    Indexed { leaf, rule, mask }
}

/// Every leaf that has subleaves; all others have subleaf 0 alone. (Intel SDM vol. 2 "CPUID", AMD APM vol. 3 appendix E.)
pub const INDEXED: [Indexed; 23] = [
    indexed(0x04, Rule::UntilEax, 0x1F),
    indexed(0x07, Rule::LastInEax, 0),
    indexed(0x0B, Rule::UntilEcx, 0xFF00),
    indexed(0x0D, Rule::Xsave, 0),
    indexed(0x0F, Rule::BitmapEdx, 0),
    indexed(0x10, Rule::BitmapEbx, 0),
    indexed(0x12, Rule::AfterOneUntilEax, 0xF),
    indexed(0x14, Rule::LastInEax, 0),
    indexed(0x17, Rule::LastInEax, 0),
    indexed(0x18, Rule::LastInEax, 0),
    indexed(0x1B, Rule::UntilEax, 0xFFF),
    indexed(0x1D, Rule::LastInEax, 0),
    indexed(0x1E, Rule::Fixed, 1),
    indexed(0x1F, Rule::UntilEcx, 0xFF00),
    indexed(0x20, Rule::LastInEax, 0),
    indexed(0x23, Rule::BitmapEax, 0),
    indexed(0x24, Rule::LastInEax, 0),
    indexed(0x27, Rule::BitmapEdx, 0),
    indexed(0x28, Rule::BitmapEbx, 0),
    indexed(0x29, Rule::LastInEax, 0),
    indexed(0x8000_001D, Rule::UntilEax, 0x1F),
    indexed(0x8000_0020, Rule::BitmapEbx, 0),
    indexed(0x8000_0026, Rule::UntilEcx, 0xFF00),
];

/// The MSRs that are read by name in phase `msrs` (Intel SDM vol. 4; AMD APM vol. 2 appendix A; KVM's msr.rst; Hyper-V TLFS).
pub const FEATURE_MSRS: [u32; 62] = [
    0x0000_0010, // TSC is volatile and left out of expectations; its readability is not
    0x0000_001B, // IA32_APIC_BASE
    0x0000_003A, // IA32_FEATURE_CONTROL
    0x0000_0048, // IA32_SPEC_CTRL
    0x0000_008B, // IA32_BIOS_SIGN_ID, AMD PATCH_LEVEL
    0x0000_00CE, // MSR_PLATFORM_INFO
    0x0000_00CF, // IA32_CORE_CAPABILITIES
    0x0000_00FE, // IA32_MTRRCAP
    0x0000_010A, // IA32_ARCH_CAPABILITIES
    0x0000_010B, // IA32_FLUSH_CMD (write-only where it exists)
    0x0000_0122, // IA32_TSX_CTRL
    0x0000_0140, // MISC_FEATURES_ENABLES
    0x0000_0179, // IA32_MCG_CAP
    0x0000_01A0, // IA32_MISC_ENABLE
    0x0000_01D9, // IA32_DEBUGCTL
    0x0000_0277, // IA32_PAT
    0x0000_0345, // IA32_PERF_CAPABILITIES
    0x0000_0480, // IA32_VMX_BASIC
    0x0000_0481,
    0x0000_0482,
    0x0000_0483,
    0x0000_0484,
    0x0000_0485,
    0x0000_0486,
    0x0000_0487,
    0x0000_0488,
    0x0000_0489,
    0x0000_048A,
    0x0000_048B,
    0x0000_048C,
    0x0000_048D,
    0x0000_048E,
    0x0000_048F,
    0x0000_0490,
    0x0000_0491,
    0x0000_0492,
    0x0000_0493, // IA32_VMX_EXIT_CTLS2
    0x0000_06A0, // IA32_U_CET
    0x0000_06A2, // IA32_S_CET
    0x0000_0DA0, // IA32_XSS
    0x4000_0000, // HV_X64_MSR_GUEST_OS_ID
    0x4000_0001, // HV_X64_MSR_HYPERCALL
    0x4000_0002, // HV_X64_MSR_VP_INDEX
    0x4000_0021, // HV_X64_MSR_REFERENCE_TSC
    0x4000_0118, // HV_X64_MSR_TSC_INVARIANT_CONTROL
    0x4B56_4D00, // MSR_KVM_WALL_CLOCK_NEW
    0x4B56_4D01, // MSR_KVM_SYSTEM_TIME_NEW
    0x4B56_4D02, // MSR_KVM_ASYNC_PF_EN
    0x4B56_4D03, // MSR_KVM_STEAL_TIME
    0x4B56_4D04, // MSR_KVM_PV_EOI_EN
    0x4B56_4D05, // MSR_KVM_POLL_CONTROL
    0x4B56_4D08, // MSR_KVM_MIGRATION_CONTROL
    0xC000_0080, // IA32_EFER
    0xC000_0102, // IA32_KERNEL_GS_BASE
    0xC000_0103, // IA32_TSC_AUX
    0xC000_0104, // AMD TSC_RATIO
    0xC001_0010, // AMD SYSCFG
    0xC001_0015, // AMD HWCR
    0xC001_0114, // AMD VM_CR
    0xC001_011F, // AMD VIRT_SPEC_CTRL
    0xC001_1022, // AMD DC_CFG
    0xC001_1029, // AMD DE_CFG
];

/// An MSR and what the agent writes into it under [`crate::config::FLAG_MARK`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Mark {
    pub index: u32,
    pub low: u32,
    pub high: u32,
}

const fn mark(index: u32, value: u64) -> Mark {
    let (low, high) = (value as u32, (value >> 32) as u32);
    Mark { index, low, high }
}

/// State that a guest has made its own and that travels in the migration stream: values unlike those after reset, so that an MSR
/// which is not carried shows. None of them changes what CPUID answers or how the agent runs; where one is refused the read tells.
///
/// Left out is what KVM takes from a guest to which CPUID does not announce it, for QEMU carries what is announced: with
/// MSR_KVM_POLL_CONTROL a guest without `kvm-poll-control` loses what it wrote (measured, QEMU 5.2 to 11.1, Linux 6.12).
pub const MARKS: [Mark; 6] = [
    mark(0x0000_003A, 1),                     // IA32_FEATURE_CONTROL: locked
    mark(0x0000_0048, 1),                     // IA32_SPEC_CTRL: IBRS
    mark(0x0000_0277, 0x0001_0406_0007_0406), // IA32_PAT: entry 6 write-combining
    mark(0x4000_0000, 0x8100_0000_0000_0001), // HV_X64_MSR_GUEST_OS_ID: an open-source system
    mark(0xC000_0102, 0x1234_5678_9000),      // IA32_KERNEL_GS_BASE
    mark(0xC000_0103, 0x5A),                  // IA32_TSC_AUX
];

/// The subleaf rule of `leaf`, `None` where it has subleaf 0 alone.
pub fn rule(leaf: u32) -> Option<Indexed> {
    INDEXED.into_iter().find(|indexed| indexed.leaf == leaf)
}
