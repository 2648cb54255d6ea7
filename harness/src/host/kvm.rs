//! The KVM layer: everything KVM says of what a guest can have.

use std::collections::BTreeMap;

use kvm_bindings::{KVM_MAX_CPUID_ENTRIES, Msrs, kvm_msr_entry};
use kvm_ioctls::Kvm;
use serde::{Deserialize, Serialize};

use crate::host::found::Found;
use crate::vmm::kvm::access::{KvmError, open, supported};
use crate::vmm::kvm::capability::capabilities;
use crate::vmm::kvm::raw::{supported_hv_cpuid, xcomp_guest_supp};
use crate::vmm::kvm::table::CpuidTable;

/// KVM's answers, unmasked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KvmLayer {
    /// KVM_GET_API_VERSION.
    pub api_version: i32,
    /// KVM_GET_SUPPORTED_CPUID.
    pub supported: CpuidTable,
    /// KVM_GET_EMULATED_CPUID.
    pub emulated: Found<CpuidTable>,
    /// KVM_GET_SUPPORTED_HV_CPUID; absent without KVM_CAP_SYS_HYPERV_CPUID.
    pub supported_hv: Found<CpuidTable>,
    /// What a vCPU answers to KVM_GET_CPUID2 that was given `supported` (as APIC ID 0) and has not run.
    pub supported_as_set: Found<CpuidTable>,
    /// KVM_GET_MSR_FEATURE_INDEX_LIST with the values of KVM_GET_MSRS on the system descriptor.
    pub feature_msrs: Found<BTreeMap<u32, Found<u64>>>,
    /// KVM_GET_MSR_INDEX_LIST: what a VMM saves and restores.
    pub msrs: Found<Vec<u32>>,
    /// KVM_X86_XCOMP_GUEST_SUPP; absent without KVM_CAP_SYS_ATTRIBUTES.
    pub xcomp_guest_supp: Found<u64>,
    /// KVM_CHECK_EXTENSION by name.
    pub capabilities: BTreeMap<String, i32>,
}

impl KvmLayer {
    /// Asks this host's KVM.
    ///
    /// # Errors
    /// KVM cannot be opened, or gives no supported CPUID.
    pub fn of_this_host() -> Result<KvmLayer, KvmError> {
        let kvm = open()?;
        let capabilities = capabilities(&kvm);
        let has = |name: &str| capabilities.get(name).is_some_and(|value| *value > 0);
        let supported = supported(&kvm)?;
        Ok(KvmLayer {
            api_version: kvm.get_api_version(),
            emulated: asked(has("KVM_CAP_EXT_EMUL_CPUID"), || {
                Ok(CpuidTable::from(
                    &kvm.get_emulated_cpuid(KVM_MAX_CPUID_ENTRIES)?,
                ))
            }),
            supported_hv: asked(has("KVM_CAP_SYS_HYPERV_CPUID"), || {
                supported_hv_cpuid(&kvm)
                    .map_err(|errno| kvm_ioctls::Error::new(errno.raw_os_error()))
            }),
            supported_as_set: Found::from(as_set(&kvm, &supported).map_err(std::io::Error::other)),
            feature_msrs: asked(has("KVM_CAP_GET_MSR_FEATURES"), || feature_msrs(&kvm)),
            msrs: asked(true, || Ok(kvm.get_msr_index_list()?.as_slice().to_vec())),
            xcomp_guest_supp: asked(has("KVM_CAP_SYS_ATTRIBUTES"), || {
                xcomp_guest_supp(&kvm).map_err(|errno| kvm_ioctls::Error::new(errno.raw_os_error()))
            }),
            capabilities,
            supported,
        })
    }
}

fn asked<T>(there: bool, ask: impl FnOnce() -> Result<T, kvm_ioctls::Error>) -> Found<T> {
    match there.then(ask) {
        None => Found::Absent,
        Some(Ok(value)) => Found::Value(value),
        Some(Err(error)) => Found::Unreadable(error.to_string()),
    }
}

/// One at a time: the ioctl stops at the first index it refuses.
fn feature_msrs(kvm: &Kvm) -> Result<BTreeMap<u32, Found<u64>>, kvm_ioctls::Error> {
    let list = kvm.get_msr_feature_index_list()?;
    let read = |index: &u32| (*index, asked(true, || feature_msr(kvm, *index)));
    Ok(list.as_slice().iter().map(read).collect())
}

fn feature_msr(kvm: &Kvm, index: u32) -> Result<u64, kvm_ioctls::Error> {
    let invalid = || kvm_ioctls::Error::new(rustix::io::Errno::INVAL.raw_os_error());
    let entry = kvm_msr_entry {
        index,
        ..kvm_msr_entry::default()
    };
    let mut msrs = Msrs::from_entries(&[entry]).map_err(|_| invalid())?;
    match kvm.get_msrs(&mut msrs)? {
        1 => Ok(msrs.as_slice()[0].data),
        _ => Err(invalid()),
    }
}

fn as_set(kvm: &Kvm, supported: &CpuidTable) -> Result<CpuidTable, KvmError> {
    let vm = kvm
        .create_vm()
        .map_err(|error| KvmError::ioctl("KVM_CREATE_VM", error))?;
    let vcpu = vm
        .create_vcpu(0)
        .map_err(|error| KvmError::ioctl("KVM_CREATE_VCPU", error))?;
    let table = supported
        .for_vcpu(0)
        .to_kvm()
        .ok_or(KvmError::Lacks("room for so many CPUID entries".into()))?;
    vcpu.set_cpuid2(&table)
        .map_err(|error| KvmError::ioctl("KVM_SET_CPUID2", error))?;
    let set = vcpu.get_cpuid2(KVM_MAX_CPUID_ENTRIES);
    Ok(CpuidTable::from(&set.map_err(|error| {
        KvmError::ioctl("KVM_GET_CPUID2", error)
    })?))
}
