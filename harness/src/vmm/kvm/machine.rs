//! A VM: memory, interrupt controllers, vCPUs with their CPUID tables.

use kvm_bindings::{KVM_MAX_CPUID_ENTRIES, kvm_userspace_memory_region};
use kvm_ioctls::{Kvm, VcpuFd, VmFd};

use super::mapping::Mapping;
use crate::vmm::kvm::access::KvmError;
use crate::vmm::kvm::table::CpuidTable;

/// Pages that Intel's KVM needs in guest memory for real mode (api.rst, KVM_SET_TSS_ADDR, KVM_SET_IDENTITY_MAP_ADDR): three
/// and one, just below where QEMU puts them, where nothing else is.
const TSS: usize = 0xFFFB_D000;
const IDENTITY_MAP: u64 = 0xFFFB_C000;

/// Where every PC has the last 64 KiB of its ROM a second time, and where the agent is linked.
pub const ROM_BASE: u64 = 0xF_0000;

/// A VM whose vCPUs have not run.
#[derive(Debug)]
pub struct Machine {
    /// Boot processor first; the position is the APIC ID.
    pub vcpus: Vec<VcpuFd>,
    /// What KVM_SET_CPUID2 was given, by vCPU.
    pub given: Vec<CpuidTable>,
    /// What KVM_GET_CPUID2 answered then, by vCPU.
    pub kept: Vec<CpuidTable>,
    vm: VmFd,
}

impl Machine {
    /// Makes a VM with `vcpus` vCPUs, each with `table` made its own ([`CpuidTable::for_vcpu`]).
    ///
    /// `ram`, which holds the ROM at [`ROM_BASE`], must stay mapped until the machine and all its vCPUs are dropped.
    ///
    /// # Errors
    /// The first ioctl that fails.
    pub fn new(
        kvm: &Kvm,
        table: &CpuidTable,
        vcpus: u32,
        ram: &Mapping,
    ) -> Result<Machine, KvmError> {
        let failed = |ioctl| move |error| KvmError::ioctl(ioctl, error);
        let vm = kvm.create_vm().map_err(failed("KVM_CREATE_VM"))?;
        vm.set_identity_map_address(IDENTITY_MAP)
            .map_err(failed("KVM_SET_IDENTITY_MAP_ADDR"))?;
        vm.set_tss_address(TSS)
            .map_err(failed("KVM_SET_TSS_ADDR"))?;
        // Before the vCPUs: they get their local APICs from it, without which no second one could be started.
        vm.create_irq_chip().map_err(failed("KVM_CREATE_IRQCHIP"))?;
        // One region, for each costs a grace period (kvm_main.c, kvm_swap_active_memslots).
        let region = kvm_userspace_memory_region {
            slot: 0,
            flags: 0,
            guest_phys_addr: 0,
            memory_size: ram.size(),
            userspace_addr: ram.address(),
        };
        // SAFETY: the range is a shared mapping of a file of that size, which the caller keeps until the VM is gone.
        unsafe { vm.set_user_memory_region(region) }
            .map_err(failed("KVM_SET_USER_MEMORY_REGION"))?;
        let mut machine = Machine {
            vcpus: Vec::new(),
            given: Vec::new(),
            kept: Vec::new(),
            vm,
        };
        for id in 0..vcpus {
            machine.add_vcpu(id, table.for_vcpu(id))?;
        }
        Ok(machine)
    }

    fn add_vcpu(&mut self, id: u32, table: CpuidTable) -> Result<(), KvmError> {
        let failed = |ioctl| move |error| KvmError::ioctl(ioctl, error);
        let vcpu = self
            .vm
            .create_vcpu(id.into())
            .map_err(failed("KVM_CREATE_VCPU"))?;
        let rows = table
            .to_kvm()
            .ok_or(KvmError::Lacks("room for so many CPUID entries".into()))?;
        vcpu.set_cpuid2(&rows).map_err(failed("KVM_SET_CPUID2"))?;
        let set = vcpu
            .get_cpuid2(KVM_MAX_CPUID_ENTRIES)
            .map_err(failed("KVM_GET_CPUID2"))?;
        if id == 0 {
            start_in_low_rom(&vcpu)?;
        }
        // A vCPU is made before it has a table, so KVM resets EDX to 600H; a VMM sets the signature (QEMU: x86_cpu_reset_hold).
        if let Some(row) = table.find(1, 0) {
            let mut regs = vcpu.get_regs().map_err(failed("KVM_GET_REGS"))?;
            regs.rdx = row.regs[0].into();
            vcpu.set_regs(&regs).map_err(failed("KVM_SET_REGS"))?;
        }
        self.vcpus.push(vcpu);
        self.given.push(table);
        self.kept.push(CpuidTable::from(&set));
        Ok(())
    }
}

/// Starts at the reset vector's low alias instead of the one below 4 GiB, which would need a region of its own. The agent's
/// first instruction, a far jump, goes there anyhow.
fn start_in_low_rom(vcpu: &VcpuFd) -> Result<(), KvmError> {
    let failed = |ioctl| move |error| KvmError::ioctl(ioctl, error);
    let mut sregs = vcpu.get_sregs().map_err(failed("KVM_GET_SREGS"))?;
    sregs.cs.base = ROM_BASE;
    vcpu.set_sregs(&sregs).map_err(failed("KVM_SET_SREGS"))
}
