//! Every way in which a guest could differ from a dump: flipped bits, leaves dropped and emptied, vCPUs swapped, MSRs that start or stop
//! to fault.

use cpuid_fidelity::cpuid::answers::Key;
use cpuid_fidelity::cpuid::dump::{Dump, PhaseDump, Reading, Vcpu};
use fidelity_protocol::entry::Control;
use fidelity_protocol::frame::Phase;

/// Every mutated register flips the bits this far apart, starting at another one each time: all bits of all registers would
/// take minutes and show nothing more. Coprime to 32.
pub const STRIDE: usize = 29;

/// A mutation and what to call it. Made when it is looked at: thousands of records at once are too many.
pub struct Mutant<'a, T = Dump> {
    pub what: String,
    pub mutate: Box<dyn Fn(&mut T) + Send + Sync + 'a>,
}

impl<'a, T> Mutant<'a, T> {
    pub fn new(
        what: impl Into<String>,
        mutate: impl Fn(&mut T) + Send + Sync + 'a,
    ) -> Mutant<'a, T> {
        Mutant {
            what: what.into(),
            mutate: Box::new(mutate),
        }
    }
}

impl<T: Clone + PartialEq> Mutant<'_, T> {
    /// `None` where it is the record: two vCPUs can be alike, and a reading can be what it is turned into.
    pub fn apply(&self, record: &T) -> Option<T> {
        let mut mutant = record.clone();
        (self.mutate)(&mut mutant);
        (mutant != *record).then_some(mutant)
    }
}

/// Collects the mutants of one record.
struct Mutants<'a> {
    record: &'a Dump,
    stride: usize,
    turn: usize,
    all: Vec<Mutant<'a>>,
}

impl<'a> Mutants<'a> {
    fn add(&mut self, what: String, mutate: impl Fn(&mut Dump) + Send + Sync + 'a) {
        self.all.push(Mutant::new(what, mutate));
    }

    /// A mutation of one phase of one vCPU.
    fn phase(
        &mut self,
        vcpu: usize,
        phase: Phase,
        what: &str,
        mutate: impl Fn(&mut PhaseDump) + Send + Sync + 'a,
    ) {
        let what = format!("vcpu {vcpu}, {}: {what}", phase.name());
        self.add(what, move |dump| {
            let phase = dump.vcpus[vcpu].phases.get_mut(&phase);
            mutate(phase.expect("a phase"));
        });
    }

    fn bits(&mut self, width: usize) -> Vec<usize> {
        self.turn += 1;
        (self.turn % self.stride..width)
            .step_by(self.stride)
            .collect()
    }

    fn whole(&mut self) {
        self.add("mode".to_owned(), move |dump| dump.mode ^= 0x60);
        self.add("EFLAGS.ID".to_owned(), move |dump| dump.has_cpuid ^= true);
        self.add("a vCPU more".to_owned(), move |dump| {
            dump.vcpus.push(Vcpu {
                apic_id: 77,
                ..Vcpu::default()
            })
        });
        let count = self.record.vcpus.len();
        for vcpu in 0..count {
            self.add(format!("vcpu {vcpu} dropped"), move |dump| {
                drop(dump.vcpus.remove(vcpu))
            });
            self.add(format!("vcpu {vcpu} with another APIC ID"), move |dump| {
                dump.vcpus[vcpu].apic_id += 8
            });
            for other in vcpu + 1..count {
                self.add(format!("vcpus {vcpu} and {other} swapped"), move |dump| {
                    dump.vcpus.swap(vcpu, other)
                });
                self.add(format!("vcpu {other} is {vcpu} again"), move |dump| {
                    dump.vcpus[other] = dump.vcpus[vcpu].clone()
                });
            }
            // Behaviour has lines and mutants of its own (behaviour.rs).
            let phases = Phase::ALL.into_iter();
            for phase in phases.filter(|phase| *phase != Phase::Behaviour) {
                self.add(
                    format!("vcpu {vcpu}: {} dropped", phase.name()),
                    move |dump| {
                        dump.vcpus[vcpu].phases.remove(&phase);
                    },
                );
                self.add(
                    format!("vcpu {vcpu}: {} added", phase.name()),
                    move |dump| {
                        dump.vcpus[vcpu].phases.entry(phase).or_default();
                    },
                );
            }
        }
    }

