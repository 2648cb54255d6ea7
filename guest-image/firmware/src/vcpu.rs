//! One vCPU that looks at itself: every look leaves a breadcrumb, and its result goes into the stream.

use fidelity_protocol::entry::{Control, Cpuid, Register, Run};
use fidelity_protocol::frame::Kind;
use fidelity_protocol::leaves::{MARKS, Mark};
use fidelity_protocol::slot::{OP_CONTROL, OP_CPUID, OP_RDMSR, OP_WRMSR};

use crate::cpu::{self, Attempt};
use crate::slot::Slot;
use crate::stream::Stream;

/// The vCPU that runs this code.
pub struct Vcpu {
    index: u32,
    /// Its slot.
    pub slot: Slot,
    /// Its frames.
    pub stream: Stream,
    /// 0 for the first dump.
    pub generation: u8,
    /// EDX after reset or INIT.
    pub signature: u32,
}

impl Vcpu {
    /// Starts a stream in slot `index`.
    pub fn begin(index: u32, generation: u8, signature: u32) -> Vcpu {
        let slot = Slot::at(index);
        Vcpu {
            index,
            slot,
            stream: Stream::begin(slot, cpu::apic_id(), generation),
            generation,
            signature,
        }
    }

    /// Whether this is the vCPU that the machine started.
    pub fn is_boot_processor(&self) -> bool {
        self.index == 0
    }

    /// Executes CPUID and reports nothing.
    pub fn cpuid(&self, leaf: u32, subleaf: u32) -> [u32; 4] {
        self.slot.breadcrumb(OP_CPUID, leaf, subleaf);
        cpu::cpuid(leaf, subleaf)
    }

    /// Executes CPUID and reports it.
    pub fn report_cpuid(&mut self, leaf: u32, subleaf: u32) -> [u32; 4] {
        let regs = self.cpuid(leaf, subleaf);
        let entry = Cpuid {
            leaf,
            subleaf,
            regs,
        };
        self.stream.push(Kind::Cpuid, &entry);
        regs
    }

    /// Reads an MSR and reports nothing.
    pub fn rdmsr(&self, index: u32) -> Attempt {
        self.slot.breadcrumb(OP_RDMSR, index, 0);
        cpu::try_rdmsr(index)
    }

    /// Reads an MSR and reports it.
    pub fn report_msr(&mut self, index: u32) {
        let attempt = self.rdmsr(index);
        self.stream.push(Kind::Msr, &register(index, attempt));
    }

    /// Reports a piece of control state.
    pub fn report_control(&mut self, control: Control, attempt: Attempt) {
        self.stream
            .push(Kind::Control, &register(control as u32, attempt));
    }

    /// Says that control state is about to be written, and the value's low half.
    pub fn about_to_write(&self, control: Control, value: u64) {
        self.slot
            .breadcrumb(OP_CONTROL, control as u32, value as u32);
    }

    /// Writes the marks; one that is refused shows when it is read.
    pub fn mark_msrs(&self) {
        for Mark { index, low, high } in MARKS {
            self.slot.breadcrumb(OP_WRMSR, index, 0);
            _ = cpu::try_wrmsr(index, u64::from(high) << 32 | u64::from(low));
        }
    }

    /// Reads every MSR of a range, inclusive, and reports runs of indices that answer alike.
    pub fn sweep(&mut self, first: u32, last: u32) {
        let mut run: Option<Run> = None;
        for index in first..=last {
            let attempt = self.rdmsr(index);
            let status = attempt.status();
            match &mut run {
                Some(run) if run.status == status && run.value == attempt.value => run.last = index,
                _ => {
                    let next = Run {
                        first: index,
                        last: index,
                        status,
                        value: attempt.value,
                    };
                    if let Some(done) = run.replace(next) {
                        self.stream.push(Kind::MsrRun, &done);
                    }
                }
            }
        }
        if let Some(done) = run {
            self.stream.push(Kind::MsrRun, &done);
        }
    }
}

fn register(id: u32, attempt: Attempt) -> Register {
    Register {
        id,
        status: attempt.status(),
        value: attempt.value,
    }
}
