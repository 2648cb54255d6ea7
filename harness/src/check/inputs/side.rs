//! One input as a side of a comparison: what is known of each of its processors, and who had set control state.

use crate::cpuid::answers::{Answers, Key};
use crate::cpuid::hypervisor::{BASE, Hypervisor};
use crate::cpuid::table::{Field, Space, Table};
use crate::input::{Cpu, Input, Known, Register, State};

/// The ranges of hypervisors: their leaves go beyond the limit of the first one (KVM's own stand at 40000100H behind Hyper-V's).
const HYPERVISORS: std::ops::Range<u32> = 0x4000_0000..0x5000_0000;

/// A side.
#[derive(Clone, Debug)]
pub struct Side {
    /// Who had set control state before CPUID was executed.
    pub state: State,
    /// Its processors, the boot processor first.
    pub cpus: Vec<SideCpu>,
}

/// A processor of a side.
#[derive(Clone, Debug)]
pub struct SideCpu {
    /// The number that the file gives it, else its position.
    pub number: u32,
    /// What is known of its bits.
    pub known: Known,
    /// What the file says in words.
    pub cpu: Cpu,
    hypervisor: Hypervisor,
}

impl Side {
    /// Of an input, in that state.
    pub(super) fn new(input: &Input, state: State, cpus: &[Cpu], table: &Table) -> Side {
        let cpus = (0..).zip(cpus);
        Side {
            state,
            cpus: cpus
                .map(|(position, cpu)| SideCpu::new(input, position, cpu, table))
                .collect(),
        }
    }
}

impl SideCpu {
    fn new(input: &Input, position: u32, cpu: &Cpu, table: &Table) -> SideCpu {
        let mut cpu = cpu.clone();
        cpu.answers = within_limits(&cpu.answers);
        SideCpu {
            number: cpu.number.unwrap_or(position),
            known: Known::new(input, &cpu, table),
            hypervisor: Hypervisor::from_signature(cpu.answers.get(&Key::new(BASE, 0)).copied()),
            cpu,
        }
    }

    /// Where the names of a leaf stand in the table.
    pub(super) fn space(&self, leaf: u32) -> Option<Space> {
        self.hypervisor.space(leaf)
    }

    /// What it says of a field: its bits, else what the file names with a value.
    pub(super) fn value(&self, field: &Field, subleaf: u32) -> Option<u64> {
        let worded = || number(self.cpu.fields.get(worded_name(&field.name))?);
        self.known.value(field, subleaf).or_else(worded)
    }

    /// Whether a register's bits are known, all of them.
    pub(super) fn registers(&self, leaf: u32) -> Option<[u32; 4]> {
        let mut regs = [0; 4];
        for (index, register) in (0..).zip(&mut regs) {
            let word = self
                .known
                .register(Register::Cpuid(Key::new(leaf, 0), index));
            let all = word.known == u64::from(u32::MAX);
            *register = u32::try_from(word.value).ok().filter(|_| all)?;
        }
        Some(regs)
    }
}

/// How files call a field of the feature table where they name it with a value.
fn worded_name(name: &str) -> &str {
    match name {
        "max-leaf" => "level",
        "max-ext-leaf" => "xlevel",
        other => other,
    }
}

fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// Answers without those past the limit of their range: a processor may repeat another leaf there (SDM vol. 2 "CPUID"), which says nothing.
fn within_limits(answers: &Answers) -> Answers {
    let within = |key: &Key| {
        let base = key.leaf & 0xFFFF_0000;
        let limit = answers.get(&Key::new(base, 0)).map(|regs| regs[0]);
        match limit {
            None => true,
            // KVM's 0 stands for 40000001H.
            Some(limit) if HYPERVISORS.contains(&base) => {
                limit == 0 || (base..=base | 0xFFFF).contains(&limit)
            }
            Some(limit) => (base..=base | 0xFFFF).contains(&limit) && key.leaf <= limit,
        }
    };
    let kept = answers.iter().filter(|(key, _)| within(key));
    kept.map(|(key, regs)| (*key, *regs)).collect()
}