    fn cpuid(&mut self, vcpu: usize, phase: Phase, content: &'a PhaseDump) {
        for (key, regs) in &content.cpuid {
            let name = format!("CPUID {:#x}.{:x}", key.leaf, key.subleaf);
            self.phase(vcpu, phase, &format!("{name} dropped"), move |phase| {
                _ = phase.cpuid.remove(key)
            });
            self.phase(vcpu, phase, &format!("{name} zeroed"), move |phase| {
                _ = phase.cpuid.insert(*key, [0; 4])
            });
            for register in 0..4 {
                for bit in self.bits(32) {
                    let what = format!("{name} register {register} bit {bit}");
                    self.phase(vcpu, phase, &what, move |phase| {
                        let mut regs = *regs;
                        regs[register] ^= 1 << bit;
                        phase.cpuid.insert(*key, regs);
                    });
                }
            }
        }
        if [Phase::Reset, Phase::Enabled, Phase::Probes].contains(&phase) {
            for regs in [[0; 4], [0, 0, 1, 0]] {
                for key in [Key::new(7, 9), Key::new(0x8000_00FE, 0)] {
                    self.phase(
                        vcpu,
                        phase,
                        &format!("{key:x?} is there with {regs:?}"),
                        move |phase| {
                            phase.cpuid.insert(key, regs);
                        },
                    );
                }
            }
        }
    }

    fn registers(&mut self, vcpu: usize, phase: Phase, content: &'a PhaseDump) {
        for (index, reading) in &content.msrs {
            let name = format!("MSR {index:#x}");
            self.phase(vcpu, phase, &format!("{name} dropped"), move |phase| {
                _ = phase.msrs.remove(index)
            });
            for other in self.others(*reading) {
                let what = format!("{name} is {other:x?}");
                self.phase(vcpu, phase, &what, move |phase| {
                    _ = phase.msrs.insert(*index, other)
                });
            }
        }
        for (control, reading) in &content.control {
            let name = control.name();
            self.phase(vcpu, phase, &format!("{name} dropped"), move |phase| {
                _ = phase.control.remove(control)
            });
            for other in self.others(*reading) {
                let what = format!("{name} is {other:x?}");
                self.phase(vcpu, phase, &what, move |phase| {
                    _ = phase.control.insert(*control, other)
                });
            }
        }
        if phase == Phase::Msrs {
            self.phase(vcpu, phase, "an MSR more", move |phase| {
                _ = phase.msrs.insert(0x999, Reading::Value(0))
            });
        }
        if phase == Phase::Reset {
            self.phase(vcpu, phase, "a register more", move |phase| {
                phase.control.insert(Control::WantedXcr0, Reading::Value(0));
            });
        }
        for run in 0..content.sweep.len() {
            let what = |what: &str| format!("run {run} {what}");
            self.phase(vcpu, phase, &what("dropped"), move |phase| {
                phase.sweep.remove(run);
            });
            self.phase(vcpu, phase, &what("longer"), move |phase| {
                phase.sweep[run].last += 1
            });
            self.phase(vcpu, phase, &what("readable"), move |phase| {
                phase.sweep[run].reading = Reading::Value(1 << 40)
            });
        }
    }

    /// What a register could read as instead.
    fn others(&mut self, reading: Reading) -> Vec<Reading> {
        let mut others = vec![Reading::Fault(13), Reading::Fault(6), Reading::Value(0)];
        let value = match reading {
            Reading::Value(value) => value,
            Reading::Fault(_) => 0,
        };
        others.extend(
            self.bits(64)
                .into_iter()
                .map(|bit| Reading::Value(value ^ 1 << bit)),
        );
        others
    }
}

/// All mutants of a dump, with every `stride`-th bit of each register flipped.
pub fn mutants(record: &Dump, stride: usize) -> Vec<Mutant<'_>> {
    let mut mutants = Mutants {
        record,
        stride,
        turn: 0,
        all: Vec::new(),
    };
    mutants.whole();
    for (vcpu, content) in record.vcpus.iter().enumerate() {
        for (phase, content) in &content.phases {
            mutants.phase(vcpu, *phase, "completeness", |phase| phase.complete ^= true);
            // Further vCPUs are all rendered in the same way; the second one stands for the rest.
            if vcpu < 2 {
                mutants.cpuid(vcpu, *phase, content);
                mutants.registers(vcpu, *phase, content);
            }
        }
    }
    mutants.all
}
