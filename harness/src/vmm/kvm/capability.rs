//! The capabilities that decide what a guest's CPUID and feature MSRs can be.

use std::collections::BTreeMap;

use kvm_bindings as kvm;
use kvm_ioctls::Kvm;

/// By name: what KVM_CHECK_EXTENSION answers, 0 where KVM lacks it. (Documentation/virt/kvm/api.rst.)
pub fn capabilities(kvm: &Kvm) -> BTreeMap<String, i32> {
    let ask = |(name, number): &(&str, u32)| {
        (
            (*name).to_owned(),
            kvm.check_extension_raw((*number).into()),
        )
    };
    CAPABILITIES.iter().map(ask).collect()
}

macro_rules! capabilities {
    ($($name:ident,)*) => { &[$((stringify!($name), kvm::$name),)*] };
}

/// Names and numbers.
pub const CAPABILITIES: &[(&str, u32)] = capabilities![
    KVM_CAP_ASYNC_PF_INT,
    KVM_CAP_DISABLE_QUIRKS,
    KVM_CAP_DISABLE_QUIRKS2,
    KVM_CAP_ENFORCE_PV_FEATURE_CPUID,
    KVM_CAP_EXT_CPUID,
    KVM_CAP_EXT_EMUL_CPUID,
    KVM_CAP_GET_MSR_FEATURES,
    KVM_CAP_GET_TSC_KHZ,
    KVM_CAP_HYPERV,
    KVM_CAP_HYPERV_CPUID,
    KVM_CAP_HYPERV_ENFORCE_CPUID,
    KVM_CAP_HYPERV_ENLIGHTENED_VMCS,
    KVM_CAP_IRQCHIP,
    KVM_CAP_MAX_VCPUS,
    KVM_CAP_MAX_VCPU_ID,
    KVM_CAP_MCE,
    KVM_CAP_MSR_PLATFORM_INFO,
    KVM_CAP_NESTED_STATE,
    KVM_CAP_NR_VCPUS,
    KVM_CAP_PMU_CAPABILITY,
    KVM_CAP_PMU_EVENT_FILTER,
    KVM_CAP_READONLY_MEM,
    KVM_CAP_SGX_ATTRIBUTE,
    KVM_CAP_SPLIT_IRQCHIP,
    KVM_CAP_STEAL_TIME,
    KVM_CAP_SYS_ATTRIBUTES,
    KVM_CAP_SYS_HYPERV_CPUID,
    KVM_CAP_TSC_CONTROL,
    KVM_CAP_TSC_DEADLINE_TIMER,
    KVM_CAP_VM_TYPES,
    KVM_CAP_X2APIC_API,
    KVM_CAP_X86_DISABLE_EXITS,
    KVM_CAP_X86_GUEST_MODE,
    KVM_CAP_X86_MSR_FILTER,
    KVM_CAP_X86_SMM,
    KVM_CAP_X86_USER_SPACE_MSR,
    KVM_CAP_XCRS,
    KVM_CAP_XSAVE,
    KVM_CAP_XSAVE2,
];
